//! In which language a mail is, and the operator's own templates.

use crate::harness::mail_server::MailServer;
use crate::harness::service::Service;
use serde_json::{Value, json};
use std::fs;

async fn subject(service: &Service, server: &MailServer, changes: &Value, headers: &[&str]) -> String {
    service.clock.advance(7_200);
    // Longer than a token of the test lives; each request has a fresh one.
    assert_eq!(service.mail_with("alice", changes, headers).await.status, 204);
    server.mails().pop().unwrap().header("Subject")
}

const GERMAN: &str = "Ihr Code =?utf-8?b?ZsO8cg==?= einmal";
const ENGLISH: &str = "Your einmal code";

#[tokio::test]
async fn the_token_says_the_language_else_the_client_else_it_is_english() {
    let (service, server) = Service::start_mailing().await;
    for (locale, headers, expected) in [
        (json!("de"), &[][..], GERMAN),
        (json!("de-AT"), &["Accept-Language: en"], GERMAN),
        (json!("de_CH"), &[], GERMAN),
        (json!("en"), &["Accept-Language: de"], ENGLISH),
        (json!("nl"), &["Accept-Language: de"], GERMAN),
        (json!(null), &["Accept-Language: de-DE, en;q=0.9"], GERMAN),
        (json!(null), &["Accept-Language: en;q=0.8, de;q=0.9"], GERMAN),
        (json!(null), &["Accept-Language: nl", "Accept-Language: de"], GERMAN),
        (json!(null), &["Accept-Language: de;q=0, en"], ENGLISH),
        (json!(null), &["Accept-Language: *"], ENGLISH),
        (json!(null), &["Accept-Language: ;q=,,,=;"], ENGLISH),
        (json!(null), &[], ENGLISH),
        (json!(["de"]), &[], ENGLISH),
        (json!(format!("de-{}", "a".repeat(32))), &[], GERMAN),
        (json!(format!("de-{}", "a".repeat(33))), &[], ENGLISH),
        (json!("../de"), &[], ENGLISH),
    ] {
        let found = subject(&service, &server, &json!({ "locale": locale }), headers).await;
        assert_eq!(found, expected, "{locale} {headers:?}");
    }
}

#[tokio::test]
async fn templates_of_the_operator_go_before_those_that_are_built_in() {
    let directory = tempfile::tempdir().unwrap();
    for (name, text) in [
        ("en.subject.txt", "{{ service }}: code inside"),
        // Lines that mean something to SMTP or to others, and one that is longer than a line may be.
        ("en.txt", "{{ code }}\n.\n..\n.x\nFrom here\n{{ 'long ' * 400 }}\n{{ minutes }}"),
        ("fr.subject.txt", "Votre code"),
        ("fr.txt", "{{ code }}\n"),
        ("fr.html", "<html lang=\"fr\"><b>{{ code }}</b></html>"),
    ] {
        fs::write(directory.path().join(name), text).unwrap();
    }
    let server = MailServer::start().await;
    let templates = format!("templates = {:?}\n", directory.path().to_str().unwrap());
    let service = Service::start_with(&format!(
        "{}{templates}[totp]\nissuer_label = \"Motor Works\"\n",
        server.settings()
    ))
    .await;
    assert_eq!(subject(&service, &server, &json!({}), &[]).await, "Motor Works: code inside");
    let mail = server.mails().pop().unwrap();
    assert!(mail.data.contains("\r\n.\r\n..\r\n.x\r\nFrom here\r\n"), "{}", mail.data);
    assert_eq!(service.log_in("alice", &mail.code()).await, 204);
    assert_eq!(subject(&service, &server, &json!({ "locale": "fr" }), &[]).await, "Votre code");
    assert!(server.mails().pop().unwrap().data.contains("<b>"));
    let german = subject(&service, &server, &json!({ "locale": "de" }), &[]).await;
    assert_eq!(german, "Ihr Code =?utf-8?b?ZsO8cg==?= Motor Works");
}
