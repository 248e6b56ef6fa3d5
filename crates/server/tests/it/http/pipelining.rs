//! Several requests on one connection, however their bytes are cut.

use super::server::{PROBE, Server, get_request, probe};
use tokio::io::AsyncWriteExt;

fn chunked(body: &str) -> String {
    let half = body.len() / 2;
    let (first, second) = body.split_at(half);
    format!(
        "POST {PROBE} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer good\r\nContent-Type: application/json\r\n\
         Transfer-Encoding: chunked\r\n\r\n{:x}\r\n{first}\r\n{:X};a=\"b\"\r\n{second}\r\n00\r\nX: y\r\n\r\n",
        first.len(),
        second.len()
    )
}

#[tokio::test]
async fn a_chunked_body_is_read_and_the_connection_goes_on() {
    let server = Server::start().await;
    let mut client = server.connect().await;
    for _ in 0..3 {
        let answer = client.request(chunked("{\"otp\":\"123456\"}")).await;
        assert_eq!((answer.status, answer.header("connection")), (204, None));
        assert_eq!(client.request(probe("{\"otp\":\"123456\"}")).await.status, 204);
    }
    assert_eq!(server.calls(), 6);
}

#[tokio::test]
async fn requests_sent_without_waiting_are_answered_in_their_order() {
    let server = Server::start().await;
    let mut client = server.connect().await;
    let requests = [
        probe("{\"otp\":\"1\"}"),
        get_request("/user/2025-1/nowhere"),
        chunked("{\"otp\":\"22\"}"),
        "\r\n".to_owned() + &probe("{}"),
        get_request("/user/2025-1/read"),
        chunked("{}"),
        probe("{\"otp\":\"3\"}"),
    ];
    client.send(requests.concat()).await;
    for status in [204, 404, 204, 422, 200, 422, 204] {
        assert_eq!(client.answer().await.status, status);
    }
    assert_eq!(server.calls(), 3);
}

#[tokio::test]
async fn a_smuggled_framing_is_refused_in_a_later_request_too() {
    let server = Server::start().await;
    let broken = chunked("{\"otp\":\"1\"}").replace("Transfer-", "Content-Length: 5\r\nTransfer-");
    for before in [probe("{\"otp\":\"1\"}"), chunked("{\"otp\":\"1\"}"), get_request("/user/2025-1/read")] {
        let mut client = server.connect().await;
        client.send(format!("{before}{broken}{before}")).await;
        assert!(client.answer().await.status < 300);
        let answer = client.answer().await;
        assert_eq!((answer.status, answer.code().as_str()), (400, "bad-request"));
        assert!(client.is_closed().await, "nothing behind it is believed");
    }
}

#[tokio::test]
async fn a_head_that_hyper_refuses_gets_our_answer_in_a_later_request_too() {
    let server = Server::start().await;
    let mut client = server.connect().await;
    client.send(format!("{}GET / HTTP/1.1\r\nX : y\r\n\r\n", probe("{\"otp\":\"1\"}"))).await;
    assert_eq!(client.answer().await.status, 204);
    assert_eq!(client.answer().await.code(), "bad-request");
    assert!(client.is_closed().await);
}

#[tokio::test]
async fn a_body_that_looks_like_a_request_is_a_body() {
    let server = Server::start().await;
    let mut client = server.connect().await;
    let inner = probe("{}").replace("\r\n", "\\r\\n").replace('"', "\\\"");
    assert_eq!(client.request(probe(&format!("{{\"otp\":\"{inner}\"}}"))).await.status, 204);
    let raw = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n";
    assert_eq!(client.request(probe(raw)).await.code(), "malformed-json");
    assert_eq!(client.request(probe("{\"otp\":\"1\"}")).await.status, 204);
    assert_eq!(server.calls(), 2);
}

/// A generator of cuts that is the same in every run.
struct Cuts(u64);

impl Cuts {
    fn next(&mut self, below: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % below
    }
}

#[tokio::test]
async fn the_answers_do_not_depend_on_how_the_bytes_are_cut() {
    let server = Server::start().await;
    let mut cuts = Cuts(1);
    for _ in 0..60 {
        let mut bytes = Vec::new();
        let mut expected = Vec::new();
        for _ in 0..8 {
            let otp = "7".repeat(1 + cuts.next(3000));
            let (request, status) = match cuts.next(5) {
                0 => (probe(&format!("{{\"otp\":\"{otp}\"}}")), 204),
                1 => (chunked(&format!("{{\"otp\":\"{otp}\"}}")), 204),
                2 => (get_request("/user/2025-1/read"), 200),
                3 => (chunked("{\"otp\":7}"), 422),
                _ => (get_request("/nowhere"), 404),
            };
            bytes.extend_from_slice(request.as_bytes());
            expected.push(status);
        }
        let client = server.connect().await;
        let (reading, mut writing) = client.stream.into_split();
        let longest = 1 + cuts.next(600);
        let mut pieces = Vec::new();
        while !bytes.is_empty() {
            let rest = bytes.split_off((1 + cuts.next(longest)).min(bytes.len()));
            pieces.push(std::mem::replace(&mut bytes, rest));
        }
        let writer = tokio::spawn(async move {
            for piece in pieces {
                writing.write_all(&piece).await.unwrap();
                tokio::task::yield_now().await;
            }
            writing
        });
        let statuses = super::client::statuses(reading, expected.len()).await;
        assert_eq!(statuses, expected);
        drop(writer.await.unwrap());
    }
}

#[tokio::test]
async fn a_client_that_says_it_will_send_no_more_still_gets_its_answer() {
    let server = Server::start().await;
    let mut client = server.connect().await;
    client.send(get_request("/user/2025-1/wait")).await;
    client.stream.shutdown().await.unwrap();
    while server.calls() == 0 {
        tokio::task::yield_now().await;
    }
    server.gate.add_permits(1);
    assert_eq!(client.answer().await.status, 204);
    assert!(client.is_closed().await);
}

#[tokio::test]
async fn an_upgrade_is_declined_by_answering_as_if_it_were_not_there() {
    let server = Server::start().await;
    let mut client = server.connect().await;
    let upgrade =
        "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n";
    let request = probe("{\"otp\":\"1\"}").replace("Host: a\r\n", &format!("Host: a\r\n{upgrade}"));
    for _ in 0..2 {
        assert_eq!(client.request(&request).await.status, 204);
    }
}
