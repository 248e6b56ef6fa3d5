//! One timer for all waits of a connection. It must not be registered anew for each request: the runtime's
//! timer wheel sits behind a lock that all connections share.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::{Instant, Sleep, sleep_until};

/// A deadline for the wait of kind `K` that is going on.
pub(super) struct Deadline<K> {
    running: Option<(K, Instant)>,
    /// May stand at an earlier time than the deadline: then it is moved on when it fires, once for many requests.
    sleep: Option<Pin<Box<Sleep>>>,
}

impl<K: PartialEq + Copy> Deadline<K> {
    pub(super) const fn new() -> Self {
        Self { running: None, sleep: None }
    }

    /// Ready once `limit` has passed since the first poll of this wait. A wait goes on until `stop` or until
    /// another kind is polled; being polled in between does not extend it.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>, kind: K, limit: Duration) -> Poll<()> {
        let at = match self.running {
            Some((running, at)) if running == kind => at,
            _ => {
                let at = Instant::now() + limit;
                self.running = Some((kind, at));
                at
            }
        };
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(sleep_until(at)));
        if sleep.deadline() > at {
            sleep.as_mut().reset(at);
        }
        while sleep.as_mut().poll(cx).is_ready() {
            if Instant::now() >= at {
                return Poll::Ready(());
            }
            sleep.as_mut().reset(at);
        }
        Poll::Pending
    }

    pub(super) fn stop(&mut self) {
        self.running = None;
    }
}
