//! The end of the service, within one process. `process.rs` has it with signals.

use super::server::{Server, get_request, probe};
use einmal::http::Limits;
use std::time::Duration;
use tokio::time::Instant;

const OTP: &str = "{\"otp\":\"1\"}";

#[tokio::test]
async fn until_the_drain_is_over_new_connections_are_served_and_told_to_close() {
    let server = Server::start_with(Limits::default(), Duration::from_millis(500)).await;
    let mut old = server.connect().await;
    assert_eq!(old.request(probe(OTP)).await.header("connection"), None);
    assert!(!server.shutdown.is_draining() && server.shutdown.deadline().is_none());
    server.shutdown.begin();
    assert!(server.shutdown.is_draining());
    let left = server.shutdown.deadline().unwrap() - Instant::now();
    assert!((Duration::from_secs(25)..=Duration::from_secs(30)).contains(&left));
    let mut new = server.connect().await;
    for client in [&mut old, &mut new] {
        let answer = client.request(probe(OTP)).await;
        assert_eq!((answer.status, answer.header("connection")), (204, Some("close")));
        assert!(client.is_closed().await);
    }
    server.ended().await;
}

#[tokio::test]
async fn an_idle_connection_is_closed_and_a_request_in_flight_is_answered() {
    let server = Server::start().await;
    let (mut fresh, mut used, mut waiting) =
        (server.connect().await, server.connect().await, server.connect().await);
    assert_eq!(used.request(probe(OTP)).await.status, 204);
    waiting.send(get_request("/user/2025-1/wait")).await;
    while server.calls() < 2 {
        tokio::task::yield_now().await;
    }
    server.shutdown.begin();
    assert!(fresh.is_closed().await);
    assert!(used.is_closed().await);
    server.gate.add_permits(1);
    let answer = waiting.answer().await;
    assert_eq!((answer.status, answer.header("connection")), (204, Some("close")));
    assert!(waiting.is_closed().await);
    let address = server.address;
    server.ended().await;
    assert!(tokio::net::TcpStream::connect(address).await.is_err(), "still listening");
}

#[tokio::test]
async fn a_request_that_has_begun_to_come_in_is_finished() {
    let server = Server::start().await;
    let mut client = server.connect().await;
    assert_eq!(client.request(probe(OTP)).await.status, 204);
    let request = probe(OTP);
    let (first, second) = request.split_at(30);
    client.send(first).await;
    server.shutdown.begin();
    let mut witness = server.connect().await;
    assert!(witness.is_closed().await, "the drain is over");
    assert_eq!(client.request(second).await.status, 204);
    server.ended().await;
}

/// What was sent before the end is in the kernel; that nobody has read it yet must not matter.
#[tokio::test]
async fn requests_that_nobody_has_read_yet_are_answered() {
    let server = Server::start().await;
    let mut clients = Vec::new();
    for _ in 0..100 {
        let mut client = server.connect().await;
        assert_eq!(client.request(probe(OTP)).await.status, 204);
        clients.push(client);
    }
    // One thread runs both sides, and until it is asked to read the answers nothing lets the server run.
    for client in &mut clients {
        assert_eq!(client.stream.try_write(probe(OTP).as_bytes()).unwrap(), probe(OTP).len());
    }
    server.shutdown.begin();
    for client in &mut clients {
        assert_eq!(client.answer().await.status, 204);
        assert!(client.is_closed().await);
    }
    server.ended().await;
}

#[tokio::test]
async fn connections_that_nobody_has_accepted_yet_are_served() {
    let server = Server::start_with(Limits { connections: 1, ..Limits::default() }, Duration::ZERO).await;
    let mut holder = server.connect().await;
    assert_eq!(holder.request(probe(OTP)).await.status, 204);
    let mut waiting = Vec::new();
    for _ in 0..20 {
        let mut client = server.connect().await;
        client.send(probe(OTP)).await;
        waiting.push(client);
    }
    server.shutdown.begin();
    for client in &mut waiting {
        assert_eq!(client.answer().await.status, 204);
        assert!(client.is_closed().await);
    }
    assert!(holder.is_closed().await);
    server.ended().await;
}
