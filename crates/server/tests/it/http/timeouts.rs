//! Clients that are slow, silent or do not listen.

use super::server::{PROBE, Server, get_request, probe};
use einmal::http::Limits;
use std::time::Duration;
use tokio::time::{Instant, interval};

const SHORT: Duration = Duration::from_millis(300);
const LONG: Duration = Duration::from_secs(30);

fn patient() -> Limits {
    Limits { head: LONG, body: LONG, idle: LONG, write_stall: LONG, ..Limits::default() }
}

/// Sends a byte every few milliseconds until the other side has had enough, but not for ever.
async fn dribble(client: &mut super::client::Client, bytes: &[u8]) {
    let mut ticks = interval(SHORT / 20);
    for byte in bytes {
        tokio::select! {
            _ = ticks.tick() => {}
            readable = client.stream.readable() => return readable.unwrap(),
        }
        if !client.try_send([*byte]).await {
            return;
        }
    }
}

#[tokio::test]
async fn a_head_that_dribbles_in_is_given_up_after_the_header_timeout() {
    let server = Server::start_with(Limits { head: SHORT, ..patient() }, Duration::ZERO).await;
    let mut client = server.connect().await;
    let started = Instant::now();
    let endless = format!("GET / HTTP/1.1\r\nX: {}", "y".repeat(1000));
    dribble(&mut client, endless.as_bytes()).await;
    let answer = client.answer().await;
    assert_eq!((answer.status, answer.code().as_str()), (408, "request-timeout"));
    assert_eq!(answer.header("connection"), Some("close"));
    assert!(client.is_closed().await);
    assert!((SHORT..SHORT * 10).contains(&started.elapsed()), "{:?}", started.elapsed());
}

#[tokio::test]
async fn the_header_timeout_begins_anew_with_each_request_and_not_before_its_first_byte() {
    let server = Server::start_with(Limits { head: SHORT, ..patient() }, Duration::ZERO).await;
    let mut client = server.connect().await;
    assert_eq!(client.request(probe("{\"otp\":\"1\"}")).await.status, 204);
    tokio::time::sleep(SHORT * 2).await; // The connection is idle for longer than a head may take.
    let request = probe("{\"otp\":\"1\"}");
    let (first, second) = request.split_at(20);
    client.send(first).await;
    tokio::time::sleep(SHORT / 3).await;
    assert_eq!(client.request(second).await.status, 204);
    client.send(first).await;
    assert_eq!(client.answer().await.status, 408);
}

#[tokio::test]
async fn a_connection_without_a_request_is_closed_after_the_idle_timeout_without_a_word() {
    let server = Server::start_with(Limits { idle: SHORT, ..patient() }, Duration::ZERO).await;
    let started = Instant::now();
    let mut fresh = server.connect().await;
    assert!(fresh.is_closed().await);
    assert!((SHORT..SHORT * 10).contains(&started.elapsed()), "{:?}", started.elapsed());
    let mut used = server.connect().await;
    for _ in 0..4 {
        tokio::time::sleep(SHORT / 2).await; // Together longer than the timeout, each of them shorter.
        assert_eq!(used.request(probe("{\"otp\":\"1\"}")).await.status, 204);
    }
    let started = Instant::now();
    assert!(used.is_closed().await);
    assert!((SHORT..SHORT * 10).contains(&started.elapsed()), "{:?}", started.elapsed());
    let mut with_empty_lines = server.connect().await;
    dribble(&mut with_empty_lines, "\r\n".repeat(500).as_bytes()).await;
    assert!(with_empty_lines.is_closed().await);
}

#[tokio::test]
async fn no_timeout_of_reading_ends_a_request_that_is_being_worked_on() {
    let limits = Limits { idle: SHORT, head: SHORT, body: SHORT, ..patient() };
    let server = Server::start_with(limits, Duration::ZERO).await;
    let mut client = server.connect().await;
    client.send(get_request("/user/2025-1/wait")).await;
    tokio::time::sleep(SHORT * 3).await; // Long enough for any of them.
    server.gate.add_permits(1);
    assert_eq!(client.answer().await.status, 204);
    assert_eq!(client.request(probe("{\"otp\":\"1\"}")).await.status, 204);
}

#[tokio::test]
async fn a_body_that_does_not_come_is_408_and_the_end_of_the_connection() {
    let server = Server::start_with(Limits { body: SHORT, ..patient() }, Duration::ZERO).await;
    let head = |framing: &str| {
        format!(
            "POST {PROBE} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer good\r\n\
             Content-Type: application/json\r\n{framing}\r\n\r\n"
        )
    };
    for (head, body) in [
        (head("Content-Length: 1000"), ""),
        (head("Content-Length: 1000"), "{\"otp\":\"11111111111111111111111111111111111111111111111111"),
        (head("Transfer-Encoding: chunked"), "ff;11111111111111111111111111111111111111111111111111"),
        (head("Transfer-Encoding: chunked"), "1\r\n{\r\n"),
    ] {
        let mut client = server.connect().await;
        client.send(&head).await;
        let started = Instant::now();
        dribble(&mut client, body.as_bytes()).await;
        let answer = client.answer().await;
        assert_eq!((answer.status, answer.code().as_str()), (408, "request-timeout"), "{body}");
        assert_eq!(answer.header("connection"), Some("close"));
        assert!(client.is_closed().await);
        assert!((SHORT / 2..SHORT * 10).contains(&started.elapsed()), "{:?}", started.elapsed());
    }
    assert_eq!(server.calls(), 0);
}

#[tokio::test]
async fn a_client_that_does_not_read_its_answer_is_cut_off() {
    let limits = Limits { write_stall: SHORT, connections: 1, ..patient() };
    let server = Server::start_with(limits, Duration::ZERO).await;
    let mut deaf = server.connect().await;
    deaf.send(get_request("/user/2025-1/large")).await;
    // There is room for one connection, so the next one is served only when the first is gone.
    let mut next = server.connect().await;
    assert_eq!(next.request(probe("{\"otp\":\"1\"}")).await.status, 204);
    drop(deaf);
}

#[tokio::test]
async fn at_the_cap_a_further_connection_waits_until_another_one_ends() {
    let server = Server::start_with(Limits { connections: 2, ..patient() }, Duration::ZERO).await;
    let (mut first, mut second) = (server.connect().await, server.connect().await);
    assert_eq!(first.request(probe("{\"otp\":\"1\"}")).await.status, 204);
    assert_eq!(second.request(probe("{\"otp\":\"1\"}")).await.status, 204);
    let mut third = server.connect().await;
    third.send(probe("{\"otp\":\"1\"}")).await;
    assert!(tokio::time::timeout(SHORT, third.stream.readable()).await.is_err(), "served beyond the cap");
    drop(first);
    assert_eq!(third.answer().await.status, 204);
    assert_eq!(second.request(probe("{\"otp\":\"1\"}")).await.status, 204);
}
