//! What the stream below hyper and the service above it tell each other about the request at hand. Both run in
//! the connection's task, one after the other, so the atomics order nothing and only make the sharing legal.

use super::head::Verdict;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering::Relaxed};

/// How the end of a request's body is found, as hyper understood its head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    Length(u64),
    Chunked,
}

/// One per connection.
pub(super) struct Exchange {
    verdict: AtomicU8,
    framing: AtomicU64,
    is_closing: AtomicBool,
}

const NO_HEAD: u8 = 0;
const SOUND: u8 = 1;
const BROKEN: u8 = 2;

/// hyper refuses a Content-Length this high.
const CHUNKED: u64 = u64::MAX - 1;
const UNKNOWN: u64 = u64::MAX;

impl Exchange {
    pub(super) const fn new() -> Self {
        Self {
            verdict: AtomicU8::new(NO_HEAD),
            framing: AtomicU64::new(UNKNOWN),
            is_closing: AtomicBool::new(false),
        }
    }

    /// The stream has handed over a whole head.
    pub(super) fn put_head(&self, verdict: Verdict) {
        self.framing.store(UNKNOWN, Relaxed);
        self.verdict.store(if verdict == Verdict::Sound { SOUND } else { BROKEN }, Relaxed);
    }

    /// The head that hyper is parsing must not be acted upon, whatever hyper says about it.
    pub(super) fn is_broken(&self) -> bool {
        self.verdict.load(Relaxed) == BROKEN
    }

    /// hyper has called the service. Sound only if the stream saw this request's head, and exactly this one.
    pub(super) fn begin(&self, framing: Framing) -> Verdict {
        let framing = match framing {
            Framing::Length(length) => length.min(CHUNKED - 1),
            Framing::Chunked => CHUNKED,
        };
        self.framing.store(framing, Relaxed);
        if self.verdict.swap(NO_HEAD, Relaxed) == SOUND { Verdict::Sound } else { Verdict::Broken }
    }

    /// `None` as long as hyper has not called the service for the head it was given.
    pub(super) fn framing(&self) -> Option<Framing> {
        match self.framing.load(Relaxed) {
            UNKNOWN => None,
            CHUNKED => Some(Framing::Chunked),
            length => Some(Framing::Length(length)),
        }
    }

    /// From now on no request is waited for.
    pub(super) fn close_when_idle(&self) {
        self.is_closing.store(true, Relaxed);
    }

    pub(super) fn is_closing(&self) -> bool {
        self.is_closing.load(Relaxed)
    }
}
