//! Who gets in, and what the others are told (RFC 6750 section 3).

use super::client::Answer;
use super::server::{Server, probe};

async fn answer(server: &Server, authorization: &str) -> Answer {
    let request = probe("{\"otp\":\"1\"}").replace("Authorization: Bearer good\r\n", authorization);
    server.connect().await.request(request).await
}

const REALM: &str = r#"Bearer realm="einmal""#;
const INVALID: &str = r#"Bearer realm="einmal", error="invalid_token""#;

#[tokio::test]
async fn without_a_bearer_token_the_answer_names_the_scheme_alone() {
    let server = Server::start().await;
    for line in [
        "",
        "Authorization: Basic Z29vZA==\r\n",
        "Authorization: good\r\n",
        "Authorization:\r\n",
        "Authorization: Bearergood\r\n",
    ] {
        let answer = answer(&server, line).await;
        assert_eq!((answer.status, answer.code().as_str()), (401, "token-missing"), "{line}");
        assert_eq!(answer.header("www-authenticate"), Some(REALM));
    }
    assert_eq!(server.calls(), 0);
}

#[tokio::test]
async fn a_token_that_does_not_count_is_refused_without_a_reason() {
    let server = Server::start().await;
    for (line, code) in [
        ("Authorization: Bearer bad\r\n", "token-invalid"),
        ("Authorization: Bearer\r\n", "token-invalid"),
        ("Authorization: Bearer good good\r\n", "token-invalid"),
        ("Authorization: Bearer good,good\r\n", "token-invalid"),
        ("Authorization: Bearer good\r\nAuthorization: Bearer good\r\n", "token-invalid"),
        ("Authorization: Bearer good\r\nauthorization: Basic x\r\n", "token-invalid"),
        ("Authorization: Bearer \u{fc}\r\n", "token-invalid"),
        ("Authorization: Bearer expired\r\n", "token-expired"),
    ] {
        let answer = answer(&server, line).await;
        assert_eq!((answer.status, answer.code().as_str()), (401, code), "{line}");
        assert_eq!(answer.header("www-authenticate"), Some(INVALID));
        assert!(answer.error().get("detail").is_none());
    }
    assert_eq!(server.calls(), 0);
}

#[tokio::test]
async fn the_scheme_compares_without_case() {
    let server = Server::start().await;
    for scheme in ["Bearer", "bearer", "BEARER"] {
        assert_eq!(answer(&server, &format!("Authorization: {scheme} good\r\n")).await.status, 204);
    }
}

#[tokio::test]
async fn a_missing_scope_is_named() {
    let server = Server::start().await;
    let answer = answer(&server, "Authorization: Bearer without-scope\r\n").await;
    assert_eq!((answer.status, answer.code().as_str()), (403, "insufficient-scope"));
    let challenge = r#"Bearer realm="einmal", error="insufficient_scope", scope="user:probe""#;
    assert_eq!(answer.header("www-authenticate"), Some(challenge));
    assert!(answer.error()["detail"].as_str().unwrap().contains("user:probe"));
}

#[tokio::test]
async fn a_missing_linked_identity_has_the_documented_title() {
    let server = Server::start().await;
    let answer = answer(&server, "Authorization: Bearer unlinked\r\n").await;
    assert_eq!((answer.status, answer.code().as_str()), (401, "missing-linked-identity"));
    assert_eq!(answer.error()["title"], "Missing linked identity for authorized access");
    assert!(answer.header("www-authenticate").is_some());
}

#[tokio::test]
async fn a_token_that_cannot_be_judged_is_503_with_a_time_to_come_back() {
    let server = Server::start().await;
    let answer = answer(&server, "Authorization: Bearer unreachable\r\n").await;
    assert_eq!((answer.status, answer.code().as_str()), (503, "unavailable"));
    assert_eq!((answer.header("retry-after"), answer.header("www-authenticate")), (Some("30"), None));
}
