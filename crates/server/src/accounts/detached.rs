//! Work that goes on when its request has gone: a client may give up at any time, and what was begun for it must still be
//! finished, counted and logged. What is spawned for a request in another way is cut off by the end of the service.

use super::Accounts;
use crate::trace;
use std::future::Future;
use tokio::task::JoinHandle;

impl Accounts {
    /// It stays in the trace of whoever calls.
    pub fn detach<F>(&self, work: F) -> JoinHandle<F::Output>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        self.inner.detached.spawn(trace::carried(work))
    }

    /// Returns when nothing that was detached goes on.
    pub async fn detached_work_is_over(&self) {
        self.inner.detached.close();
        self.inner.detached.wait().await;
    }
}
