//! What the connection answers without asking any route: broken framing, slow and oversized requests. hyper
//! answers some of these itself, with nothing but a status: such an answer is recognised and replaced by ours.

use super::client_address::ClientAddress;
use axum::body::Bytes;
use axum::http::header::{CONNECTION, CONTENT_LENGTH};
use axum::http::{HeaderValue, Response};
use std::net::IpAddr;
use std::sync::Arc;

/// Why a request is refused before it is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// 400
    BadRequest,
    /// 408
    RequestTimeout,
    /// 414
    UriTooLong,
    /// 431
    HeadersTooLarge,
}

/// Makes what is answered without a route.
pub trait Refuse: Send + Sync {
    /// It is sent as it is, with `Connection: close` where there is such a thing.
    fn refuse(&self, refusal: Refusal, client: ClientAddress) -> Response<Bytes>;

    /// The value of Date, RFC 9110 section 5.6.7, for answers that hyper does not write.
    fn date(&self) -> Option<HeaderValue>;
}

const CLOSE: HeaderValue = HeaderValue::from_static("close");

/// Refuses what one connection brings. What it says about its client is not read any more by then.
pub(super) struct OfPeer {
    pub(super) refuse: Arc<dyn Refuse>,
    pub(super) peer: IpAddr,
}

impl OfPeer {
    pub(super) fn response(&self, refusal: Refusal) -> Response<Bytes> {
        let mut response = self.refuse.refuse(refusal, ClientAddress(self.peer));
        response.headers_mut().insert(CONNECTION, CLOSE);
        response
    }

    /// The same as it goes over the wire, for where hyper does not write it.
    pub(super) fn wire_format(&self, refusal: Refusal) -> Vec<u8> {
        wire_format(self.response(refusal))
    }
}

fn wire_format(mut response: Response<Bytes>) -> Vec<u8> {
    let length = HeaderValue::from(response.body().len());
    response.headers_mut().insert(CONTENT_LENGTH, length);
    let status = response.status();
    let mut wire = Vec::with_capacity(512 + response.body().len());
    wire.extend_from_slice(b"HTTP/1.1 ");
    wire.extend_from_slice(status.as_str().as_bytes());
    wire.push(b' ');
    wire.extend_from_slice(status.canonical_reason().unwrap_or_default().as_bytes());
    wire.extend_from_slice(b"\r\n");
    for (name, value) in response.headers() {
        wire.extend_from_slice(name.as_str().as_bytes());
        wire.extend_from_slice(b": ");
        wire.extend_from_slice(value.as_bytes());
        wire.extend_from_slice(b"\r\n");
    }
    wire.extend_from_slice(b"\r\n");
    wire.extend_from_slice(response.body());
    wire
}

/// The refusal that hyper is about to write of its own accord: one head alone with a 4xx status and no body.
pub(super) fn of_hyper(written: &[u8]) -> Option<Refusal> {
    const LONGEST: usize = 160;
    let is_one_head = written.len() < LONGEST
        && memchr::memmem::find(written, b"\r\n\r\n") == Some(written.len().saturating_sub(4))
        && memchr::memmem::find(written, b"content-length: 0\r\n").is_some();
    let status = written.strip_prefix(b"HTTP/1.")?.get(2..5)?;
    match status {
        _ if !is_one_head => None,
        b"414" => Some(Refusal::UriTooLong),
        b"431" => Some(Refusal::HeadersTooLarge),
        [b'4', ..] => Some(Refusal::BadRequest),
        _ => None,
    }
}
