//! How long and how much one connection may take before it is cut off. Nothing here is judged per account.

use super::pace::Pace;
use crate::metrics::{Counter, Gauge};
use std::sync::Arc;
use std::time::Duration;

/// What a listener grants to each of its connections, and how many it grants it to.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Connections at a time; further ones wait in the kernel's backlog.
    pub connections: u32,
    /// For all of a TLS handshake.
    pub handshake: Duration,
    /// From the first byte of a request's head to its end.
    pub head: Duration,
    /// From the end of the head to the end of the body.
    pub body: Duration,
    /// Between an answer and the next request, and before the first one.
    pub idle: Duration,
    /// For a client that does not read its answer: without one byte getting through. A stream of HTTP/2 whose
    /// client does not make room for its answer may wait as long as an idle connection.
    pub write_stall: Duration,
    /// For reading on after the last answer, see `linger`; and at the end of the service, for a client of HTTP/2
    /// with nothing going on to say that it has heard of it.
    pub linger: Duration,
    /// Tells how many connections there are.
    pub open: Gauge,
    /// Of what is no request to any route, where that does not end the connection.
    pub refusals: Arc<Pace>,
    /// Of clients that give up so many requests at once that they are thrown out.
    pub floods: Arc<Pace>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 10_000,
            handshake: Duration::from_secs(10),
            head: Duration::from_secs(10),
            body: Duration::from_secs(10),
            idle: Duration::from_secs(75),
            write_stall: Duration::from_secs(10),
            linger: Duration::from_secs(2),
            open: Gauge::default(),
            refusals: Arc::new(Pace::of_requests(Counter::default())),
            floods: Arc::new(Pace::of_connections(Counter::default())),
        }
    }
}

/// Bytes of a request line and its header lines together.
pub(super) const MAX_HEAD_BYTES: usize = 64 * 1024;

/// Lines of a head, without the first one. hyper has the same limit for HTTP/1.1.
pub(super) const MAX_HEADER_LINES: usize = 100;
