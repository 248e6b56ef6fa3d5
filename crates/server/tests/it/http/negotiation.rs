//! Media types, as far as unit tests beside the code cannot see them: their place in the order of checks.

use super::server::{Server, probe};

const OTP: &str = "{\"otp\":\"1\"}";

fn with(lines: &str) -> String {
    probe(OTP).replace("Host: a\r\n", &format!("Host: a\r\n{lines}\r\n"))
}

#[tokio::test]
async fn an_answer_that_the_client_does_not_take_is_406_and_nothing_happens_127() {
    let server = Server::start().await;
    let mut client = server.connect().await;
    for accept in ["text/html", "*/*;q=0", "application/json;q=abc", ";;"] {
        let answer = client.request(with(&format!("Accept: {accept}"))).await;
        assert_eq!((answer.status, answer.code().as_str()), (406, "not-acceptable"), "{accept}");
        assert_eq!(answer.error()["source"]["header"], "Accept");
    }
    assert_eq!(server.calls(), 0);
    for accept in ["", "*/*", "application/json;q=0, */*;q=0.1", "text/html\r\nAccept: application/json"] {
        assert_eq!(client.request(with(&format!("Accept: {accept}"))).await.status, 204, "{accept}");
    }
    let accept = "Accept: application/vnd.api+json; version=1";
    assert_eq!(client.request(with(accept)).await.status, 204);
    assert_eq!(client.request(with(accept).replace("/probe", "/json-api")).await.status, 406);
}

#[tokio::test]
async fn a_body_of_another_type_is_415_128() {
    let server = Server::start().await;
    let mut client = server.connect().await;
    let of_type = |content_type: &str| probe(OTP).replace("Content-Type: application/json\r\n", content_type);
    for lines in [
        "",
        "Content-Type: text/plain\r\n",
        "Content-Type: application/json; charset=utf-16\r\n",
        "Content-Type: application/json\r\nContent-Type: application/vnd.api+json\r\n",
        "Content-Type: application/json\r\nContent-Encoding: gzip\r\n",
    ] {
        let answer = client.request(of_type(lines)).await;
        assert_eq!((answer.status, answer.code().as_str()), (415, "unsupported-media-type"), "{lines}");
    }
    assert_eq!(server.calls(), 0);
    assert_eq!(
        client.request(of_type("content-type: Application/Vnd.Api+Json;charset=UTF-8\r\n")).await.status,
        204
    );
}

#[tokio::test]
async fn checks_come_in_the_order_of_the_contract() {
    let server = Server::start().await;
    // Everything about this request is wrong, and is mended one step at a time.
    let mut request = format!(
        "PUT /user/2025-2/probe HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer wrong\r\nAccept: text/html\r\n\
         Content-Type: text/html\r\nContent-Length: 20000\r\n\r\n{}",
        "[".repeat(20_000)
    );
    for (code, wrong, right) in [
        ("not-found", "2025-2", "2025-1"),
        ("method-not-allowed", "PUT", "POST"),
        ("token-invalid", "wrong", "unlinked"),
        ("missing-linked-identity", "unlinked", "without-scope"),
        ("insufficient-scope", "without-scope", "good"),
        ("not-acceptable", "Accept: text/html", "Accept: */*"),
        ("unsupported-media-type", "Content-Type: text/html", "Content-Type: application/json"),
        ("body-too-large", "20000", "2"),
        ("malformed-json", "[[", "{}"),
        ("missing-value", "{}", "{}"),
    ] {
        let mut client = server.connect().await;
        client.try_send(&request).await;
        assert_eq!(client.answer().await.code(), code);
        request = request.replacen(wrong, right, 1);
    }
}
