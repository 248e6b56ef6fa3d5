//! Passwords that the issuer judges, and the client secret that this needs: neither comes out of the real program,
//! whatever it logs and whatever the issuer says.

use crate::api::create_otp::CREATE;
use crate::harness::installation::{Installation, Serving};
use crate::harness::issuer::{Answer, GRANT};
use crate::harness::program::Run;
use data_encoding::{BASE64, BASE64URL_NOPAD};
use rustix::process::Signal;
use serde_json::{Value, json};
use std::fs;
use std::process::Command;

const SECRET: &str = "canary-client-secret";
const KEY: &str = "EINMAL__ISSUERS__0__PASSWORD__DIRECT_GRANT__";

fn with_direct_grant<'a>(command: &'a mut Command, url: &str) -> &'a mut Command {
    let settings = [
        ("TOKEN_URL", url),
        ("CLIENT_ID", "einmal"),
        ("USERNAME_CLAIM", "/name"),
        ("CLIENT_SECRET__FILE", "secret"),
    ];
    settings.into_iter().fold(command, |command, (key, value)| command.env(format!("{KEY}{key}"), value))
}

async fn create(serving: &Serving, token: &str, offered: &Value) -> (u16, String) {
    let request = serving.client.post(format!("http://{}{CREATE}", serving.address)).bearer_auth(token);
    let request = request.header("content-type", "application/json").body(offered.to_string());
    let answer = request.send().await.unwrap();
    let status = answer.status().as_u16();
    (status, format!("{:?}{}", answer.headers().clone(), answer.text().await.unwrap()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_password_user_name_or_token_of_the_issuer_comes_out_142() {
    let site = Installation::new().await;
    fs::write(site.path("secret"), format!("{SECRET}\n")).unwrap();
    let url = site.issuer.token_url();
    let mut command = site.einmal(&["serve"]);
    let serving =
        Serving::start(with_direct_grant(&mut command, &url).env("EINMAL__LOG__LEVEL", "trace")).await;
    serving.until_ready().await;

    let jwt =
        |sub: &str| site.key.token(&json!({ "iss": site.issuer.url(), "sub": sub, "nonce": "canary-nonce" }));
    let tokens = |sub: &str| {
        let (id_token, refresh) = (jwt(sub), "canary-refresh-token");
        Answer::Json(
            json!({ "access_token": "canary-access-token", "id_token": id_token, "refresh_token": refresh }),
        )
    };
    let text = |status, body: &str| Answer::Text { status, body: body.to_owned() };
    let no = json!({ "error": "invalid_grant", "error_description": "canary-description" }).to_string();
    let strange = json!({ "error": "canary-error" }).to_string();
    let answers = [
        (tokens("alice"), 201),
        (tokens("canary-bob"), 404),
        (text(400, &no), 404),
        (text(400, &strange), 503),
        (text(401, "{\"error\":\"invalid_client\",\"x\":\"canary\"}"), 503),
        (text(500, "canary-body"), 503),
        (text(200, "\"canary-body\""), 503),
        (Answer::HangUp, 503),
        (Answer::Redirect("http://canary/".to_owned()), 503),
    ];
    for (number, (answer, expected)) in answers.into_iter().enumerate() {
        site.issuer.answer(GRANT, answer);
        // Each of another account: five failures would bring a wait.
        let subject = if expected == 201 { "alice".to_owned() } else { format!("user-{number}") };
        let token = site.token_with(&subject, &json!({ "name": "canary-user" }));
        let (status, told) = create(&serving, &token, &json!({ "password": "canary-password" })).await;
        assert_eq!(status, expected, "{told}");
        assert!(!told.contains("canary"), "{told}");
    }
    let nameless = site.token("nameless");
    assert_eq!(create(&serving, &nameless, &json!({ "password": "canary-password" })).await.0, 404);
    let questions: Vec<_> =
        site.issuer.requests().into_iter().filter(|request| request.contains("canary-password")).collect();
    assert_eq!(questions.len(), 9);
    for question in questions {
        let (head, body) = question.split_once("\r\n\r\n").unwrap();
        assert!(body.contains("canary-user") && !head.contains("canary"), "{question}");
    }
    let metrics = serving.client.get(format!("http://{}/metrics", serving.management)).send().await.unwrap();
    assert!(!metrics.text().await.unwrap().contains("canary"));

    serving.program.signal(Signal::TERM);
    let Run { stdout, stderr, .. } = serving.program.ended().await;
    let written = stdout + &stderr;
    let payload = |sub: &str| jwt(sub).split('.').nth(1).unwrap().to_owned();
    for needle in [
        "canary".to_owned(),
        BASE64.encode(format!("einmal:{SECRET}").as_bytes()),
        BASE64.encode(SECRET.as_bytes()),
        BASE64URL_NOPAD.encode(b"canary-password"),
        payload("alice"),
        payload("canary-bob"),
    ] {
        assert!(!written.contains(&needle), "{needle} in {written}");
    }
    // That something was written about it at all.
    for line in ["could not be judged", "was another account's", "names no user"] {
        assert!(written.contains(line), "{line}: {written}");
    }
    for entry in fs::read_dir(site.directory.path()).unwrap().map(Result::unwrap) {
        if entry.file_name() != "secret" {
            let bytes = fs::read(entry.path()).unwrap();
            assert!(memchr::memmem::find(&bytes, b"canary").is_none(), "{:?}", entry.file_name());
        }
    }
}

#[tokio::test]
async fn a_faulty_direct_grant_is_told_without_its_secret() {
    let site = Installation::new().await;
    fs::write(site.path("secret"), SECRET).unwrap();
    let mut command = site.einmal(&["config", "print"]);
    let printed =
        Run::from(with_direct_grant(&mut command, "https://id.example.com/token").output().unwrap());
    assert_eq!(printed.code, Some(0), "{printed:?}");
    assert!(
        printed.stdout.contains("username_claim = \"/name\"") && !printed.stdout.contains("canary"),
        "{printed:?}"
    );
    for (key, value) in [
        ("TOKEN_URL", "http://id.example.com"),
        ("CLIENT_SECRET__FILE", "elsewhere"),
        ("USERNAME_CLAIM", "name"),
    ] {
        let mut command = site.einmal(&["config", "check"]);
        let command = with_direct_grant(&mut command, "https://id.example.com/token");
        assert_eq!(Run::from(command.output().unwrap()).code, Some(0));
        let run = Run::from(command.env(format!("{KEY}{key}"), value).output().unwrap());
        assert_eq!(run.code, Some(2), "{run:?}");
        assert!(run.stderr.contains(key) && !run.stderr.contains("canary"), "{run:?}");
    }
}
