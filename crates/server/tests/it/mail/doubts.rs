//! Mails of which nobody knows whether they have come: all of them was said, and no plain answer came back. Their codes
//! are no good, and whoever they come to is not sent one after the other.

use crate::harness::log::Log;
use crate::harness::mail::HASTY;
use crate::harness::mail_server::{END, MailServer, Reply};
use crate::harness::service::Service;
use std::time::Duration;

/// The code is no good, and for a minute there is no other mail; then one goes out as ever.
async fn assert_may_have_come(service: &Service, server: &MailServer, subject: &str, what: &str) {
    let mails = server.mails();
    let answer = service.mail(subject).await;
    assert_eq!((answer.told(), answer.code().as_str()), ((429, Some("60")), "throttled"), "{what}: a wait");
    assert_eq!(server.mails().len(), mails.len(), "{what}: no other mail");
    assert_eq!(service.log_in(subject, &mails.last().unwrap().code()).await, 404, "{what}: the code");
    server.behave();
    service.clock.advance(60);
    assert_eq!(service.mail(subject).await.told(), (204, None), "{what}: after the wait");
    assert_eq!(
        service.log_in(subject, &server.mails().last().unwrap().code()).await,
        204,
        "{what}: a new code"
    );
}

#[tokio::test]
async fn what_is_neither_a_yes_nor_a_no_to_a_whole_mail_counts_as_sent_and_its_code_is_no_good_137() {
    Log::capture();
    let (service, server) = Service::start_mailing_limited("", HASTY).await;
    let slowly = Reply::Dribble("250 taken", Duration::from_millis(100));
    let broken = "the answer of the mail server is not SMTP, or not whole";
    let cases = [
        (Reply::Silence, "no answer within 400 ms in all"),
        (slowly, "no answer within 400 ms in all"),
        (Reply::HangUp, broken),
        (Reply::Say("354 more, please"), "the mail server answered 354"),
        (Reply::Say("999 what?"), broken),
        (Reply::Say("HTTP/1.1 400"), broken),
    ];
    for (number, (reply, cause)) in cases.into_iter().enumerate() {
        let subject = format!("alice-{number}");
        // So that each begins with a connection of its own.
        server.reply("NOOP", Reply::HangUp);
        server.reply(END, reply);
        let answer = service.mail(&subject).await;
        assert_eq!((answer.told(), answer.code().as_str()), ((503, Some("60")), "unavailable"), "{cause}");
        let line = &Log::lines("a mail could not be sent")[number]["error"];
        assert_eq!(*line, format!("end of the message: {cause}"));
        assert_may_have_come(&service, &server, &subject, cause).await;
    }
}

/// A relay that looks into each mail for longer than anybody waits, and then delivers it.
#[tokio::test]
async fn a_server_that_always_answers_too_late_gets_a_mail_a_minute_and_five_an_hour_137() {
    let (service, server) = Service::start_mailing_limited("", HASTY).await;
    server.reply(END, Reply::Silence);
    for number in 1..=5 {
        assert_eq!(service.mail("alice").await.told(), (503, Some("60")), "{number}");
        assert_eq!(service.mail("alice").await.status, 429, "{number}");
        assert_eq!(server.mails().len(), number);
        service.clock.advance(60);
    }
    assert_eq!(service.mail("alice").await.told(), (429, Some("3300")));
    assert_eq!(server.mails().len(), 5);
}

/// Wrong entries kill the code while it is mailed again; the mail comes all the same.
#[tokio::test]
async fn a_mail_whose_code_is_killed_while_it_is_sent_counts_as_sent_137() {
    let (service, server) = Service::start_mailing_with("[throttle]\nfree_failures = 10\n").await;
    service.mail("alice").await;
    service.clock.advance(60);
    let code = server.mails()[0].code();
    let wrong = if code == "000000" { "000001" } else { "000000" };
    server.reply(END, Reply::Held(Box::new(Reply::Say("250 taken"))));
    let mut client = service.connect().await;
    client.send(service.mail_request("alice", &serde_json::json!({}), &[])).await;
    server.until("second mail", |server| server.mails().len() == 2).await;
    for _ in 0..5 {
        assert_eq!(service.log_in("alice", wrong).await, 404);
    }
    server.release();
    assert_eq!(client.answer().await.status, 503);
    assert_eq!(service.mail("alice").await.told(), (429, Some("60")));
    assert_eq!(server.mails().len(), 2);
}
