//! What one connection's client makes us do, and whether it waits for the answers. A client that gives up each
//! request as soon as it is sent frees its place for the next one, and no cap on streams holds it.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::time::Duration;
use tokio::time::Instant;

/// Requests that may be given up beyond as many as were answered.
const MOST_GIVEN_UP: usize = 100;

/// One per connection.
pub(super) struct Usage {
    begun_at: Instant,
    working: AtomicUsize,
    answered: AtomicUsize,
    given_up: AtomicUsize,
    /// Milliseconds after `begun_at` at which the last request was over.
    used_at: AtomicU64,
}

impl Usage {
    pub(super) fn new() -> Self {
        Self {
            begun_at: Instant::now(),
            working: AtomicUsize::new(0),
            answered: AtomicUsize::new(0),
            given_up: AtomicUsize::new(0),
            used_at: AtomicU64::new(0),
        }
    }

    pub(super) fn begin(&self) {
        self.working.fetch_add(1, Relaxed);
    }

    pub(super) fn end(&self, is_answered: bool) {
        let count = if is_answered { &self.answered } else { &self.given_up };
        count.fetch_add(1, Relaxed);
        let now = u64::try_from(self.begun_at.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.used_at.fetch_max(now, Relaxed);
        self.working.fetch_sub(1, Relaxed);
    }

    pub(super) fn is_flood(&self) -> bool {
        self.given_up.load(Relaxed) > self.answered.load(Relaxed).saturating_add(MOST_GIVEN_UP)
    }

    /// `None` while a request is worked on.
    pub(super) fn idle_since(&self) -> Option<Instant> {
        let is_idle = self.working.load(Relaxed) == 0;
        is_idle.then(|| self.begun_at + Duration::from_millis(self.used_at.load(Relaxed)))
    }
}
