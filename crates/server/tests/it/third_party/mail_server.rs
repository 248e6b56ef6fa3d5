//! Mails to another's mail server, read by another's library.

use super::peer;
use crate::harness::certificate::Certificate;
use crate::harness::installation::{Installation, Serving};
use crate::harness::mail::SENDMAIL;
use crate::harness::program::Program;
use serde_json::{Value, json};
use std::process::Command;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/third_party/mail_server.py");

fn lines(text: &str) -> Vec<Value> {
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

/// The mail as it was read there, and that its code is good.
async fn mailed(python: &std::path::Path, encryption: Option<(&str, &str)>, locale: &str) -> Value {
    let certificate = Certificate::new();
    let directory = tempfile::tempdir().unwrap();
    let files = certificate.write(directory.path());
    let mut command = Command::new(python);
    command.arg(SCRIPT);
    if let Some((user, password)) = encryption {
        command.arg(&files.certificate).arg(&files.key).args([user, password]);
    }
    let mut server = Program::start(&mut command);
    let port = server.printed("port", |text| lines(text).first()?["port"].as_u64()).await;
    let url = match encryption {
        None => format!("smtp://127.0.0.1:{port}"),
        Some((user, password)) => format!("smtp+starttls://{user}:{password}@127.0.0.1:{port}"),
    };
    let settings = format!("[mail]\nurl = \"{url}\"\nfrom = \"Motor-Werke Süd <no-reply@example.com>\"\n");
    let site = Installation::with(&format!("{settings}[totp]\nissuer_label = \"Motor-Werke Süd\"\n")).await;
    let serving = Serving::start(site.einmal(&["serve"]).env("SSL_CERT_FILE", &files.certificate)).await;
    serving.until_ready().await;
    let claims = json!({ "email": "alice@example.org", "email_verified": true, "locale": locale });
    let request = serving.client.post(format!("http://{}{SENDMAIL}", serving.address));
    let answer = request.bearer_auth(site.token_with("alice", &claims)).send().await.unwrap();
    assert_eq!(answer.status(), 204, "{}\n{}", serving.program.stdout(), server.stderr());
    let mail = server.printed("mail", |text| lines(text).get(1).cloned()).await;

    let is_code = |line: &&str| line.len() == 6 && line.bytes().all(|byte| byte.is_ascii_digit());
    let text = mail["parts"][0]["text"].as_str().unwrap();
    let code = text.lines().map(str::trim).find(is_code).unwrap_or_else(|| panic!("{text}"));
    assert!(mail["parts"][1]["text"].as_str().unwrap().contains(code));
    assert!(!mail["headers"].to_string().contains(code));
    let body = json!({ "otp": code, "types": ["login"] });
    let verified = serving.try_verify_with(&serving.client, &site.token("alice"), &body).await.unwrap();
    assert_eq!(verified.status(), 204);
    mail
}

fn header<'a>(mail: &'a Value, name: &str) -> &'a str {
    let headers = mail["headers"].as_array().unwrap();
    let mut found = headers.iter().filter(|header| header[0] == name);
    let value = found.next().unwrap_or_else(|| panic!("no {name}"))[1].as_str().unwrap();
    assert!(found.next().is_none(), "{name} twice");
    value
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mail_is_read_by_others_as_it_was_meant_140() {
    let Some(python) = peer("EINMAL_TEST_PYTHON", "the test with aiosmtpd") else { return };
    let mail = mailed(&python, None, "de").await;
    assert_eq!((&mail["from"], &mail["to"]), (&json!("no-reply@example.com"), &json!(["alice@example.org"])));
    assert_eq!((&mail["type"], &mail["defects"]), (&json!("multipart/alternative"), &json!([])));
    assert_eq!(header(&mail, "From"), "Motor-Werke Süd <no-reply@example.com>");
    assert_eq!(header(&mail, "To"), "alice@example.org");
    assert_eq!(header(&mail, "Subject"), "Ihr Code für Motor-Werke Süd");
    assert_eq!(header(&mail, "Auto-Submitted"), "auto-generated");
    let kinds: Vec<_> = mail["parts"].as_array().unwrap().iter().map(|part| &part["type"]).collect();
    assert_eq!(kinds, ["text/plain", "text/html"]);
    let text = mail["parts"][0]["text"].as_str().unwrap();
    assert!(text.contains("Er gilt einmal und 10 Minuten lang.") && text.contains("für Motor-Werke Süd"));
    assert!(mail["parts"][1]["text"].as_str().unwrap().contains("<html lang=\"de\">"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mail_goes_by_starttls_and_with_a_password_to_another_ones_server() {
    let Some(python) = peer("EINMAL_TEST_PYTHON", "the test with aiosmtpd and STARTTLS") else { return };
    let mail = mailed(&python, Some(("einmal", "geheim")), "en").await;
    assert_eq!(mail["user"], "einmal");
    assert_eq!(header(&mail, "Subject"), "Your Motor-Werke Süd code");
}
