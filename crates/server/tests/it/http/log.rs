//! What gets into the log, and what never does.

use super::client::within_patience;
use super::server::{PROBE, Server, context, get_request, probe};
use super::streams::{JSON, Streams, request};
use crate::harness::log::Log;
use axum::body::Body;
use axum::extract::Request;
use einmal::api::{admin, router};
use einmal::http::{Front, Limits, TrustedProxies};
use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;
use tower::Service;

#[tokio::test]
async fn a_request_is_one_line_with_the_path_template_and_without_what_the_client_sent() {
    Log::capture();
    let server = Server::start().await;
    let mut client = server.connect().await;
    let canary = "canary-5521";
    let marked = |request: String| {
        let lines =
            format!("Host: a\r\nUser-Agent: {canary}\r\nX-Request-Id: {canary}\r\nReferer: {canary}\r\n");
        request.replace("Host: a\r\n", &lines)
    };
    let body = format!("{{\"otp\":\"{canary}\"}}");
    assert_eq!(
        client.request(marked(probe(&body).replace("/probe", &format!("/probe?{canary}")))).await.status,
        204
    );
    client.request(marked(get_request(&format!("/user/{canary}")))).await;
    client.request(marked(probe(&format!("{{\"{canary}\"")))).await;
    client.request(marked(probe(&body).replace("good", canary))).await;
    client.request(marked(probe(&body)).replace("POST", "CANARY-5521")).await;
    client.request(format!("GET /{canary} HTTP/1.1\r\nHost: {canary}\r\n{canary} : x\r\n\r\n")).await;
    assert!(!Log::text().to_ascii_lowercase().contains(canary), "{}", Log::text());
    let requests = Log::lines("request");
    let routes: Vec<_> = requests.iter().map(|line| line["route"].as_str().unwrap()).collect();
    let probe_route = "/user/2025-1/probe";
    assert_eq!(routes, [probe_route, "", probe_route, probe_route, probe_route, ""]);
    let outcomes: Vec<_> = requests.iter().map(|line| line["outcome"].as_str().unwrap()).collect();
    assert_eq!(
        outcomes,
        ["ok", "not-found", "malformed-json", "token-invalid", "method-not-allowed", "bad-request"]
    );
    assert_eq!((&requests[0]["method"], &requests[0]["status"]), (&"POST".into(), &204.into()));
    assert!(requests[0]["duration_us"].is_u64() && requests[0]["request_id"].is_string());
    assert_eq!(requests[4]["method"], "other");
}

#[tokio::test]
async fn the_cause_of_a_failure_is_logged_under_the_id_that_the_client_gets() {
    Log::capture();
    let server = Server::start().await;
    let mut client = server.connect().await;
    let broken = client.request(get_request("/user/2025-1/broken")).await;
    let panicked = client.request(probe("{}").replace("/probe", "/panic")).await;
    let refused = client.request("GET / HTTP/1.1\r\n\r\n").await;
    assert!(!Log::text().contains("sesame"), "a panic may quote a secret");
    for (answer, cause) in [(&broken, "the store said"), (&panicked, "panicked"), (&refused, "")] {
        let id = answer.error()["id"].clone();
        let requests = Log::lines("request");
        let line = requests.iter().find(|line| line["request_id"] == id).unwrap();
        assert!(line["cause"].as_str().unwrap_or_default().contains(cause), "{line}");
    }
}

#[tokio::test]
async fn line_breaks_and_colours_in_a_cause_are_escaped() {
    Log::capture();
    let server = Server::start().await;
    let mut client = server.connect().await;
    client.request(get_request("/user/2025-1/broken")).await;
    client.request(probe("{}").replace("/probe", "/panic")).await;
    assert_eq!(Log::lines("request").len(), 2);
    let text = Log::text();
    assert!(text.lines().all(|line| line.starts_with('{') && line.ends_with('}')), "{text}");
    assert!(!text.contains('\x1b') && !text.contains('\r'), "{text:?}");
}

#[tokio::test]
async fn the_clients_address_is_the_peers_unless_a_trusted_proxy_tells_another() {
    Log::capture();
    let forwarded = |address: &str| {
        let lines = format!("Host: a\r\nX-Forwarded-For: {address}\r\n");
        probe("{\"otp\":\"1\"}").replace("Host: a\r\n", &lines)
    };
    for (trusted, expected) in
        [(vec![], "127.0.0.1"), (vec!["10.0.0.0/8"], "127.0.0.1"), (vec!["127.0.0.0/8"], "192.0.2.7")]
    {
        Log::capture();
        let networks: Vec<_> = trusted.into_iter().map(str::to_owned).collect();
        let trusted_proxies = TrustedProxies::parse(&networks).unwrap();
        let front = Front { trusted_proxies, ..Front::default() };
        let server = Server::start_behind(front, Limits::default(), Duration::ZERO).await;
        let mut client = server.connect().await;
        assert_eq!(client.request(forwarded("1.1.1.1, 192.0.2.7")).await.status, 204);
        // Nothing that is broken is believed.
        let broken = forwarded("192.0.2.7").replace("Host: a\r\n", "Host: a\r\nHost: a\r\n");
        assert_eq!(client.request(broken).await.status, 400);
        let (streams, _) = Streams::connect(server.address).await;
        let headers = [JSON, ("x-forwarded-for", "1.1.1.1, 192.0.2.7")];
        assert_eq!(streams.request(request("POST", PROBE, &headers), "{\"otp\":\"1\"}").await.status, 204);
        let requests = Log::lines("request");
        let clients: Vec<_> = requests.iter().map(|line| line["client"].as_str().unwrap()).collect();
        assert_eq!(clients, [expected, "127.0.0.1", expected]);
    }
}

/// Or else guesses whose answers nobody waits for would leave nothing behind.
#[tokio::test]
async fn a_request_whose_client_does_not_wait_for_the_answer_is_one_line_too() {
    Log::capture();
    let server = Server::start().await;
    for is_reset in [true, false] {
        let (client, conversation) = Streams::connect(server.address).await;
        let before = server.calls();
        let (_response, mut sending) = client.begin(request("GET", "/user/2025-1/wait", &[]), true).await;
        within_patience("the request", async {
            while server.calls() == before {
                tokio::task::yield_now().await;
            }
        })
        .await;
        if is_reset {
            sending.send_reset(h2::Reason::CANCEL);
        } else {
            conversation.abort();
        }
        let number = before + 1;
        within_patience("the line", async {
            while Log::lines("request given up").len() < number {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }
    let lines = Log::lines("request given up");
    assert_eq!((lines.len(), Log::lines("request").len()), (2, 0));
    assert_eq!((&lines[0]["method"], &lines[0]["route"]), (&"GET".into(), &"/user/2025-1/wait".into()));
    assert_eq!(lines[0]["client"], "127.0.0.1");
}

/// A server may drop the future of a request whose client has gone.
#[tokio::test]
async fn what_an_administrator_did_is_logged_also_if_nobody_waits_for_the_answer() {
    Log::capture();
    let mut router = router::build(context().await, admin::routes());
    let request = Request::delete("/admin/accounts/main/alice").header("authorization", "Bearer admin");
    let mut answer = Box::pin(router.call(request.body(Body::empty()).unwrap()));
    assert!(poll_fn(|task| Poll::Ready(answer.as_mut().poll(task).is_pending())).await);
    drop(answer);
    within_patience("logging", async {
        while Log::lines("admin").is_empty() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let line = Log::lines("admin").pop().unwrap();
    // These tests have no store, so that it is not known what became of it: that, too, is for auditors.
    assert_eq!((&line["operation"], &line["outcome"]), (&"delete".into(), &"unavailable".into()));
    assert_eq!(Log::lines("request").len(), 0);
}
