//! Other people's QR readers and authenticator apps: what they read is what was meant, and their codes are good.

use super::peer;
use crate::api::authenticators::{Begun, document};
use crate::api::devices::device_request;
use crate::harness::service::Service;
use data_encoding::BASE64;
use einmal::clock::Clock;
use serde_json::{Value, json};
use std::io::Write;
use std::process::{Command, Stdio};

/// Subject, label and claims of tokens, and what the app is to show. Colons are no part of a name in any app.
fn accounts() -> [(&'static str, &'static str, Value, &'static str); 5] {
    let email = |email: &str| json!({ "email": email, "email_verified": true });
    [
        ("alice", "", json!({}), "alice"),
        ("alice", "", email("jörg.müller+büro@example.com"), "jörg.müller+büro@example.com"),
        ("alice", "100% Büro & Co: Süd", json!({}), "100% Büro & Co  Süd"),
        ("alice", "?secret=AAAA#x/..%41=", json!({}), "?secret=AAAA#x/..%41="),
        ("alice", "日本語 😀", json!({}), "日本語 😀"),
    ]
}

const ISSUER: &str = "Wärme & Co / 50%";

/// What the program answers to one line of JSON.
fn answer(command: &mut Command, line: &Value) -> Value {
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(line.to_string().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

struct Enrolment {
    service: Service,
    token: String,
    begun: Begun,
    time: u64,
    /// With the account's name.
    shown: &'static str,
}

/// A pending authenticator for each of [`accounts`].
async fn enrolments() -> Vec<Enrolment> {
    let mut enrolments = Vec::new();
    for (subject, label, claims, shown) in accounts() {
        let service = Service::start_with(&format!("[totp]\nissuer_label = \"{ISSUER}\"")).await;
        service.provision(&json!({ "id": subject, "pin": "8299" })).await;
        let token = service.token_with(subject, &claims);
        let body = document(&json!({ "pin": "8299", "label": label })).to_string();
        let line = "POST /user/2025-1/user/authenticators";
        let begun = service.send(device_request(line, &token, &body)).await.begun();
        let time = service.clock.now().seconds();
        enrolments.push(Enrolment { service, token, begun, time, shown });
    }
    enrolments
}

impl Enrolment {
    /// Confirms it with this code, and verifies the one after it.
    async fn take(&self, code: &Value) {
        let confirmed = self.service.confirm("alice", &self.begun.id, code.as_str().unwrap()).await;
        assert_eq!(confirmed.status, 204, "{}", self.shown);
        let next = self.service.code_of(&self.begun.secret, 1);
        assert_eq!(self.service.verify_as("alice", &next, &["totp"]).await, 204);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_images_are_read_by_jsqr_and_the_uri_by_otplib_whose_code_is_good() {
    let Some(folder) = peer("EINMAL_TEST_NODE", "the test against jsQR and otplib") else { return };
    for enrolment in enrolments().await {
        let Enrolment { service, token, begun, time, shown } = &enrolment;
        let png = service.image(token, "GET", &begun.id, "image/png").await.body;
        let svg = service.image(token, "GET", &begun.id, "image/svg+xml").await.body;
        let line =
            json!({ "png": BASE64.encode(&png), "svg": String::from_utf8(svg).unwrap(), "time": time });
        let read = answer(Command::new("node").arg(folder.join("qr_codes.mjs")), &line);
        assert_eq!((&read["png"], &read["svg"]), (&json!(begun.uri), &json!(begun.uri)));
        assert_eq!(read["label"], format!("{ISSUER}:{shown}"));
        let params = &read["params"];
        assert_eq!((&read["type"], &params["secret"]), (&json!("totp"), &json!(begun.secret)));
        assert_eq!(params["issuer"], ISSUER);
        assert_eq!((&params["digits"], &params["period"]), (&json!(6), &json!(30)));
        enrolment.take(&read["code"]).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_uri_is_read_by_pyotp_whose_code_is_good() {
    let Some(python) = peer("EINMAL_TEST_PYTHON", "the test of URIs against pyotp") else { return };
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/third_party/otpauth_uri.py");
    for enrolment in enrolments().await {
        let Enrolment { begun, time, shown, .. } = &enrolment;
        let read = answer(Command::new(&python).arg(script), &json!({ "uri": begun.uri, "time": time }));
        assert_eq!((&read["name"], &read["issuer"]), (&json!(shown), &json!(ISSUER)), "{}", begun.uri);
        assert_eq!((&read["secret"], &read["algorithm"]), (&json!(begun.secret), &json!("sha1")));
        assert_eq!((&read["digits"], &read["period"]), (&json!(6), &json!(30)));
        enrolment.take(&read["code"]).await;
    }
}
