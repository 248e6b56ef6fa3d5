//! A client that sends exactly the bytes it is told to.

use serde_json::Value;
use std::future::Future;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// What no test may take longer than.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) async fn within_patience<T>(what: &str, future: impl Future<Output = T>) -> T {
    timeout(PATIENCE, future).await.unwrap_or_else(|_| panic!("{what} took too long"))
}

pub(crate) struct Client {
    pub(crate) stream: TcpStream,
    unread: Vec<u8>,
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Client {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        let stream = within_patience("connecting", TcpStream::connect(address)).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self::over(stream)
    }

    pub(crate) fn over(stream: TcpStream) -> Self {
        Self { stream, unread: Vec::new() }
    }

    /// `None` if the other side was gone before it had sent anything.
    pub(crate) async fn try_request(&mut self, bytes: impl AsRef<[u8]>) -> Option<Answer> {
        let mut buffer = [0; 1];
        if !self.try_send(bytes).await || self.stream.peek(&mut buffer).await.ok()? == 0 {
            return None;
        }
        Some(self.answer().await)
    }

    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        within_patience("sending", self.stream.write_all(bytes.as_ref())).await.unwrap();
    }

    /// Sends as much as the other side takes; it may have closed.
    pub(crate) async fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        within_patience("sending", self.stream.write_all(bytes.as_ref())).await.is_ok()
    }

    pub(crate) async fn request(&mut self, bytes: impl AsRef<[u8]>) -> Answer {
        self.send(bytes).await;
        self.answer().await
    }

    pub(crate) async fn answer(&mut self) -> Answer {
        self.answer_to("POST").await
    }

    /// The next answer, an interim one included. Panics if the connection ends before it.
    pub(crate) async fn answer_to(&mut self, method: &str) -> Answer {
        let head = loop {
            if let Some(end) = self.unread.windows(4).position(|window| window == b"\r\n\r\n") {
                break self.unread.drain(..end + 4).collect::<Vec<u8>>();
            }
            assert!(self.read_more().await, "closed instead of an answer: {:?}", self.unread);
        };
        let head = String::from_utf8(head).unwrap();
        let mut lines = head.lines();
        let status_line = lines.next().unwrap();
        assert!(status_line.starts_with("HTTP/1."), "{status_line}");
        let status = status_line.split(' ').nth(1).unwrap().parse().unwrap();
        let headers: Vec<_> = lines
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect();
        let mut answer = Answer { status, headers, body: Vec::new() };
        let length: usize = answer.header("content-length").map_or(0, |length| length.parse().unwrap());
        if method != "HEAD" {
            while self.unread.len() < length {
                assert!(self.read_more().await, "closed within a body");
            }
            answer.body = self.unread.drain(..length).collect();
        }
        answer
    }

    /// Whether the other side ends the connection properly, with nothing more to say.
    pub(crate) async fn is_closed(&mut self) -> bool {
        self.unread.is_empty() && !self.read_more().await
    }

    async fn read_more(&mut self) -> bool {
        let mut buffer = [0; 4096];
        let read = within_patience("reading", self.stream.read(&mut buffer)).await.expect("connection reset");
        self.unread.extend_from_slice(&buffer[..read]);
        read > 0
    }
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut found = self.headers.iter().filter(|(header, _)| header == name);
        let value = found.next().map(|(_, value)| value.as_str());
        assert!(found.next().is_none(), "{name} twice in {self:?}");
        value
    }

    /// The one error in it, after a look at everything that holds for every error.
    pub(crate) fn error(&self) -> Value {
        let document: Value = serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("{self:?}"));
        let errors = document["errors"].as_array().unwrap();
        for error in errors {
            assert_eq!(error["status"].as_str().unwrap(), self.status.to_string());
            assert_eq!(error["id"].as_str(), self.header("request-id"));
            let about = format!("http://einmal.test/docs/errors#{}", error["code"].as_str().unwrap());
            assert_eq!(error["links"]["about"].as_str().unwrap(), about);
            assert!(!error["title"].as_str().unwrap().is_empty());
        }
        assert_eq!(self.header("content-type"), Some("application/vnd.api+json"));
        self.assert_has_common_headers();
        assert_eq!(errors.len(), 1, "{document}");
        errors[0].clone()
    }

    pub(crate) fn code(&self) -> String {
        self.error()["code"].as_str().unwrap().to_owned()
    }

    pub(crate) fn assert_has_common_headers(&self) {
        assert_eq!(self.header("cache-control"), Some("no-store"), "{self:?}");
        assert_eq!(self.header("x-content-type-options"), Some("nosniff"), "{self:?}");
        assert!(self.header("request-id").is_some_and(|id| !id.is_empty()), "{self:?}");
        assert!(self.header("date").is_some_and(|date| date.ends_with(" GMT")), "{self:?}");
    }
}

/// The statuses of so many answers that come on a reading half.
pub(crate) async fn statuses(reading: tokio::net::tcp::OwnedReadHalf, count: usize) -> Vec<u16> {
    let mut reading = reading;
    let mut seen = Vec::new();
    let mut text = Vec::new();
    while seen.len() < count {
        let mut buffer = [0; 4096];
        let read = within_patience("reading", reading.read(&mut buffer)).await.expect("connection reset");
        assert!(read > 0, "closed after {seen:?} of {count}");
        text.extend_from_slice(&buffer[..read]);
        let marks = text.windows(9).enumerate().filter(|(_, window)| window == b"HTTP/1.1 ");
        seen = marks
            .filter_map(|(at, _)| std::str::from_utf8(text.get(at + 9..at + 12)?).ok()?.parse().ok())
            .collect();
    }
    seen
}
