//! A mail server that is slow, says no, or is gone: the answer comes in time, nothing is left behind, and nobody else
//! notices.

use crate::harness::log::Log;
use crate::harness::mail::HASTY;
use crate::harness::mail_server::{END, GREETING, MailServer, Reply};
use crate::harness::service::Service;
use crate::http::client::Answer;
use einmal::mail::Limits;
use serde_json::json;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

fn assert_unavailable(answer: &Answer, what: &str) {
    assert_eq!((answer.status, answer.code().as_str()), (503, "unavailable"), "{what}");
    assert_eq!(answer.header("retry-after"), Some("30"), "{what}");
}

/// No code that is good, no wait, and the next mail goes out as soon as the server behaves.
async fn assert_nothing_is_left(service: &Service, server: &MailServer, subject: &str, what: &str) {
    server.behave();
    if let Some(mail) = server.mails().last() {
        assert_eq!(service.log_in(subject, &mail.code()).await, 404, "{what}: the code that failed");
    }
    let before = server.mails().len();
    assert_eq!(service.mail(subject).await.told(), (204, None), "{what}: no wait");
    assert_eq!(server.mails().len(), before + 1, "{what}: a new mail");
    assert_eq!(service.log_in(subject, &server.mails()[before].code()).await, 204, "{what}: a new code");
}

#[tokio::test]
async fn a_refusal_at_any_point_is_503_and_leaves_nothing_behind_134() {
    Log::capture();
    let (service, server) = Service::start_mailing().await;
    let cases = [
        (GREETING, "554 no service for you", "connecting: the mail server answered 554"),
        (GREETING, "421 too busy", "connecting: the mail server answered 421"),
        ("EHLO", "502 what?", "connecting: the mail server answered 502"),
        ("MAIL", "451 4.3.0 later", "MAIL FROM: the mail server answered 451 4.3.0"),
        ("MAIL", "421 4.7.0 try again later", "MAIL FROM: the mail server answered 421 4.7.0"),
        ("RCPT", "450 4.2.0 <alice@example.org> greylisted", "RCPT TO: the mail server answered 450 4.2.0"),
        ("RCPT", "550 5.1.1 <alice@example.org> unknown", "RCPT TO: the mail server answered 550 5.1.1"),
        ("RCPT", "550 alice@example.org unknown", "RCPT TO: the mail server answered 550"),
        ("RCPT", "421 bye", "RCPT TO: the mail server answered 421"),
        ("DATA", "554 no valid recipients", "DATA: the mail server answered 554"),
        ("DATA", "250 what is this?", "DATA: the mail server answered 250"),
        (
            END,
            "550-5.7.1 looks like\r\n550 5.7.1 spam",
            "end of the message: the mail server answered 550 5.7.1",
        ),
        (END, "452 4.3.1 disk full", "end of the message: the mail server answered 452 4.3.1"),
        (END, "421 4.3.0 going down", "end of the message: the mail server answered 421 4.3.0"),
    ];
    for (number, (place, text, cause)) in cases.into_iter().enumerate() {
        let subject = format!("alice-{number}");
        server.reply(place, Reply::Say(text));
        let attempts = server.connections().0;
        assert_unavailable(&service.mail(&subject).await, text);
        assert!(server.connections().0 <= attempts + 1, "{text}: tried again");
        assert_eq!(Log::lines("a mail could not be sent")[number]["error"], cause, "{text}");
        assert_nothing_is_left(&service, &server, &subject, text).await;
        // So that the next one begins with a connection of its own.
        server.reply("NOOP", Reply::HangUp);
        assert_eq!(service.mail(&format!("bob-{number}")).await.status, 204);
        server.reply("NOOP", Reply::HangUp);
    }
    assert!(!Log::text().contains("example.org"), "{}", Log::text());
}

#[tokio::test]
async fn a_connection_that_breaks_before_the_end_is_503_and_leaves_nothing_behind_134() {
    let (service, server) = Service::start_mailing().await;
    for place in [GREETING, "EHLO", "MAIL", "RCPT", "DATA"] {
        server.reply("NOOP", Reply::HangUp);
        server.reply(place, Reply::HangUp);
        assert_unavailable(&service.mail(place).await, place);
        assert_nothing_is_left(&service, &server, place, place).await;
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_is_503() {
    let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mail = format!("[mail]\nurl = \"smtp://{address}\"\nfrom = \"a@example.com\"\n");
    let service = Service::start_with(&mail).await;
    assert_unavailable(&service.mail("alice").await, "connection refused");
    let service = Service::start_with(&mail.replace(&address.to_string(), "nowhere.invalid")).await;
    assert_unavailable(&service.mail("alice").await, "no such host");
}

#[tokio::test]
async fn a_slow_server_is_given_up_at_the_deadline_and_leaves_nothing_behind_133() {
    Log::capture();
    let (service, server) = Service::start_mailing_limited("", HASTY).await;
    let slowly = |text| Reply::Dribble(text, Duration::from_millis(100));
    let cases = [
        (GREETING, Reply::Silence, "connecting"),
        (GREETING, slowly("220 mail.test"), "connecting"),
        ("EHLO", slowly("250 mail.test"), "connecting"),
        ("MAIL", Reply::Silence, "MAIL FROM"),
        ("RCPT", slowly("250 ok"), "RCPT TO"),
        ("DATA", Reply::Silence, "DATA"),
    ];
    for (number, (place, reply, stage)) in cases.into_iter().enumerate() {
        let subject = format!("alice-{number}");
        server.reply(place, reply);
        server.reply("NOOP", Reply::HangUp);
        let started = Instant::now();
        assert_unavailable(&service.mail(&subject).await, stage);
        assert!(started.elapsed() < HASTY.deadline * 4, "{stage}: {:?}", started.elapsed());
        let line = &Log::lines("a mail could not be sent")[number]["error"];
        assert_eq!(*line, format!("{stage}: no answer within 400 ms in all"));
        assert_nothing_is_left(&service, &server, &subject, stage).await;
    }
}

/// What comes late must not be taken for the answer to the next mail.
#[tokio::test]
async fn a_connection_that_was_given_up_is_never_used_again_133() {
    let (service, server) = Service::start_mailing_limited("", HASTY).await;
    server.reply(END, Reply::Held(Box::new(Reply::Say("250 taken after all"))));
    assert_eq!(service.mail("alice").await.status, 503, "held");
    server
        .until("end of the connection", |server| {
            server.release();
            server.connections().1 == 0
        })
        .await;
    server.reply(END, Reply::Say("550 no"));
    assert_unavailable(&service.mail("bob").await, "the answer to bob's own mail");
    assert_eq!(server.connections().0, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn while_the_mail_server_hangs_everybody_else_is_served_as_ever_133() {
    let limits = Limits { deadline: Duration::from_secs(2), at_once: 4 };
    let (service, server) = Service::start_mailing_limited("", limits).await;
    server.reply(GREETING, Reply::Silence);
    let mut mails = JoinSet::new();
    for number in 0..100 {
        let request = service.mail_request(&format!("alice-{number}"), &json!({}), &[]);
        let mut client = service.connect().await;
        mails.spawn(async move { client.request(request).await });
    }
    server.until("connections", |server| server.connections().0 == 4).await;
    service.provision_device("bob").await;
    let started = Instant::now();
    for offset in 0..20 {
        assert_eq!(service.verify("bob", &service.code(0)).await, 204, "{offset}");
        service.clock.advance(30);
    }
    assert!(started.elapsed() < Duration::from_secs(1), "{:?}", started.elapsed());
    assert_eq!(server.connections(), (4, 4), "the others wait");
    while let Some(answer) = mails.join_next().await {
        assert_unavailable(&answer.unwrap(), "hanging");
    }
    server.behave();
    assert_eq!(service.mail("carol").await.status, 204, "all places are free again");
}

#[tokio::test]
async fn a_mail_goes_on_when_its_client_has_gone() {
    let (service, server) = Service::start_mailing().await;
    server.reply(END, Reply::Held(Box::new(Reply::Say("250 taken"))));
    let mut client = service.connect().await;
    client.send(service.mail_request("alice", &json!({}), &[])).await;
    server.until("mail", |server| server.mails().len() == 1).await;
    drop(client);
    server.release();
    let code = server.mails()[0].code();
    server.until("end", |_| true).await;
    while service.look("alice", |account| account.mailing.under_way.is_some()).await {
        tokio::task::yield_now().await;
    }
    assert_eq!(service.log_in("alice", &code).await, 204);
    assert_eq!(service.mail("alice").await.told(), (204, Some("60")));
}

#[tokio::test]
async fn a_code_that_is_mailed_again_in_vain_is_good_no_more() {
    let (service, server) = Service::start_mailing().await;
    service.mail("alice").await;
    let code = server.mails()[0].code();
    service.clock.advance(60);
    server.reply(END, Reply::Say("451 later"));
    assert_unavailable(&service.mail("alice").await, "again");
    assert_eq!(server.mails()[1].code(), code);
    assert_eq!(service.log_in("alice", &code).await, 404);
}

/// Its place in the account was taken by another one, for it took too long.
#[tokio::test]
async fn a_mail_that_lost_its_place_is_503_and_its_code_is_no_good() {
    let (service, server) = Service::start_mailing().await;
    server.reply(END, Reply::Held(Box::new(Reply::Say("250 taken"))));
    let mut client = service.connect().await;
    client.send(service.mail_request("alice", &json!({}), &[])).await;
    server.until("mail", |server| server.mails().len() == 1).await;
    service.change("alice", |account| account.mailing.under_way = None).await;
    server.release();
    assert_unavailable(&client.answer().await, "lost");
    assert_eq!(service.log_in("alice", &server.mails()[0].code()).await, 404);
}
