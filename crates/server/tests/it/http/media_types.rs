//! Accept and Content-Type as clients write them, at the real operation. `negotiation.rs` has their place in the
//! order of checks.

use crate::harness::service::Service;

#[tokio::test]
async fn every_spelling_of_accept_is_200_or_406_and_a_406_spends_no_code_127() {
    let service = Service::start().await;
    service.provision_device("alice").await;
    let long = format!("text/html;x={}", "y".repeat(8 * 1024));
    let many = vec!["text/html"; 800].join(", ");
    let body = serde_json::json!({ "otp": service.code(0) }).to_string();
    let json = "Content-Type: application/json";
    for accept in [
        "text/html",
        "*/*;q=0",
        "application/json;q=0",
        "application/json;q=abc",
        "application/json;q=1.5",
        "application/json;q=-1",
        "application/json;q=0.0001",
        ";;",
        "json",
        "application",
        "/",
        "*/json",
        "\u{fc}",
        long.as_str(),
        many.as_str(),
    ] {
        let line = format!("Accept: {accept}");
        let answer = service.send(service.verify_request("alice", &[&line, json], &body)).await;
        assert_eq!((answer.status, answer.code().as_str()), (406, "not-acceptable"), "{accept}");
    }
    assert_eq!(service.failures("alice").await, 0);
    for lines in [
        &[][..],
        &["Accept:"],
        &["Accept: */*"],
        &["Accept: application/*"],
        &["Accept: application/json"],
        &["Accept: application/vnd.api+json"],
        &["Accept: APPLICATION/JSON; Q=0.001"],
        &["Accept: application/json;q=0, */*;q=0.1"],
        &["Accept: text/html", "Accept: application/json"],
        &["Accept: text/html, ,, */*"],
    ] {
        let body = serde_json::json!({ "otp": service.code(0) }).to_string();
        let headers = [lines, &[json]].concat();
        let answer = service.send(service.verify_request("alice", &headers, &body)).await;
        assert_eq!(answer.status, 204, "{lines:?}");
        service.clock.advance(30);
    }
}

#[tokio::test]
async fn every_spelling_of_the_content_type_is_taken_or_415_128() {
    let service = Service::start().await;
    service.provision_device("alice").await;
    let body = serde_json::json!({ "otp": service.code(0) }).to_string();
    for lines in [
        &[][..],
        &["Content-Type:"],
        &["Content-Type: json"],
        &["Content-Type: application/jsonx"],
        &["Content-Type: application/json, application/json"],
        &["Content-Type: application/json; charset=utf-16"],
        &["Content-Type: application/json", "Content-Type: application/vnd.api+json"],
        &["Content-Type: application/json", "Content-Type: text/plain"],
    ] {
        let answer = service.send(service.verify_request("alice", lines, &body)).await;
        assert_eq!((answer.status, answer.code().as_str()), (415, "unsupported-media-type"), "{lines:?}");
    }
    assert_eq!(service.failures("alice").await, 0);
    for kind in [
        "application/json",
        "APPLICATION/JSON",
        "Application/Json; Charset=UTF-8",
        "application/json;charset=\"utf-8\"",
        "application/vnd.api+json; charset=utf-8",
        "application/json; x=y",
    ] {
        let body = serde_json::json!({ "otp": service.code(0) }).to_string();
        let line = format!("Content-Type: {kind}");
        let answer = service.send(service.verify_request("alice", &[&line], &body)).await;
        assert_eq!(answer.status, 204, "{kind}");
        service.clock.advance(30);
    }
}
