//! HTTP/2 in clear, by prior knowledge: what holds over HTTP/1.1 holds here. `http2_abuse.rs` has what clients
//! should not do.

use super::client::{Client, within_patience};
use super::server::{PROBE, Server, probe};
use super::streams::{JSON, Streams, answer, request};
use axum::body::Bytes;
use einmal::http::Limits;
use h2::Reason;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::time::Instant;

const OTP: &str = "{\"otp\":\"1\"}";
const SHORT: Duration = Duration::from_millis(300);
const LONG: Duration = Duration::from_secs(30);

fn patient() -> Limits {
    Limits { head: LONG, body: LONG, idle: LONG, write_stall: LONG, ..Limits::default() }
}

#[tokio::test]
async fn a_request_is_answered_as_over_http_1_1() {
    let server = Server::start().await;
    let (client, _) = Streams::connect(server.address).await;
    let accepted = client.request(request("POST", PROBE, &[JSON]), OTP).await;
    assert_eq!((accepted.status, accepted.header("content-type")), (204, None));
    assert_eq!(accepted.header("content-length"), None);
    accepted.assert_has_common_headers();
    let mut by_http1 = server.connect().await;
    for (method, path, body) in [
        ("POST", PROBE, "{\"otp\":5}"),
        ("POST", PROBE, "{"),
        ("PUT", PROBE, OTP),
        ("OPTIONS", "/user/2025-1/read", ""),
        ("GET", "/user/2025-1/nowhere", ""),
        ("GET", "/user/2025-1/broken", ""),
        ("GET", "/user/2025-1/read", ""),
        ("GET", "/docs/errors", ""),
    ] {
        let answer = client.request(request(method, path, &[JSON, ("request-id", "same")]), body).await;
        let length = body.len();
        let other = by_http1
            .request(format!(
                "{method} {path} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer good\r\nRequest-Id: same\r\n\
                 Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
            ))
            .await;
        assert_eq!((answer.status, &answer.body), (other.status, &other.body), "{method} {path}");
        for name in ["content-type", "content-length", "allow", "request-id", "cache-control"] {
            assert_eq!(answer.header(name), other.header(name), "{method} {path} {name}");
        }
        answer.assert_has_common_headers();
    }
    assert_eq!(server.calls(), 1);
}

#[tokio::test]
async fn head_is_get_without_a_body_over_http_2() {
    let server = Server::start().await;
    let (client, _) = Streams::connect(server.address).await;
    for path in ["/user/2025-1/read", "/user/2025-1/nowhere", "/docs/errors"] {
        let get = client.request(request("GET", path, &[]), "").await;
        let head = client.request(request("HEAD", path, &[]), "").await;
        assert_eq!((head.status, head.body.len()), (get.status, 0), "{path}");
        for name in ["content-type", "content-length"] {
            assert!(get.header(name).is_some() && head.header(name) == get.header(name), "{path} {name}");
        }
    }
}

#[tokio::test]
async fn checks_come_in_the_order_of_the_contract_over_http_2() {
    let server = Server::start().await;
    let (client, _) = Streams::connect(server.address).await;
    let long = "[".repeat(20_000);
    let html = ("content-type", "text/html");
    for (path, method, token, accept, kind, body, code) in [
        ("/user/2025-2/probe", "PUT", "wrong", "text/html", html, long.as_str(), "not-found"),
        (PROBE, "PUT", "wrong", "text/html", html, &long, "method-not-allowed"),
        (PROBE, "POST", "wrong", "text/html", html, &long, "token-invalid"),
        (PROBE, "POST", "unlinked", "text/html", html, &long, "missing-linked-identity"),
        (PROBE, "POST", "without-scope", "text/html", html, &long, "insufficient-scope"),
        (PROBE, "POST", "good", "text/html", html, &long, "not-acceptable"),
        (PROBE, "POST", "good", "*/*", html, &long, "unsupported-media-type"),
        (PROBE, "POST", "good", "*/*", JSON, &long, "body-too-large"),
        (PROBE, "POST", "good", "*/*", JSON, "[[", "malformed-json"),
        (PROBE, "POST", "good", "*/*", JSON, "{}", "missing-value"),
    ] {
        let token = format!("Bearer {token}");
        let headers = [("authorization", token.as_str()), ("accept", accept), kind];
        let answer = client.request(request(method, path, &headers), body).await;
        assert_eq!(answer.code(), code);
        assert_eq!(answer.header("connection"), None, "a stream ends by itself");
    }
    assert_eq!(client.probe(OTP).await, 204, "and the connection goes on");
    assert_eq!(server.calls(), 1);
}

#[tokio::test]
async fn a_preface_that_comes_byte_by_byte_is_one_and_half_of_one_is_a_bad_request() {
    let server = Server::start().await;
    let (mut ours, theirs) = tokio::io::duplex(1 << 16);
    let stream = tokio::net::TcpStream::connect(server.address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let (mut reading, mut writing) = stream.into_split();
    let (mut from_client, mut to_client) = tokio::io::split(theirs);
    tokio::spawn(async move { tokio::io::copy(&mut reading, &mut to_client).await });
    tokio::spawn(async move {
        use tokio::io::AsyncReadExt;
        while let Ok(byte) = from_client.read_u8().await {
            writing.write_all(&[byte]).await.unwrap();
            tokio::task::yield_now().await;
        }
    });
    ours.flush().await.unwrap();
    let (client, _) = Streams::over(ours).await;
    assert_eq!(client.probe(OTP).await, 204);

    let mut half = server.connect().await;
    half.send("PRI * HTTP/2.0\r\n\r\nS").await;
    half.stream.shutdown().await.unwrap();
    assert_eq!(half.answer().await.code(), "bad-request");
    let mut other = server.connect().await;
    for piece in ["P", "R", "I /", " HTTP/1.1\r\nHost: a\r\n\r\n"] {
        other.send(piece).await;
        tokio::task::yield_now().await;
    }
    assert_eq!(other.answer().await.code(), "not-found", "a method that begins like it");
}

#[tokio::test]
async fn a_preface_that_dribbles_in_is_given_up_after_the_header_timeout() {
    let server = Server::start_with(Limits { head: SHORT, ..patient() }, Duration::ZERO).await;
    let mut client = server.connect().await;
    client.send("PRI * HTTP/2.0\r\n").await;
    assert_eq!(client.answer().await.code(), "request-timeout");
    assert!(client.is_closed().await);
}

#[tokio::test]
async fn a_body_is_asked_for_only_when_the_token_is_good_over_http_2() {
    let server = Server::start().await;
    let (client, _) = Streams::connect(server.address).await;
    let expecting = |token| {
        let token = format!("Bearer {token}");
        request("POST", PROBE, &[JSON, ("expect", "100-continue"), ("authorization", &token)])
    };
    let (mut response, mut sending) = client.begin(expecting("good"), true).await;
    let interim = std::future::poll_fn(|cx| response.poll_informational(cx));
    let interim = within_patience("100", interim).await.unwrap().unwrap();
    assert_eq!(interim.status(), 100);
    sending.send_data(Bytes::from_static(OTP.as_bytes()), true).unwrap();
    assert_eq!(answer(response).await.unwrap().status, 204);
    let (mut response, _sending) = client.begin(expecting("wrong"), true).await;
    let interim = std::future::poll_fn(|cx| response.poll_informational(cx));
    assert!(within_patience("no 100", interim).await.is_none());
    assert_eq!(answer(response).await.unwrap().code(), "token-invalid");
}

#[tokio::test]
async fn a_body_that_does_not_come_is_408_and_other_streams_go_on() {
    let server = Server::start_with(Limits { body: SHORT, ..patient() }, Duration::ZERO).await;
    let (client, _) = Streams::connect(server.address).await;
    for begun in ["", "{\"otp\":"] {
        let started = Instant::now();
        let (response, mut sending) = client.begin(request("POST", PROBE, &[JSON]), true).await;
        sending.send_data(Bytes::copy_from_slice(begun.as_bytes()), false).unwrap();
        let answer = answer(response).await.unwrap();
        assert_eq!((answer.status, answer.code().as_str()), (408, "request-timeout"));
        assert!((SHORT..SHORT * 10).contains(&started.elapsed()), "{:?}", started.elapsed());
    }
    assert_eq!(client.probe(OTP).await, 204);
    assert_eq!(server.calls(), 1);
}

#[tokio::test]
async fn an_idle_connection_is_told_and_closed_and_a_busy_one_is_not() {
    let server = Server::start_with(Limits { idle: SHORT, ..patient() }, Duration::ZERO).await;
    let started = Instant::now();
    let (_fresh, ended) = Streams::connect(server.address).await;
    within_patience("closing", ended).await.unwrap().unwrap();
    assert!((SHORT..SHORT * 10).contains(&started.elapsed()), "{:?}", started.elapsed());

    let (client, ended) = Streams::connect(server.address).await;
    let (response, _) = client.begin(request("GET", "/user/2025-1/wait", &[]), false).await;
    tokio::time::sleep(SHORT * 3).await; // Longer than it may be idle.
    server.gate.add_permits(1);
    assert_eq!(answer(response).await.unwrap().status, 204);
    let answered = Instant::now();
    within_patience("closing", ended).await.unwrap().unwrap();
    assert!((SHORT / 2..SHORT * 10).contains(&answered.elapsed()), "{:?}", answered.elapsed());
}

#[tokio::test]
async fn a_client_that_does_not_make_room_for_its_answer_is_cut_off() {
    let server = Server::start_with(Limits { idle: SHORT, ..patient() }, Duration::ZERO).await;
    let (client, _) = Streams::connect(server.address).await;
    let (response, _) = client.begin(request("GET", "/user/2025-1/large", &[]), false).await;
    let mut body = within_patience("the head", response).await.unwrap().into_body();
    let mut seen = 0;
    let error = loop {
        match within_patience("being cut off", body.data()).await.unwrap() {
            Ok(data) => seen += data.len(), // And no room is made for more.
            Err(error) => break error,
        }
    };
    assert!(seen <= 65_535, "{seen}");
    assert_eq!(error.reason(), Some(Reason::CANCEL));
}

#[tokio::test]
async fn a_large_answer_comes_whole() {
    let server = Server::start().await;
    let (client, _) = Streams::connect(server.address).await;
    let large = client.request(request("GET", "/user/2025-1/large", &[]), "").await;
    assert_eq!((large.status, large.body.len()), (200, 64 << 20));
}

#[tokio::test]
async fn at_the_end_the_client_is_told_and_what_is_in_flight_is_finished() {
    let server = Server::start().await;
    let (client, ended) = Streams::connect(server.address).await;
    let (_idle, idle_ended) = Streams::connect(server.address).await;
    let (waiting, _) = client.begin(request("GET", "/user/2025-1/wait", &[]), false).await;
    let (half, mut sending) = client.begin(request("POST", PROBE, &[JSON]), true).await;
    while server.calls() < 1 {
        tokio::task::yield_now().await;
    }
    server.shutdown.begin();
    within_patience("closing", idle_ended).await.unwrap().unwrap();
    sending.send_data(Bytes::from_static(OTP.as_bytes()), true).unwrap();
    assert_eq!(answer(half).await.unwrap().status, 204);
    server.gate.add_permits(1);
    assert_eq!(answer(waiting).await.unwrap().status, 204);
    drop(client);
    within_patience("closing", ended).await.unwrap().unwrap();
    server.ended().await;
}

#[tokio::test]
async fn until_the_drain_is_over_new_streams_are_answered() {
    let server = Server::start_with(Limits::default(), Duration::from_millis(500)).await;
    let (client, ended) = Streams::connect(server.address).await;
    server.shutdown.begin();
    assert_eq!(client.probe(OTP).await, 204);
    let (new, _) = Streams::connect(server.address).await;
    assert_eq!(new.probe(OTP).await, 204);
    let answer = Client::connect(server.address).await.request(probe(OTP)).await;
    assert_eq!((answer.status, answer.header("connection")), (204, Some("close")));
    drop((client, new));
    within_patience("closing", ended).await.unwrap().unwrap();
    server.ended().await;
}
