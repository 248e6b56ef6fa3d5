//! Whoever gives up a request has begun something all the same. At the end of the service it is finished like everything
//! else: settled, counted and logged.

use crate::harness::installation::{Installation, Serving};
use crate::harness::mail::SENDMAIL;
use crate::harness::mail_server::{END, MailServer, Reply};
use crate::harness::program::{PATIENCE, Run};
use crate::http::client::within_patience;
use crate::http::streams::{JSON, Streams, request};
use axum::body::Bytes;
use rustix::process::Signal;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tokio::net::TcpStream;
use tokio::time::sleep;

/// Each with a PIN to hash, so that they take a while.
const PUTS: usize = 100;

async fn until_nobody_listens(address: SocketAddr) {
    let deadline = Instant::now() + PATIENCE;
    while TcpStream::connect(address).await.is_ok() {
        assert!(Instant::now() < deadline, "it goes on listening");
        sleep(Duration::from_millis(5)).await;
    }
}

fn lines(text: &str) -> impl Iterator<Item = Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap())
}

fn audited(log: &str) -> BTreeSet<String> {
    let lines = lines(log).filter(|line| line["message"] == "admin" && line["outcome"] == "ok");
    lines.map(|line| line["account"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_code_of_a_mail_that_is_taken_during_the_shutdown_is_good_though_its_client_has_gone() {
    let mail_server = MailServer::start().await;
    let site = Installation::with(&format!("drain = \"0s\"\n{}", mail_server.settings())).await;
    let serving = site.serve().await;
    mail_server.reply(END, Reply::Held(Box::new(Reply::Say("250 2.0.0 taken"))));
    let (client, conversation) = Streams::connect(serving.address).await;
    let claims = json!({ "email": "alice@example.org", "email_verified": true });
    let token = format!("Bearer {}", site.token_with("alice", &claims));
    let asked = client.begin(request("POST", SENDMAIL, &[("authorization", &token)]), false).await;
    mail_server.until("mail", |server| server.mails().len() == 1).await;
    drop((asked, client));
    conversation.abort();

    serving.program.signal(Signal::TERM);
    until_nobody_listens(serving.address).await;
    mail_server.release();
    let ended = within_patience("the end", serving.program.ended()).await;
    assert_eq!(ended.code, Some(0), "{}", ended.stdout);
    let serving = site.serve().await;
    let body = json!({ "otp": mail_server.mails()[0].code(), "types": ["login"] });
    let answer = serving.try_verify_with(&serving.client, &site.token("alice"), &body).await;
    assert_eq!(answer.unwrap().status(), 204, "{}", ended.stdout);
}

/// Begins to make accounts, and gives up when the service is at many of them. How many are begun at least.
async fn begin_to_make_accounts(site: &Installation, serving: &Serving) -> usize {
    let (client, conversation) = Streams::connect(serving.management).await;
    let claims = json!({ "client_id": "backoffice", "scope": "einmal:admin" });
    let token = format!("Bearer {}", site.token_with("agent-7", &claims));
    let mut asked = Vec::new();
    for number in 0..PUTS {
        let path = format!("/admin/accounts/main/user-{number}");
        let put = request("PUT", &path, &[("authorization", &token), JSON]);
        let (answer, mut body) = client.begin(put, true).await;
        body.send_data(Bytes::from_static(b"{\"pin\":\"8299\"}"), true).unwrap();
        asked.push((answer, body));
    }
    let deadline = Instant::now() + PATIENCE;
    loop {
        // In this order, so that none is counted twice.
        let done = audited(&serving.program.stdout()).len();
        let going_on = usize::try_from(serving.being_hashed().await).unwrap();
        if going_on >= PUTS / 2 {
            drop((asked, client));
            conversation.abort();
            return done + going_on;
        }
        assert!(Instant::now() < deadline, "not at many of them: {}", serving.program.stdout());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_administrators_began_is_done_and_told_at_the_end_though_they_have_gone() {
    // Where there are events, the end waits for them a moment anyway, which must not be all that it is done by.
    for events in ["", "[events]\noutput = \"events.jsonl\""] {
        administrators_leave(events).await;
    }
}

async fn administrators_leave(events: &str) {
    let admin = "[admin]\nissuer = \"main\"\nclients = [\"backoffice\"]";
    let site = Installation::with(&format!("drain = \"0s\"\n{admin}\n{events}")).await;
    let serving = site.serve().await;
    let begun = begin_to_make_accounts(&site, &serving).await;
    serving.program.signal(Signal::TERM);
    let Run { code, stdout, .. } = within_patience("the end", serving.program.ended()).await;
    assert_eq!(code, Some(0), "{stdout}");
    assert!(!stdout.contains("cut off"), "{stdout}");

    let done = audited(&stdout);
    assert!(done.len() >= begun, "{} of {begun}", done.len());
    if !events.is_empty() {
        let told = fs::read_to_string(site.path("events.jsonl")).unwrap();
        let made = lines(&told).filter(|line| line["event"] == "account_created");
        let made: BTreeSet<_> = made.map(|line| line["account"].as_str().unwrap().to_owned()).collect();
        assert_eq!(made, done);
    }
    let listed = site.run(&["accounts", "list"]);
    assert_eq!(listed.stdout.matches("user-").count(), done.len(), "{}", listed.stdout);
}
