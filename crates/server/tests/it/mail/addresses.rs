//! Where a mail goes: to one plain address that somebody has verified, or nowhere.

use crate::harness::service::Service;
use serde_json::{Value, json};

#[tokio::test]
async fn a_verified_address_of_the_token_goes_before_that_of_the_account() {
    let (service, server) = Service::start_mailing().await;
    service.provision(&json!({ "id": "alice", "email": "kept@example.org" })).await;
    service.mail("alice").await;
    assert_eq!(server.mails()[0].recipients, ["TO:<alice@example.org>"]);
    let unverified = [
        json!({ "email_verified": null }),
        json!({ "email_verified": false }),
        json!({ "email_verified": "true" }),
        json!({ "email_verified": 1 }),
        json!({ "email": null }),
    ];
    for changes in unverified {
        service.clock.advance(720);
        assert_eq!(service.mail_with("alice", &changes, &[]).await.status, 204, "{changes}");
        assert_eq!(server.mails().pop().unwrap().recipients, ["TO:<kept@example.org>"], "{changes}");
    }
    assert_eq!(server.mails().len(), 6);
}

#[tokio::test]
async fn without_a_verified_address_it_is_404_and_no_account_comes_into_being() {
    let (service, server) = Service::start_mailing().await;
    service.provision_device("alice").await;
    for subject in ["alice", "nobody"] {
        let answer = service.mail_with(subject, &json!({ "email_verified": false }), &[]).await;
        assert_eq!((answer.status, answer.code().as_str()), (404, "not-set"));
    }
    let known = service.running.accounts().page(None, 10).await.unwrap();
    assert_eq!(known.len(), 1);
    assert_eq!(server.connections().0, 0);
}

#[tokio::test]
async fn an_address_that_could_be_read_in_two_ways_gets_nothing_and_costs_nothing_130_131() {
    let (service, server) = Service::start_mailing().await;
    service.provision(&json!({ "id": "alice", "email": "kept@example.org" })).await;
    let addresses = [
        json!("a@b, c@d"),
        json!("a@b,c@d"),
        json!("a@b c@d"),
        json!("a@b\0@evil.example"),
        json!("\"quoted\"@example.org"),
        json!("\"a b\"@example.org"),
        json!("-oQ/tmp@example.org"),
        json!(format!("{}@example.org", "a".repeat(320))),
        json!("ä@example.org"),
        json!("a@bücher.example"),
        json!("a@example.org\r\nBcc: eve@example.org"),
        json!("a@example.org\nRCPT TO:<eve@example.org>"),
        json!("a@example.org\u{2028}Bcc: eve@example.org"),
        json!("a@example.org\r\n.\r\nMAIL FROM:<eve@example.org>"),
        json!("Alice <a@example.org>"),
        json!("=?utf-8?q?a=0D=0ABcc:_eve=40example.org?= <a@example.org>"),
        json!("a@[127.0.0.1]"),
        json!(""),
    ];
    for address in &addresses {
        let answer = service.mail_with("alice", &json!({ "email": address }), &[]).await;
        assert_eq!((answer.status, answer.code().as_str()), (404, "not-set"), "{address}");
        assert!(!String::from_utf8_lossy(&answer.body).contains("example.org"), "{answer:?}");
    }
    assert_eq!(server.connections().0, 0);
    // What is no text at all is as if it were absent.
    let others: [Value; 3] = [json!(["a@example.org"]), json!({ "is": "a@example.org" }), json!(7)];
    for (number, address) in (0..).zip(&others) {
        assert_eq!(service.mail_with("alice", &json!({ "email": address }), &[]).await.status, 204);
        service.clock.advance(60);
        assert_eq!(server.mails().len(), number + 1);
        assert_eq!(server.mails()[number].recipients, ["TO:<kept@example.org>"], "{address}");
    }
}

#[tokio::test]
async fn a_name_in_a_token_gets_into_no_header_130() {
    let (service, server) = Service::start_mailing().await;
    for (number, name) in
        ["A\r\nBcc: eve@example.org", "A\nX-Evil: 1", "A\u{2028}Bcc: eve@example.org", "\r\n.\r\n"]
            .into_iter()
            .enumerate()
    {
        let changes = json!({ "name": name, "preferred_username": name, "given_name": name, "locale": name });
        let answer = service.mail_with(&format!("alice-{number}"), &changes, &[]).await;
        assert_eq!(answer.status, 204);
        let mail = server.mails().pop().unwrap();
        assert_eq!(mail.recipients.len(), 1);
        assert!(!mail.data.contains("vil") && !mail.data.contains("Bcc"), "{}", mail.data);
    }
}

/// What the envelope and the headers of a mail say, whole.
#[tokio::test]
async fn a_mail_has_one_recipient_and_the_headers_it_needs_140() {
    let (service, server) = Service::start_mailing().await;
    let address = "O'Brien+codes=!#$%&*@Mail-1.Example.ORG";
    assert_eq!(service.mail_with("alice", &json!({ "email": address }), &[]).await.status, 204);
    let envelope: Vec<_> = server.commands().into_iter().filter(|line| line.contains(':')).collect();
    assert_eq!(envelope, ["MAIL FROM:<no-reply@example.com>".to_owned(), format!("RCPT TO:<{address}>")]);
    let mail = &server.mails()[0];
    let lines = mail.head().split("\r\n").filter(|line| !line.starts_with(' '));
    let names: Vec<_> = lines.map(|line| line.split(": ").next().unwrap()).collect();
    assert_eq!(
        names,
        ["From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "MIME-Version", "Content-Type"]
    );
    assert_eq!(mail.header("To"), address);
    assert_eq!(mail.header("From"), "einmal <no-reply@example.com>");
    assert_eq!(mail.header("Subject"), "Your einmal code");
    assert_eq!(mail.header("Date"), "Fri, 15 Jan 2027 08:00:00 +0000");
    assert_eq!(mail.header("Auto-Submitted"), "auto-generated");
    let id = mail.header("Message-ID");
    assert!(id.starts_with('<') && id.ends_with("@example.com>") && id.len() > 28, "{id}");
    assert!(!mail.head().contains(&mail.code()));
    let kinds: Vec<_> = mail.data.lines().filter(|line| line.starts_with("Content-Type: text/")).collect();
    assert_eq!(kinds, ["Content-Type: text/plain; charset=utf-8", "Content-Type: text/html; charset=utf-8"]);
}
