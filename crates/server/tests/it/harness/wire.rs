//! Requests as text, and answers as text to compare: whole, but for what differs each time.

use super::service::{Service, VERIFY};
use crate::http::client::Answer;
use serde_json::Value;
use std::fmt::Write;

/// A whole request with these header lines besides `Host` and `Content-Length`.
pub(crate) fn request(line: &str, headers: &[&str], body: &[u8]) -> Vec<u8> {
    let mut head = format!("{line} HTTP/1.1\r\nHost: einmal.test\r\nContent-Length: {}\r\n", body.len());
    for header in headers {
        write!(head, "{header}\r\n").unwrap();
    }
    [head.as_bytes(), b"\r\n", body].concat()
}

pub(crate) const JSON: &str = "Content-Type: application/json";

impl Service {
    /// The verify request with a good token of `subject`.
    pub(crate) fn verify_request(&self, subject: &str, headers: &[&str], body: impl AsRef<[u8]>) -> Vec<u8> {
        let authorization = format!("Authorization: Bearer {}", self.token(subject));
        let headers = [&[authorization.as_str()], headers].concat();
        request(&format!("POST {VERIFY}"), &headers, body.as_ref())
    }

    /// Sent on a connection of its own.
    pub(crate) async fn send(&self, request: impl AsRef<[u8]>) -> Answer {
        self.connect().await.request(request).await
    }

    /// The answer to a JSON body, on a connection of its own.
    pub(crate) async fn post(&self, subject: &str, body: impl AsRef<[u8]>) -> Answer {
        self.send(self.verify_request(subject, &[JSON], body)).await
    }

    /// The answer to a code with the default types.
    pub(crate) async fn answer(&self, subject: &str, otp: &str) -> Answer {
        self.post(subject, serde_json::json!({ "otp": otp }).to_string()).await
    }

    /// The status of a code that is tried as these types.
    pub(crate) async fn verify_as(&self, subject: &str, otp: &str, types: &[&str]) -> u16 {
        let body = serde_json::json!({ "otp": otp, "types": types });
        self.post(subject, body.to_string()).await.status
    }

    /// So many wrong codes, each of which is looked at.
    pub(crate) async fn fail(&self, subject: &str, times: usize) {
        for number in 0..times {
            let answer = self.answer(subject, &self.wrong_code(number)).await;
            assert_eq!(answer.told(), (404, None), "failure {number}");
        }
    }
}

impl Answer {
    /// What it says to somebody who guesses: the status and `Retry-After`.
    pub(crate) fn told(&self) -> (u16, Option<&str>) {
        (self.status, self.header("retry-after"))
    }

    /// Status, headers and body, with the ids and the date taken out.
    pub(crate) fn whole(&self) -> String {
        let mut text = format!("{}\n", self.status);
        for (name, value) in &self.headers {
            let value = match name.as_str() {
                "request-id" => "[id]",
                "date" => "[date]",
                _ => value,
            };
            writeln!(text, "{name}: {value}").unwrap();
        }
        if !self.body.is_empty() {
            let id = format!("\"{}\"", self.header("request-id").unwrap());
            let body: Value = serde_json::from_slice(&self.body).unwrap();
            let body = serde_json::to_string_pretty(&body).unwrap();
            writeln!(text, "\n{}", body.replace(&id, "\"[id]\"")).unwrap();
        }
        text
    }

    /// The code in an answer that tells one.
    pub(crate) fn otp(&self) -> String {
        let body: Value = serde_json::from_slice(&self.body).unwrap();
        body["otp"].as_str().unwrap().to_owned()
    }

    /// The pointers (or headers, or parameters) that its errors name, in their order.
    pub(crate) fn sources(&self) -> Vec<String> {
        let body: Value = serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("{self:?}"));
        let source = |error: &Value| {
            let source = error["source"].as_object().and_then(|source| source.values().next());
            source.and_then(Value::as_str).unwrap_or_default().to_owned()
        };
        body["errors"].as_array().unwrap().iter().map(source).collect()
    }
}
