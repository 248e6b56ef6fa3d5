//! Bodies: their size and how they are announced.

use super::server::{PROBE, Server, probe};

const LIMIT: usize = 16 * 1024;

fn head(framing: &str) -> String {
    format!(
        "POST {PROBE} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer good\r\n\
         Content-Type: application/json\r\n{framing}\r\n\r\n"
    )
}

fn body_of(length: usize) -> String {
    let start = "{\"otp\":\"1\",\"x\":\"";
    format!("{start}{}\"}}", "y".repeat(length - start.len() - 2))
}

fn in_chunks_of(size: usize, body: &str) -> String {
    let chunks = body.as_bytes().chunks(size);
    let chunks =
        chunks.map(|chunk| format!("{:x}\r\n{}\r\n", chunk.len(), std::str::from_utf8(chunk).unwrap()));
    format!("{}{}0\r\n\r\n", head("Transfer-Encoding: chunked"), chunks.collect::<String>())
}

#[tokio::test]
async fn a_body_of_the_limit_is_taken_and_one_byte_more_is_not() {
    let server = Server::start().await;
    let at_limit = body_of(LIMIT);
    for request in [
        probe(&at_limit),
        in_chunks_of(LIMIT, &at_limit),
        in_chunks_of(1000, &at_limit),
        in_chunks_of(1, &at_limit),
    ] {
        assert_eq!(server.connect().await.request(request).await.status, 204);
    }
    for length in [LIMIT + 1, 100_000, 5_000_000] {
        let beyond = body_of(length);
        for request in [probe(&beyond), in_chunks_of(length, &beyond), in_chunks_of(1000, &beyond)] {
            let mut client = server.connect().await;
            assert!(
                client.try_send(request).await,
                "the rest is read, or else a reset could overtake the answer"
            );
            let answer = client.answer().await;
            assert_eq!((answer.status, answer.code().as_str()), (413, "body-too-large"), "{length}");
            assert_eq!(answer.header("connection"), Some("close"));
            assert!(client.is_closed().await);
        }
    }
    assert_eq!(server.calls(), 4);
}

#[tokio::test]
async fn a_body_too_large_by_its_announcement_is_refused_before_it_comes() {
    let server = Server::start().await;
    for length in ["16385", "18446744073709551000"] {
        let answer = server.connect().await.request(head(&format!("Content-Length: {length}"))).await;
        assert_eq!(answer.code(), "body-too-large", "{length}");
    }
}

#[tokio::test]
async fn an_empty_body_is_malformed_json() {
    let server = Server::start().await;
    let mut client = server.connect().await;
    for request in [probe(""), head("X: y"), format!("{}0\r\n\r\n", head("Transfer-Encoding: chunked"))] {
        let answer = client.request(request).await;
        assert_eq!((answer.status, answer.code().as_str()), (422, "malformed-json"));
    }
    let without_type = head("Content-Length: 0").replace("Content-Type: application/json\r\n", "");
    assert_eq!(client.request(without_type).await.code(), "malformed-json");
}

#[tokio::test]
async fn a_broken_chunked_coding_is_refused_and_ends_the_connection() {
    let server = Server::start().await;
    for body in [
        "g\r\n{}\r\n0\r\n\r\n",
        "-1\r\n{}\r\n0\r\n\r\n",
        "2\r\n{}x\r\n0\r\n\r\n",
        "2 2\r\n{}\r\n0\r\n\r\n",
        "\r\n{}\r\n0\r\n\r\n",
        "ffffffffffffffffff\r\n{}\r\n0\r\n\r\n",
        "0x2\r\n{}\r\n0\r\n\r\n",
        "2\n{}\n0\n\n",
    ] {
        let mut client = server.connect().await;
        let answer = client.request(format!("{}{body}", head("Transfer-Encoding: chunked"))).await;
        assert_eq!((answer.status, answer.code().as_str()), (400, "bad-request"), "{body:?}");
        assert!(client.is_closed().await, "{body:?}");
    }
    assert_eq!(server.calls(), 0);
}

#[tokio::test]
async fn a_body_that_ends_early_is_no_body() {
    use tokio::io::AsyncWriteExt;
    let server = Server::start().await;
    for (framing, body) in [
        ("Content-Length: 12", "{\"otp\":\"1\"}"),
        ("Transfer-Encoding: chunked", "b\r\n{\"otp\":\"1\"}\r\n"),
    ] {
        let mut client = server.connect().await;
        client.send(format!("{}{body}", head(framing))).await;
        client.stream.shutdown().await.unwrap();
        assert_eq!(client.answer().await.status, 400);
        assert!(client.is_closed().await);
    }
    assert_eq!(server.calls(), 0);
}

#[tokio::test]
async fn a_body_is_asked_for_only_when_the_token_is_good() {
    let server = Server::start().await;
    let request = head("Content-Length: 11\r\nExpect: 100-continue");
    let mut client = server.connect().await;
    assert_eq!(client.request(&request).await.status, 100);
    assert_eq!(client.request("{\"otp\":\"1\"}").await.status, 204);
    assert_eq!(client.request(&request).await.status, 100);
    assert_eq!(client.request("{\"otp\":\"1\"}").await.status, 204);
    let mut client = server.connect().await;
    assert_eq!(client.request(request.replace("good", "wrong")).await.code(), "token-invalid");
    assert!(client.is_closed().await, "the body may or may not come");
}

#[tokio::test]
async fn an_operation_without_a_body_ignores_one() {
    let server = Server::start().await;
    let mut client = server.connect().await;
    for body in ["", "{}", "no json at all"] {
        let request = probe(body).replace("/probe", "/no-body");
        assert_eq!(client.request(request).await.status, 204, "{body}");
    }
    assert_eq!(
        client.request(probe("{\"otp\":\"1\"}")).await.status,
        204,
        "and it is not taken for a request"
    );
}

#[tokio::test]
async fn all_faults_are_in_one_answer_with_their_places() {
    let server = Server::start().await;
    let mut client = server.connect().await;
    let error = client.request(probe("{\"otp\":5}")).await.error();
    assert_eq!(
        (error["code"].as_str(), error["source"]["pointer"].as_str()),
        (Some("invalid-value"), Some("/otp"))
    );
    let error = client.request(probe("[]")).await.error();
    assert_eq!(
        (error["code"].as_str(), error["source"]["pointer"].as_str()),
        (Some("invalid-value"), Some(""))
    );
    let error = client.request(probe("{")).await.error();
    let members: Vec<_> = error.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(members, ["code", "id", "links", "status", "title"], "what has nothing to say is left out");
}
