//! Mails: their codes, the addresses that they go to, and the mail server's password, whatever that server says.

use super::{Canaries, EVENTS, verify};
use crate::harness::installation::{Installation, Serving};
use crate::harness::mail::SENDMAIL;
use crate::harness::mail_server::{END, MailServer, Received, Reply};
use crate::harness::program::Run;
use rustix::process::Signal;
use serde_json::json;
use std::fs;

/// Whether six digits are somewhere in a log, beside the numbers that every line has.
fn tells(log: &str, code: &str) -> bool {
    let without_numbers = |line: &str| {
        let mut line: serde_json::Value = serde_json::from_str(line).unwrap();
        for field in ["timestamp", "time", "request_id", "duration_us", "client", "address", "management"] {
            line.as_object_mut().unwrap().remove(field);
        }
        line.to_string()
    };
    log.lines().any(|line| without_numbers(line).contains(code))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn neither_a_mailed_code_nor_its_address_nor_the_mail_servers_password_comes_out_140_142() {
    let server = MailServer::start().await;
    let mail = format!(
        "[mail]\nurl = \"smtp://canary-user:canary-mail-password@{}\"\nfrom = \"no-reply@example.com\"\n",
        server.address
    );
    let site = Installation::with(&format!("{mail}{EVENTS}")).await;
    let canaries = Canaries::new(&site);
    let printed = site.run(&["config", "print"]);
    assert!(printed.stdout.contains("smtp://canary-user:***@") && !printed.stdout.contains("mail-password"));
    let serving = Serving::start(site.einmal(&["serve"]).env("EINMAL__LOG__LEVEL", "trace")).await;
    let claims = json!({ "email": "alice.canary@example.org", "email_verified": true, "locale": "canary" });
    let mut statuses = Vec::new();
    for (subject, place, reply) in [
        ("alice", "NOOP", "250 ok"),
        ("alice", "NOOP", "250 ok"),
        ("bob", END, "550 5.7.1 alice.canary@example.org: canary-mail-password"),
        ("carol", "RCPT", "450 <alice.canary@example.org> greylisted"),
        ("dave", "RCPT", "canary"),
        ("erin", "AUTH", "535 canary-user canary-mail-password"),
    ] {
        server.reply(place, Reply::Say(reply));
        let token = site.token_with(subject, &claims);
        let answer = verify(&serving, SENDMAIL, &token, "canary").header("accept-language", "canary");
        let answer = answer.send().await.unwrap();
        statuses.push(answer.status().as_u16());
        let mut text = format!("{:?}", answer.headers()).into_bytes();
        text.extend_from_slice(&answer.bytes().await.unwrap());
        canaries.are_not_in("an answer", &text);
    }
    assert_eq!(statuses, [204, 204, 503, 503, 503, 503]);
    let codes: Vec<String> = server.mails().iter().map(Received::code).collect();
    assert_eq!(codes.len(), 2, "alice's, and bob's that was refused");
    for entry in fs::read_dir(site.directory.path()).unwrap().map(Result::unwrap) {
        let name = entry.file_name().into_string().unwrap();
        let bytes = fs::read(entry.path()).unwrap();
        let is_in = |code: &String| memchr::memmem::find(&bytes, code.as_bytes()).is_some();
        assert!(!name.starts_with("einmal.db") || !codes.iter().any(is_in), "a code in {name}");
    }
    let url = format!("http://{}/metrics", serving.management);
    let metrics = serving.client.get(url).send().await.unwrap().text().await.unwrap();
    canaries.are_not_in("/metrics", metrics.as_bytes());
    serving.program.signal(Signal::TERM);
    let Run { stdout, stderr, .. } = serving.program.ended().await;
    canaries.are_not_in("what it wrote", (stdout.clone() + &stderr).as_bytes());
    assert!(stdout.contains("a mail could not be sent") && stderr.is_empty(), "{stdout}{stderr}");
    let events = fs::read_to_string(site.path("events.jsonl")).unwrap();
    assert!(events.lines().count() == 1 && events.contains("code_mailed"), "{events}");
    canaries.are_not_in("the events", events.as_bytes());
    for code in &codes {
        assert!(
            !tells(&stdout, code) && !tells(&events, code) && !metrics.contains(code),
            "{code} in {stdout}"
        );
    }
    assert!(
        tells(&format!("{{\"error\":\"{}\"}}", codes[0]), &codes[0]),
        "that the search finds what is there"
    );
}
