//! Mails of the real program: what only a process of its own shows, such as certificates that the system trusts, a
//! crash, and a start that fails.

use crate::harness::certificate::Certificate;
use crate::harness::installation::{Installation, Serving};
use crate::harness::mail::SENDMAIL;
use crate::harness::mail_server::{END, Encryption, MailServer, Reply};
use data_encoding::BASE64;
use serde_json::json;
use std::fs;
use std::time::{Duration, Instant};

/// With this URL, and trusting this certificate if there is one.
async fn serve(url: &str, trusted: Option<&str>) -> (Installation, Serving) {
    let settings = format!("[mail]\nurl = \"{url}\"\nfrom = \"no-reply@example.com\"\n");
    let site = Installation::with(&settings).await;
    let mut command = site.einmal(&["serve"]);
    if let Some(pem) = trusted {
        fs::write(site.path("trusted.pem"), pem).unwrap();
        command.env("SSL_CERT_FILE", site.path("trusted.pem"));
    }
    let serving = Serving::start(&mut command).await;
    serving.until_ready().await;
    (site, serving)
}

async fn mail(site: &Installation, serving: &Serving) -> u16 {
    let token = site.token_with("alice", &json!({ "email": "alice@example.org", "email_verified": true }));
    let request = serving.client.post(format!("http://{}{SENDMAIL}", serving.address)).bearer_auth(token);
    request.send().await.unwrap().status().as_u16()
}

async fn log_in(site: &Installation, serving: &Serving, code: &str) -> u16 {
    let body = json!({ "otp": code, "types": ["login"] });
    let answer = serving.try_verify_with(&serving.client, &site.token("alice"), &body).await;
    answer.unwrap().status().as_u16()
}

async fn encrypted(
    certificate: Certificate,
    is_implicit: bool,
    injected: &'static str,
) -> (MailServer, String) {
    let pem = certificate.pem.clone();
    let encryption = Encryption { certificate, is_implicit, injected };
    (MailServer::start_encrypted(Some(encryption)).await, pem)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_tls_user_and_password_are_given_to_the_server_that_the_system_trusts() {
    for (scheme, is_implicit) in [("smtps", true), ("smtp+starttls", false)] {
        let (server, pem) = encrypted(Certificate::new(), is_implicit, "").await;
        let url = format!("{scheme}://einmal%40example.com:p%3Ass@{}", server.address);
        let (site, serving) = serve(&url, Some(&pem)).await;
        assert_eq!(mail(&site, &serving).await, 204, "{scheme}: {}", serving.program.stdout());
        assert_eq!(log_in(&site, &serving, &server.mails()[0].code()).await, 204);
        let credentials = BASE64.encode(b"\0einmal@example.com\0p:ss");
        let commands = server.commands();
        assert!(commands.contains(&format!("AUTH PLAIN {credentials}")), "{commands:?}");
        let first = if is_implicit { "EHLO" } else { "STARTTLS" };
        let before = commands.iter().take_while(|line| !line.starts_with(first));
        assert!(before.clone().all(|line| line.starts_with("EHLO ")), "{commands:?}");
    }
}

/// All of it, once this is in it.
async fn log_with(serving: &mut Serving, part: &str) -> String {
    serving.program.printed(part, |log| log.contains(part).then(|| log.to_owned())).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_cannot_prove_its_name_gets_neither_password_nor_mail() {
    for (certificate, is_trusted) in
        [(Certificate::of("mail.example.com"), true), (Certificate::new(), false)]
    {
        for (scheme, is_implicit) in [("smtps", true), ("smtp+starttls", false)] {
            let certificate = Certificate {
                der: certificate.der.clone(),
                pem: certificate.pem.clone(),
                key_pem: certificate.key_pem.clone(),
            };
            let (server, pem) = encrypted(certificate, is_implicit, "").await;
            let url = format!("{scheme}://einmal:hunter2@{}", server.address);
            let (site, mut serving) =
                serve(&url, Some(&pem).filter(|_| is_trusted).map(String::as_str)).await;
            assert_eq!(mail(&site, &serving).await, 503, "{scheme}");
            let commands = server.commands();
            let is_harmless = |line: &String| line.starts_with("EHLO ") || line == "STARTTLS";
            assert!(commands.iter().all(is_harmless), "{commands:?}");
            let log = log_with(&mut serving, "certificate").await;
            assert!(!log.contains("hunter2"), "{log}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_without_starttls_gets_nothing_if_it_was_asked_for() {
    let server = MailServer::start().await;
    let (site, serving) = serve(&format!("smtp+starttls://einmal:hunter2@{}", server.address), None).await;
    assert_eq!(mail(&site, &serving).await, 503);
    let commands = server.commands();
    assert!(commands.len() == 1 && commands[0].starts_with("EHLO "), "{commands:?}");
}

/// As in CVE-2011-0411: an answer in clear, to be read as if it had come encrypted.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_came_in_clear_is_never_read_as_if_it_had_come_encrypted() {
    let injected = "250-mail.test\r\n250 AUTH LOGIN\r\n";
    let (server, pem) = encrypted(Certificate::new(), false, injected).await;
    let url = format!("smtp+starttls://einmal:hunter2@{}", server.address);
    let (site, serving) = serve(&url, Some(&pem)).await;
    assert_eq!(mail(&site, &serving).await, 503);
    let commands = server.commands();
    assert_eq!(commands.last().map(String::as_str), Some("STARTTLS"), "{commands:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_password_that_is_refused_is_503_and_not_in_the_log() {
    let (server, pem) = encrypted(Certificate::new(), true, "").await;
    server.reply("AUTH", Reply::Say("535 5.7.8 bad credentials for einmal:hunter2"));
    let (site, mut serving) = serve(&format!("smtps://einmal:hunter2@{}", server.address), Some(&pem)).await;
    assert_eq!(mail(&site, &serving).await, 503);
    let log = log_with(&mut serving, "AUTH: the mail server answered 535 5.7.8").await;
    assert!(!log.contains("hunter2"), "{log}");
}

/// It is killed when the mail server has the mail, and nobody knows that it has.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_kill_while_sending_one_code_is_good_and_no_storm_of_mails_follows_139() {
    let server = MailServer::start().await;
    let (site, serving) = serve(&format!("smtp://{}", server.address), None).await;
    server.reply(END, Reply::Silence);
    let token = site.token_with("alice", &json!({ "email": "alice@example.org", "email_verified": true }));
    let request = serving.client.post(format!("http://{}{SENDMAIL}", serving.address)).bearer_auth(token);
    let answer = tokio::spawn(request.send());
    server.until("mail", |server| server.mails().len() == 1).await;
    serving.program.kill();
    assert!(answer.await.unwrap().is_err());

    server.behave();
    let serving = site.serve().await;
    let lost = server.mails()[0].code();
    assert_eq!(log_in(&site, &serving, &lost).await, 404);
    // Nobody can know that its sender is gone: it keeps its place for 15 seconds.
    let started = Instant::now();
    let mut refused = 0;
    while mail(&site, &serving).await == 503 {
        refused += 1;
        assert!(started.elapsed() < Duration::from_secs(40), "no mail");
    }
    assert!((1..=2).contains(&refused), "{refused}");
    assert_eq!(server.mails().len(), 2);
    let code = server.mails()[1].code();
    if lost != code {
        assert_eq!(log_in(&site, &serving, &lost).await, 404);
    }
    assert_eq!(log_in(&site, &serving, &code).await, 204);
}

#[tokio::test]
async fn a_template_that_is_not_right_stops_the_start_and_is_told_by_the_check() {
    let settings =
        "[mail]\nurl = \"smtp://127.0.0.1:1\"\nfrom = \"no-reply@example.com\"\ntemplates = \"mail\"\n";
    let site = Installation::with(settings).await;
    fs::create_dir(site.path("mail")).unwrap();
    assert_eq!(site.run(&["config", "check"]).code, Some(0), "an empty one changes nothing");
    fs::write(site.path("mail/de.txt"), "{{ code }}\n{{ nmae }}\n").unwrap();
    fs::write(site.path("mail/fr.txt"), "{{ code }}\n").unwrap();
    for arguments in [&["config", "check"][..], &["serve"]] {
        let run = site.run(arguments);
        assert_eq!(run.code, Some(2), "{run:?}");
        assert!(run.stderr.contains("mail.templates: "), "{}", run.stderr);
        assert!(run.stderr.contains("fr.html: missing"), "{}", run.stderr);
    }
    for part in ["subject.txt", "html"] {
        fs::write(site.path(&format!("mail/fr.{part}")), "x").unwrap();
    }
    let run = site.run(&["config", "check"]);
    assert!(run.stderr.contains("de.txt:2: undefined value"), "{}", run.stderr);
    assert!(run.stderr.contains("fr.html: the code is not in it"), "{}", run.stderr);
}
