//! What `POST /user/otp` takes and refuses before it looks at anything: the rules of every operation, and nothing counted.

use super::create_otp::{CREATE, PIN, service};
use crate::harness::wire::{JSON, request};
use serde_json::json;

const RIGHT: &str = r#"{"pin":"8299"}"#;

#[tokio::test]
async fn content_types_and_accepted_types_are_those_of_every_operation_52_56_127_128() {
    let service = service().await;
    let authorization = format!("Authorization: Bearer {}", service.token("alice"));
    for (headers, status) in [
        (vec!["Content-Type: application/json"], 201),
        (vec!["Content-Type: APPLICATION/JSON; Charset=UTF-8", "Accept: application/json"], 201),
        (vec!["Content-Type: application/vnd.api+json", "Accept: application/vnd.api+json"], 201),
        (vec!["Content-Type: application/json", "Accept: text/html, */*;q=0.1"], 201),
        (vec!["Content-Type: application/json", "Accept: text/html"], 406),
        (vec!["Content-Type: application/json", "Accept: */*;q=0"], 406),
        (vec![], 415),
        (vec!["Content-Type: text/plain"], 415),
        (vec!["Content-Type: application/x-www-form-urlencoded"], 415),
        (vec!["Content-Type: application/json; charset=utf-16"], 415),
        (vec!["Content-Type: application/json", "Content-Type: text/plain"], 415),
        (vec!["Content-Type: application/json", "Content-Encoding: gzip"], 415),
    ] {
        let headers: Vec<&str> = [&[authorization.as_str()], headers.as_slice()].concat();
        let answer = service.send(request(&format!("POST {CREATE}"), &headers, RIGHT.as_bytes())).await;
        assert_eq!(answer.status, status, "{headers:?}: {answer:?}");
        if status == 201 {
            assert_eq!(answer.header("content-type"), Some("application/json"));
        }
    }
    assert_eq!(service.proof_failures("alice").await, (0, 0));
}

#[tokio::test]
async fn a_body_that_is_no_json_object_of_a_fit_size_costs_nothing_40_41_43_49_53() {
    let service = service().await;
    let filled = |size: usize| {
        let rest = size - r#"{"pin":"8299","x":""}"#.len();
        format!(r#"{{"pin":"8299","x":"{}"}}"#, "x".repeat(rest))
    };
    for (body, status) in [
        (String::new(), 422),
        ("null".to_owned(), 422),
        ("[]".to_owned(), 422),
        ("\"8299\"".to_owned(), 422),
        (r#"{"pin":"8299""#.to_owned(), 422),
        (r#"{"pin":"8299","\u0070in":"8299"}"#.to_owned(), 422),
        (format!("\u{feff}{RIGHT}"), 422),
        (filled(16 * 1024), 201),
        (filled(16 * 1024 + 1), 413),
    ] {
        let answer = service.send(service.create_request("alice", &body)).await;
        assert_eq!(answer.status, status, "{} bytes: {answer:?}", body.len());
    }
    assert_eq!(service.proof_failures("alice").await, (0, 0));
}

#[tokio::test]
async fn it_is_there_for_post_alone_and_under_every_version() {
    let service = service().await;
    for method in ["GET", "PUT", "PATCH", "DELETE", "OPTIONS"] {
        let answer = service.send(request(&format!("{method} {CREATE}"), &[JSON], b"")).await;
        assert_eq!((answer.status, answer.header("allow")), (405, Some("POST")), "{method}");
    }
    for version in ["2020-4", "2023-1", "2025-1"] {
        let path = format!("/user/{version}/user/otp");
        let url = service.url(&path);
        let sent = service.client.post(url).bearer_auth(service.token("alice"));
        let sent = sent.header("content-type", "application/json").body(json!({ "pin": PIN }).to_string());
        assert_eq!(sent.send().await.unwrap().status(), 201, "{version}");
    }
}
