//! What gets into the log, and what never does.

use super::server::{Server, get_request, probe};
use serde_json::Value;
use std::io::Write;
use std::sync::{Arc, Mutex};
use tracing::subscriber::DefaultGuard;
use tracing_subscriber::fmt::MakeWriter;

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Log {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

impl Log {
    /// Everything that this thread logs from now on, as JSON: a test's server runs in its thread.
    fn capture() -> (Self, DefaultGuard) {
        let log = Self::default();
        let level = tracing::Level::TRACE;
        let subscriber =
            tracing_subscriber::fmt().json().with_max_level(level).with_writer(log.clone()).finish();
        (log, tracing::subscriber::set_default(subscriber))
    }

    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }

    fn requests(&self) -> Vec<Value> {
        let text = self.text();
        let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["fields"].clone());
        lines.filter(|fields| fields["message"] == "request").collect()
    }
}

#[tokio::test]
async fn a_request_is_one_line_with_the_path_template_and_without_what_the_client_sent() {
    let (log, _guard) = Log::capture();
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
    assert!(!log.text().to_ascii_lowercase().contains(canary), "{}", log.text());
    let requests = log.requests();
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
    let (log, _guard) = Log::capture();
    let server = Server::start().await;
    let mut client = server.connect().await;
    let broken = client.request(get_request("/user/2025-1/broken")).await;
    let panicked = client.request(probe("{}").replace("/probe", "/panic")).await;
    let refused = client.request("GET / HTTP/1.1\r\n\r\n").await;
    assert!(!log.text().contains("sesame"), "a panic may quote a secret");
    for (answer, cause) in [(&broken, "the store said"), (&panicked, "panicked"), (&refused, "")] {
        let id = answer.error()["id"].clone();
        let requests = log.requests();
        let line = requests.iter().find(|line| line["request_id"] == id).unwrap();
        assert!(line["cause"].as_str().unwrap_or_default().contains(cause), "{line}");
    }
}

#[tokio::test]
async fn line_breaks_and_colours_in_a_cause_are_escaped() {
    let log = Log::default();
    let text = tracing_subscriber::fmt().with_ansi(false).with_writer(log.clone()).finish();
    let _guard = tracing::subscriber::set_default(text);
    let server = Server::start().await;
    let mut client = server.connect().await;
    client.request(get_request("/user/2025-1/broken")).await;
    client.request(probe("{}").replace("/probe", "/panic")).await;
    let text = log.text();
    assert_eq!(text.lines().filter(|line| line.contains(": request ")).count(), 2, "{text}");
    assert!(
        text.lines().all(|line| line.starts_with("20") && line.contains('Z')),
        "each begins with a time: {text}"
    );
    assert!(!text.contains('\x1b') && !text.contains('\r'), "{text:?}");
}
