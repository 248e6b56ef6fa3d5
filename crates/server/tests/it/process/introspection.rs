//! Opaque tokens and the secret that introspection needs: neither comes out of the real program, whatever it logs.

use crate::harness::installation::{Installation, Serving, code_at, early_in_a_step, now, step};
use crate::harness::issuer::{Answer, INTROSPECTION};
use crate::harness::program::Run;
use data_encoding::BASE64;
use rustix::process::Signal;
use serde_json::json;
use std::fs;
use std::process::Command;

const SECRET: &str = "canary-client-secret";
const TOKENS: [&str; 3] = ["canary-active-token", "canary-revoked-token", "canary-lost-token"];

fn with_introspection<'a>(command: &'a mut Command, url: &str) -> &'a mut Command {
    command
        .env("EINMAL__ISSUERS__0__INTROSPECTION__URL", url)
        .env("EINMAL__ISSUERS__0__INTROSPECTION__CLIENT_ID", "einmal")
        .env("EINMAL__ISSUERS__0__INTROSPECTION__CLIENT_SECRET__FILE", "client.secret")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_opaque_token_and_no_client_secret_comes_out_142() {
    let site = Installation::new().await;
    site.import_device("alice");
    fs::write(site.path("client.secret"), format!("{SECRET}\n")).unwrap();
    let url = site.issuer.introspection_url();
    let mut command = site.einmal(&["serve"]);
    let command = with_introspection(&mut command, &url).env("EINMAL__LOG__LEVEL", "trace");
    let serving = Serving::start(command).await;
    serving.until_ready().await;
    early_in_a_step(5).await;
    let active = json!({ "active": true, "sub": "alice", "aud": "einmal", "scope": "user:otp:verify", "exp": now() + 60 });
    let answers = [
        (Answer::Json(active.clone()), 204),
        (Answer::Json(json!({ "active": false, "sub": "canary-sub" })), 401),
        (Answer::Text { status: 500, body: "canary-body".to_owned() }, 503),
    ];
    for (token, (answer, status)) in TOKENS.iter().zip(answers) {
        site.issuer.answer(INTROSPECTION, answer);
        let answer = serving.try_verify(token, &code_at(step())).await.unwrap();
        assert_eq!(answer.status(), status, "{token}");
        assert!(!format!("{:?}", answer.headers()).contains("canary"));
        assert!(!answer.text().await.unwrap().contains("canary"));
    }
    site.issuer.answer(INTROSPECTION, Answer::Text { status: 200, body: "\"canary-body\"".to_owned() });
    assert_eq!(serving.verify("canary-fourth-token", &code_at(step())).await, 503);
    for request in site.issuer.requests() {
        assert!(!request.lines().next().unwrap().contains("canary"), "{request}");
    }

    serving.program.signal(Signal::TERM);
    let Run { stdout, stderr, .. } = serving.program.ended().await;
    let written = stdout + &stderr;
    let basic = BASE64.encode(format!("einmal:{SECRET}").as_bytes());
    for needle in ["canary", basic.as_str(), &BASE64.encode(SECRET.as_bytes())] {
        assert!(!written.contains(needle), "{needle} in {written}");
    }
    // That something was written about it at all.
    assert!(written.contains("could not be introspected") && written.contains(&url), "{written}");
    for entry in fs::read_dir(site.directory.path()).unwrap().map(Result::unwrap) {
        if entry.file_name() != "client.secret" {
            let bytes = fs::read(entry.path()).unwrap();
            assert!(memchr::memmem::find(&bytes, b"canary").is_none(), "{:?}", entry.file_name());
        }
    }
}

#[tokio::test]
async fn a_faulty_introspection_is_told_without_its_secret() {
    let site = Installation::new().await;
    fs::write(site.path("client.secret"), SECRET).unwrap();
    for (name, value) in [
        ("EINMAL__ISSUERS__0__INTROSPECTION__URL", "http://id.example.com"),
        ("EINMAL__ISSUERS__0__INTROSPECTION__CLIENT_SECRET__FILE", "elsewhere"),
        ("EINMAL__ISSUERS__0__INTROSPECTION__MISSING_AUD", "maybe"),
    ] {
        let mut command = site.einmal(&["config", "check"]);
        let command = with_introspection(&mut command, "https://id.example.com/introspect");
        assert_eq!(Run::from(command.output().unwrap()).code, Some(0));
        let run = Run::from(command.env(name, value).output().unwrap());
        assert_eq!(run.code, Some(2), "{run:?}");
        assert!(run.stderr.contains(name) && !run.stderr.contains("canary"), "{run:?}");
    }
}
