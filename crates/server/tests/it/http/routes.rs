//! Paths, methods, and what is on every answer.

use super::client::Client;
use super::server::{PROBE, Server, context, get_request, probe};
use einmal::api::management::{self, NotReady, Readiness};
use einmal::api::router;
use einmal::http::{Front, Limits, Shutdown, listen, serve};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

const OTP: &str = "{\"otp\":\"1\"}";

#[tokio::test]
async fn an_operation_is_there_in_every_version_and_in_no_other() {
    let server = Server::start().await;
    let mut client = server.connect().await;
    let versions = ["2020-4", "2021-2", "2022-1", "2023-1", "2024-1", "2024-2", "2024-3", "2024-4", "2025-1"];
    for version in versions {
        let answer = client.request(probe(OTP).replace("2025-1", version)).await;
        assert_eq!(answer.status, 204, "{version}");
        answer.assert_has_common_headers();
        assert_eq!((answer.header("content-type"), answer.header("content-length")), (None, None));
    }
    for version in
        ["2025-2", "2020-04", "latest", "2025%2D1", "%32025-1", "2025-1/.", "2025-1/", "", "2025-1%00"]
    {
        let answer = client.request(probe(OTP).replace("2025-1", version)).await;
        assert_eq!((answer.status, answer.code().as_str()), (404, "not-found"), "{version}");
    }
}

#[tokio::test]
async fn an_unknown_path_is_404_before_any_token_187() {
    let server = Server::start().await;
    let mut client = server.connect().await;
    for path in [
        "/",
        "/user",
        "/user/2025-1",
        "/user/2025-1/probe/",
        "//",
        "/..",
        "/%00",
        "/user/2025-1/Probe",
        "/%ff",
    ] {
        for authorization in ["", "Authorization: Bearer wrong\r\n"] {
            let request = format!("GET {path} HTTP/1.1\r\nHost: a\r\n{authorization}\r\n");
            assert_eq!(client.request(request).await.code(), "not-found", "{path}");
        }
    }
}

#[tokio::test]
async fn a_known_path_with_another_method_is_405_and_says_which_there_are_185() {
    let server = Server::start().await;
    let mut client = server.connect().await;
    for method in ["GET", "PUT", "PATCH", "DELETE", "TRACE", "OPTIONS", "FOO"] {
        let answer = client.request(format!("{method} {PROBE} HTTP/1.1\r\nHost: a\r\n\r\n")).await;
        assert_eq!((answer.status, answer.code().as_str()), (405, "method-not-allowed"), "{method}");
        assert_eq!(answer.header("allow"), Some("POST"));
    }
    client.send(format!("HEAD {PROBE} HTTP/1.1\r\nHost: a\r\n\r\n")).await;
    let answer = client.answer_to("HEAD").await;
    assert_eq!((answer.status, answer.header("allow")), (405, Some("POST")));
    let answer = client.request("OPTIONS /user/2025-1/read HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert_eq!((answer.status, answer.header("allow")), (405, Some("GET,HEAD")));
    assert_eq!(client.request("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n").await.status, 404);
    let answer = server.connect().await.request("CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n").await;
    assert_eq!(answer.status, 404);
}

#[tokio::test]
async fn head_is_get_without_a_body() {
    let server = Server::start().await;
    let mut client = server.connect().await;
    for path in ["/user/2025-1/read", "/user/2025-1/nowhere", "/docs/errors"] {
        let get = client.request(get_request(path)).await;
        client.send(get_request(path).replace("GET", "HEAD")).await;
        let head = client.answer_to("HEAD").await;
        assert_eq!((head.status, head.header("content-type")), (get.status, get.header("content-type")));
        assert_eq!(head.header("content-length"), get.header("content-length"));
    }
    assert_eq!(client.request(probe(OTP)).await.status, 204, "and nothing of a body was left behind");
}

#[tokio::test]
async fn a_harmless_request_id_is_kept_and_any_other_is_replaced() {
    let server = Server::start().await;
    let mut client = server.connect().await;
    let longest = "x".repeat(128);
    let with = |id: &str| probe("{}").replace("Host: a\r\n", &format!("Host: a\r\nRequest-Id: {id}\r\n"));
    for id in ["a", "A-Z_0.9", &longest] {
        let answer = client.request(with(id)).await;
        assert_eq!((answer.header("request-id"), answer.error()["id"].as_str()), (Some(id), Some(id)));
    }
    let too_long = "x".repeat(129);
    let mut seen = Vec::new();
    for id in ["", "a b", "a/b", "<b>", "\x1b[31m", "ü", &too_long] {
        let answer = client.request(with(id).replace('\x1b', "%")).await;
        let fresh = answer.header("request-id").unwrap().to_owned();
        assert!(fresh != id && fresh.len() == 32, "{id:?}");
        assert!(!seen.contains(&fresh));
        seen.push(fresh);
    }
}

#[tokio::test]
async fn a_panic_is_one_failed_request_that_tells_the_client_nothing() {
    let server = Server::start().await;
    let mut client = server.connect().await;
    for _ in 0..2 {
        let answer = client.request(probe(OTP).replace("/probe", "/panic")).await;
        assert_eq!((answer.status, answer.code().as_str()), (500, "internal"));
        let body = String::from_utf8(answer.body).unwrap();
        assert!(!body.contains("sesame") && !body.contains("panic"), "{body}");
        assert_eq!(client.request(probe(OTP)).await.status, 204, "the same connection goes on");
    }
}

#[tokio::test]
async fn the_page_about_errors_is_strict_html_that_links_about_points_into() {
    let server = Server::start().await;
    let mut client = server.connect().await;
    let page = client.request("GET /docs/errors HTTP/1.1\r\nHost: a\r\nAccept: text/html\r\n\r\n").await;
    assert_eq!((page.status, page.header("content-type")), (200, Some("text/html; charset=utf-8")));
    page.assert_has_common_headers();
    let policy = page.header("content-security-policy").unwrap();
    assert!(
        policy.starts_with("default-src 'none'; style-src 'sha256-") && !policy.contains("unsafe"),
        "{policy}"
    );
    let page = String::from_utf8(page.body).unwrap();
    let about =
        client.request(get_request("/nowhere")).await.error()["links"]["about"].as_str().unwrap().to_owned();
    assert!(page.contains(&format!("id=\"{}\"", about.split_once('#').unwrap().1)));
}

struct Parts(AtomicBool);

impl Readiness for Parts {
    fn not_ready(&self) -> NotReady<'_> {
        Box::pin(async { if self.0.load(Ordering::SeqCst) { Vec::new() } else { vec!["store", "issuer"] } })
    }
}

#[tokio::test]
async fn readiness_names_the_parts_that_are_not_ready_and_liveness_is_not_moved_by_them() {
    let parts = Arc::new(Parts(AtomicBool::new(true)));
    let listener = listen(([127, 0, 0, 1], 0).into()).unwrap();
    let address = listener.local_addr().unwrap();
    let readiness: Arc<dyn Readiness> = Arc::clone(&parts) as _;
    let router = router::build(context().await, management::routes(readiness));
    let (context, shutdown) = (context().await, Shutdown::new(Duration::ZERO));
    tokio::spawn(serve(listener, Front::default(), router, context, Limits::default(), shutdown));
    let mut client = Client::connect(address).await;
    for (is_ready, status, body) in [
        (true, 200, "{\"status\":\"ok\"}"),
        (false, 503, "{\"status\":\"not ready\",\"notReady\":[\"store\",\"issuer\"]}"),
    ] {
        parts.0.store(is_ready, Ordering::SeqCst);
        let ready = client.request(get_request("/health/readiness")).await;
        assert_eq!((ready.status, String::from_utf8(ready.body.clone()).unwrap().as_str()), (status, body));
        assert_eq!(ready.header("content-type"), Some("application/json"));
        ready.assert_has_common_headers();
        assert_eq!(client.request(get_request("/health/liveness")).await.status, 200);
    }
    assert_eq!(client.request(get_request(PROBE)).await.code(), "not-found");
}
