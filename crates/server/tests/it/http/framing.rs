//! Requests whose end could be seen in two places, or that are no proper HTTP at all.

use super::server::{PROBE, Server, probe};

const START: &str = "POST /user/2025-1/probe HTTP/1.1\r\n";
const REST: &str = "Host: a\r\nAuthorization: Bearer good\r\nContent-Type: application/json\r\n";
const BODY: &str = "{\"otp\":\"1\"}";
const CHUNKED_BODY: &str = "b\r\n{\"otp\":\"1\"}\r\n0\r\n\r\n";

async fn assert_refused(server: &Server, request: &str) {
    let mut client = server.connect().await;
    let answer = client.request(request).await;
    assert_eq!((answer.status, answer.code().as_str()), (400, "bad-request"), "{request:?}");
    assert_eq!(answer.header("connection"), Some("close"), "{request:?}");
    assert!(client.is_closed().await, "{request:?}");
    assert_eq!(server.calls(), 0, "{request:?}");
}

#[tokio::test]
async fn a_request_with_both_transfer_encoding_and_content_length_is_refused() {
    let server = Server::start().await;
    for lines in [
        "Content-Length: 11\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 11\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 0\r\n",
        "transfer-encoding:chunked\r\nX-Y: z\r\ncontent-length:11\r\n",
    ] {
        assert_refused(&server, &format!("{START}{lines}{REST}\r\n{CHUNKED_BODY}")).await;
        assert_refused(&server, &format!("{START}{REST}{lines}\r\n{CHUNKED_BODY}")).await;
    }
}

#[tokio::test]
async fn a_transfer_encoding_other_than_one_plain_chunked_is_refused_193() {
    let server = Server::start().await;
    for lines in [
        "Transfer-Encoding: chunked, identity",
        "Transfer-Encoding: identity, chunked",
        "Transfer-Encoding: gzip, chunked",
        "Transfer-Encoding: chunked, chunked",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: xchunked",
        "Transfer-Encoding: identity",
        "Transfer-Encoding:\tchunked",
        "Transfer-Encoding: chunked\t",
        "Transfer-Encoding: \x0bchunked",
        "Transfer-Encoding: \"chunked\"",
        "Transfer-Encoding:",
        "Transfer-Encoding : chunked",
        "Transfer-Encoding\t: chunked",
        "Transfer-Encoding: chunked;a=b",
        " Transfer-Encoding: chunked",
    ] {
        assert_refused(&server, &format!("{START}{REST}{lines}\r\n\r\n{CHUNKED_BODY}")).await;
    }
    let http_1_0 = START.replace("HTTP/1.1", "HTTP/1.0");
    assert_refused(&server, &format!("{http_1_0}{REST}Transfer-Encoding: chunked\r\n\r\n{CHUNKED_BODY}"))
        .await;
}

#[tokio::test]
async fn a_content_length_that_is_no_single_number_is_refused_194() {
    let server = Server::start().await;
    for lines in [
        "Content-Length: +11",
        "Content-Length: 11,11",
        "Content-Length: 11, 11",
        "Content-Length: -1",
        "Content-Length: 0x5",
        "Content-Length: 11 11",
        "Content-Length: 11.0",
        "Content-Length:",
        "Content-Length: 18446744073709551614",
        "Content-Length: 18446744073709551615",
        "Content-Length: 18446744073709551616",
        "Content-Length: 99999999999999999999999999",
        "Content-Length: 11\r\nContent-Length: 12",
        "Content-Length: 11\r\nContent-Length: 11",
    ] {
        assert_refused(&server, &format!("{START}{REST}{lines}\r\n\r\n{BODY}")).await;
    }
}

#[tokio::test]
async fn a_head_with_broken_lines_is_refused_191() {
    let server = Server::start().await;
    for lines in [
        "X: a\r\n b",
        "X: a\r\n\tb",
        "X : a",
        "X: a\0b",
        "X\0: a",
        "X: a\rb",
        "X: a\nY: b",
        "X: a\n b",
        "X",
        ": a",
        "X Y: a",
    ] {
        assert_refused(&server, &format!("{START}{REST}Content-Length: 11\r\n{lines}\r\n\r\n{BODY}")).await;
        assert_refused(&server, &format!("{START}{lines}\r\n{REST}Content-Length: 11\r\n\r\n{BODY}")).await;
    }
    let all_bare = format!("{START}{REST}Content-Length: 11\r\n\r\n").replace("\r\n", "\n");
    assert_refused(&server, &format!("{all_bare}{BODY}")).await;
    assert_refused(&server, &format!("{START}{REST}Content-Length: 11\r\n\n{BODY}")).await;
}

#[tokio::test]
async fn a_broken_request_line_is_refused() {
    let server = Server::start().await;
    for line in [
        "POST",
        "POST /",
        "POST  / HTTP/1.1",
        "POST / HTTP/1.1 ",
        "POST / HTTP/2.0",
        "POST / HTTP/9.9",
        "POST / http/1.1",
        "P@ST\0 / HTTP/1.1",
        "POST /\0 HTTP/1.1",
        "POST /a b HTTP/1.1",
        "PRI * HTTP/2.0",
        "{\"otp\":\"1\"}",
        "\x16\x03\x01\x02",
    ] {
        assert_refused(&server, &format!("{line}\r\n{REST}\r\n")).await;
    }
}

#[tokio::test]
async fn a_request_without_one_valid_host_is_refused_190() {
    let server = Server::start().await;
    let rest = REST.replace("Host: a\r\n", "");
    for host in [
        "",
        "Host: a\r\nHost: a\r\n",
        "Host: a\r\nHost: b\r\n",
        "Host: a b\r\n",
        "Host: a/b\r\n",
        "Host: a@b\r\n",
        "Host: a,b\r\n",
        "Host: a\r\n Host: b\r\n",
        "Host: \u{fc}\r\n",
    ] {
        assert_refused(&server, &format!("{START}{host}{rest}Content-Length: 11\r\n\r\n{BODY}")).await;
    }
    for host in ["otp.example.com", "otp.example.com:8443", "127.0.0.1:80", "[::1]:8080", ""] {
        let request = format!("{START}Host: {host}\r\n{rest}Content-Length: 11\r\n\r\n{BODY}");
        assert_eq!(server.connect().await.request(request).await.status, 204, "{host}");
    }
}

#[tokio::test]
async fn another_host_in_the_request_target_has_no_effect_190() {
    let server = Server::start().await;
    let request = probe(BODY).replace(PROBE, &format!("http://evil.example{PROBE}"));
    assert_eq!(server.connect().await.request(request).await.status, 204);
}

#[tokio::test]
async fn a_request_of_http_1_0_needs_no_host_and_is_the_last_one() {
    let server = Server::start().await;
    let mut client = server.connect().await;
    let request = probe(BODY).replace("HTTP/1.1", "HTTP/1.0").replace("Host: a\r\n", "");
    assert_eq!(client.request(request).await.status, 204);
    assert!(client.is_closed().await);
}

#[tokio::test]
async fn a_hundred_header_lines_are_taken_and_one_more_is_not() {
    let server = Server::start().await;
    let with = |lines: usize| {
        let own = 4;
        let more = "X: y\r\n".repeat(lines - own);
        format!("{START}{REST}Content-Length: 11\r\n{more}\r\n{BODY}")
    };
    assert_eq!(server.connect().await.request(with(100)).await.status, 204);
    let mut client = server.connect().await;
    let answer = client.request(with(101)).await;
    assert_eq!((answer.status, answer.code().as_str()), (431, "headers-too-large"));
    assert!(client.is_closed().await);
}

#[tokio::test]
async fn a_head_of_more_than_64_kib_is_refused() {
    let server = Server::start().await;
    let with = |padding: usize| {
        let padding = "x".repeat(padding);
        format!("{START}{REST}Content-Length: 11\r\nX: {padding}\r\n\r\n{BODY}")
    };
    let own = with(0).len() - BODY.len();
    assert_eq!(server.connect().await.request(with(64 * 1024 - own)).await.status, 204);
    for padding in [64 * 1024 - own + 1, 80 * 1024, 1 << 20] {
        let mut client = server.connect().await;
        client.try_send(with(padding)).await;
        let answer = client.answer().await;
        assert_eq!((answer.status, answer.code().as_str()), (431, "headers-too-large"), "{padding}");
        assert!(client.is_closed().await);
    }
}

#[tokio::test]
async fn a_path_of_more_than_64_kib_is_refused_as_too_long_187() {
    let server = Server::start().await;
    let mut client = server.connect().await;
    let path = "a".repeat(70 * 1024);
    client.try_send(format!("GET /{path} HTTP/1.1\r\nHost: a\r\n\r\n")).await;
    let answer = client.answer().await;
    assert_eq!((answer.status, answer.code().as_str()), (414, "uri-too-long"));
    assert!(client.is_closed().await);
    let path = "a".repeat(60 * 1024);
    let answer = server.connect().await.request(format!("GET /{path} HTTP/1.1\r\nHost: a\r\n\r\n")).await;
    assert_eq!((answer.status, answer.code().as_str()), (404, "not-found"));
}
