//! One answer of each kind, whole: status, every header, every member. What changes here changes for clients.

use crate::harness::service::{Service, VERIFY};
use crate::harness::wire::{JSON, request};
use insta::assert_snapshot;
use serde_json::json;
use std::fs;

/// A service with a device of alice's.
async fn service_with(settings: &str) -> Service {
    let service = Service::start_with(settings).await;
    service.provision_device("alice").await;
    service
}

async fn service() -> Service {
    service_with("").await
}

/// With these header lines, and a body that is good.
async fn with_headers(service: &Service, headers: &[&str]) -> String {
    let body = json!({ "otp": service.code(0) }).to_string();
    service.send(request(&format!("POST {VERIFY}"), headers, body.as_bytes())).await.whole()
}

async fn exhaust(service: &Service, subject: &str) {
    for number in 0..5 {
        assert_eq!(service.verify(subject, &service.wrong_code(number)).await, 404);
    }
}

#[tokio::test]
async fn accepted_1() {
    let service = service().await;
    assert_snapshot!(service.answer("alice", &service.code(0)).await.whole());
}

#[tokio::test]
async fn not_a_valid_code() {
    let service = service().await;
    assert_snapshot!(service.answer("alice", &service.wrong_code(0)).await.whole());
}

#[tokio::test]
async fn too_early() {
    let service = service().await;
    exhaust(&service, "alice").await;
    service.clock.advance(11);
    assert_snapshot!(service.answer("alice", &service.code(0)).await.whole());
}

#[tokio::test]
async fn too_early_where_the_operator_wants_429() {
    let service = service_with("[throttle]\nstatus = 429").await;
    exhaust(&service, "alice").await;
    assert_snapshot!(service.answer("alice", &service.code(0)).await.whole());
}

#[tokio::test]
async fn without_a_token() {
    assert_snapshot!(with_headers(&service().await, &[JSON]).await);
}

#[tokio::test]
async fn with_a_bad_token() {
    assert_snapshot!(with_headers(&service().await, &[JSON, "Authorization: Bearer nonsense"]).await);
}

#[tokio::test]
async fn with_an_expired_token() {
    let service = service().await;
    let token = service.token_with("alice", &json!({ "exp": crate::harness::clock::NOW - 31 }));
    assert_snapshot!(with_headers(&service, &[JSON, &format!("Authorization: Bearer {token}")]).await);
}

#[tokio::test]
async fn without_the_linked_identity() {
    let linked = "linked_identity = { claim = \"/links\", provider = \"fleet\" }";
    let service = service_with(linked).await;
    let token = service.token("alice");
    assert_snapshot!(with_headers(&service, &[JSON, &format!("Authorization: Bearer {token}")]).await);
}

#[tokio::test]
async fn without_the_scope() {
    let service = service().await;
    let token = service.token_with("alice", &json!({ "scope": "user:otp:create" }));
    assert_snapshot!(with_headers(&service, &[JSON, &format!("Authorization: Bearer {token}")]).await);
}

#[tokio::test]
async fn at_an_unknown_path() {
    let service = service().await;
    assert_snapshot!(service.send(request("POST /user/2025-2/user/otp/verify", &[], b"")).await.whole());
}

#[tokio::test]
async fn with_another_method() {
    let service = service().await;
    assert_snapshot!(service.send(request(&format!("PUT {VERIFY}"), &[], b"")).await.whole());
}

#[tokio::test]
async fn with_an_accept_header_that_admits_no_json() {
    let service = service().await;
    let body = json!({ "otp": service.code(0) }).to_string();
    let request = service.verify_request("alice", &[JSON, "Accept: text/html"], body);
    assert_snapshot!(service.send(request).await.whole());
}

#[tokio::test]
async fn with_a_body_that_is_too_large() {
    let service = service().await;
    assert_snapshot!(service.post("alice", " ".repeat(20_000)).await.whole());
}

#[tokio::test]
async fn with_another_media_type() {
    let service = service().await;
    let request = service.verify_request("alice", &["Content-Type: text/plain"], "{}");
    assert_snapshot!(service.send(request).await.whole());
}

#[tokio::test]
async fn with_a_body_that_is_no_json() {
    let service = service().await;
    assert_snapshot!(service.post("alice", "{").await.whole());
}

#[tokio::test]
async fn with_several_faults_at_once() {
    let service = service().await;
    let body = json!({ "otp": 773_829, "types": ["sms", "totp", 5] });
    assert_snapshot!(service.post("alice", body.to_string()).await.whole());
}

#[tokio::test]
async fn without_an_otp() {
    let service = service().await;
    assert_snapshot!(service.post("alice", "{\"types\":[]}").await.whole());
}

#[tokio::test]
async fn while_the_store_is_gone() {
    let service = service().await;
    let away = service.directory.path().with_extension("away");
    fs::rename(service.directory.path(), &away).unwrap();
    let answer = service.answer("alice", &service.code(0)).await;
    fs::rename(&away, service.directory.path()).unwrap();
    assert_snapshot!(answer.whole());
}

#[tokio::test]
async fn with_a_row_that_is_damaged() {
    let service = service().await;
    let raw = rusqlite::Connection::open(service.database()).unwrap();
    raw.execute("UPDATE vault SET sealed = zeroblob(64)", ()).unwrap();
    assert_snapshot!(service.answer("alice", &service.code(0)).await.whole());
}

#[tokio::test]
async fn all_nine_versions_behave_alike_and_another_one_is_unknown() {
    let service = service().await;
    let versions = ["2020-4", "2021-2", "2022-1", "2023-1", "2024-1", "2024-2", "2024-3", "2024-4", "2025-1"];
    let send = async |version: &str, body: String| {
        let request = service.verify_request("alice", &[JSON], body);
        let request = String::from_utf8(request).unwrap().replacen("2025-1", version, 1);
        service.send(request).await.whole()
    };
    let mut expected = None;
    for version in versions {
        let good = json!({ "otp": service.code(0) }).to_string();
        let answers =
            [send(version, good.clone()).await, send(version, good).await, send(version, "{}".into()).await];
        assert!(
            answers.each_ref().map(|answer| &answer[..3]) == ["204", "404", "422"],
            "{version}: {answers:?}"
        );
        assert_eq!(expected.get_or_insert_with(|| answers.clone()), &answers, "{version}");
        service.clock.advance(30);
    }
    for version in ["2025-2", "2020-04", "latest"] {
        let answer = send(version, json!({ "otp": service.code(0) }).to_string()).await;
        assert!(answer.starts_with("404") && answer.contains("not-found"), "{version}: {answer}");
    }
}
