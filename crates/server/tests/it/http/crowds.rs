//! Clients that come in crowds or do not wait: each costs what it may, and the others are served.

use super::client::{Client, statuses};
use super::server::{Server, get_request, probe};
use einmal::http::Limits;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::time::timeout;

const OTP: &str = "{\"otp\":\"1\"}";
const SHORT: Duration = Duration::from_millis(300);
const LONG: Duration = Duration::from_secs(30);

#[tokio::test]
async fn silent_connections_beyond_the_cap_give_way_to_one_that_asks() {
    let limits = Limits { connections: 20, idle: SHORT, head: LONG, ..Limits::default() };
    let server = Server::start_with(limits, Duration::ZERO).await;
    let mut silent = Vec::new();
    for _ in 0..100 {
        silent.push(server.connect().await);
    }
    assert_eq!(server.connect().await.request(probe(OTP)).await.status, 204);
    for mut client in silent {
        assert!(client.is_closed().await);
    }
}

#[tokio::test]
async fn clients_that_begin_a_request_and_stop_hold_their_places_for_the_header_timeout() {
    let limits = Limits { connections: 20, idle: LONG, head: SHORT, ..Limits::default() };
    let server = Server::start_with(limits, Duration::ZERO).await;
    let mut slow = Vec::new();
    for number in 0..60 {
        let mut client = server.connect().await;
        client.send(&get_request("/")[..=number % 20]).await;
        slow.push(client);
    }
    assert_eq!(server.connect().await.request(probe(OTP)).await.status, 204);
    for mut client in slow {
        assert_eq!(client.answer().await.code(), "request-timeout");
    }
}

/// A client that only writes is not read any more when it has as much to read as the sockets hold.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_whose_answers_nobody_reads_do_not_pile_up() {
    let server = Server::start_with(Limits { write_stall: LONG, ..Limits::default() }, Duration::ZERO).await;
    let mut flood = server.connect().await;
    let requests = probe(OTP).repeat(1_000);
    let mut sent = 0;
    loop {
        let before = server.calls();
        match timeout(SHORT * 3, flood.stream.write(&requests.as_bytes()[sent % requests.len()..])).await {
            Ok(length) => sent += length.unwrap(),
            Err(_) if server.calls() == before => break,
            // On a crowded machine the service is still about what it has read.
            Err(_) => {}
        }
        assert!(sent < 64 << 20, "it reads on without end");
    }
    let begun = server.calls();
    assert_eq!(server.connect().await.request(probe(OTP)).await.status, 204);
    assert_eq!(server.calls(), begun + 1, "nothing of the flood goes on");
    // Every request that was sent as a whole is answered as soon as somebody reads.
    let whole = sent / probe(OTP).len();
    let (reading, writing) = flood.stream.into_split();
    assert!(whole > 1_000 && statuses_of_a_flood(reading, whole).await == whole);
    drop(writing);
}

/// How many of so many answers are 204; the usual reader keeps all that it has read.
async fn statuses_of_a_flood(reading: tokio::net::tcp::OwnedReadHalf, count: usize) -> usize {
    use tokio::io::{AsyncBufReadExt, BufReader};
    let mut lines = BufReader::new(reading).lines();
    let mut right = 0;
    while right < count {
        let line = super::client::within_patience("an answer", lines.next_line()).await.unwrap();
        let line = line.expect("closed before the last answer");
        assert!(!line.starts_with("HTTP/") || line == "HTTP/1.1 204 No Content", "{line}");
        right += usize::from(line.starts_with("HTTP/"));
    }
    right
}

#[tokio::test]
async fn thousands_of_tiny_requests_in_one_piece_are_answered_one_by_one() {
    let server = Server::start().await;
    let client: Client = server.connect().await;
    let requests = "GET / HTTP/1.1\r\nHost:\r\n\r\n".repeat(3_000);
    let (reading, mut writing) = client.stream.into_split();
    let writer = tokio::spawn(async move {
        writing.write_all(requests.as_bytes()).await.unwrap();
        writing
    });
    let first = statuses(reading, 50).await;
    assert!(first.iter().all(|status| *status == 404));
    writer.abort();
}
