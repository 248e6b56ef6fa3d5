//! The end of the service in phases, and the signals that begin it: first not ready but still answering, then no
//! new connections, then only what was already sent. It must never cut off a request that came in time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

/// From `begin` to the end of whatever is still going on.
const LONGEST: Duration = Duration::from_secs(30);

/// How long listeners go on accepting after `begin`: what a load balancer needs to see that we are not ready.
pub const DEFAULT_DRAIN: Duration = Duration::from_secs(1);

/// A handle to the one shutdown of the process; clones are the same one.
#[derive(Clone)]
pub struct Shutdown(Arc<State>);

struct State {
    drain: Duration,
    /// Read with every answer, and cheaper than looking into the channel.
    is_draining: AtomicBool,
    begun_at: watch::Sender<Option<Instant>>,
}

impl Shutdown {
    pub fn new(drain: Duration) -> Self {
        let begun_at = watch::Sender::new(None);
        Self(Arc::new(State { drain, is_draining: AtomicBool::new(false), begun_at }))
    }

    /// Begins; later calls change nothing.
    pub fn begin(&self) {
        self.0.is_draining.store(true, Ordering::Release);
        self.0.begun_at.send_if_modified(|begun_at| {
            let is_first = begun_at.is_none();
            begun_at.get_or_insert_with(Instant::now);
            is_first
        });
    }

    /// True from `begin` on: not ready, every answer is the last one on its connection.
    pub fn is_draining(&self) -> bool {
        self.0.is_draining.load(Ordering::Acquire)
    }

    /// Returns at `begin`: whoever waits for something on a client's behalf answers now.
    pub async fn begun(&self) {
        self.begun_at().await;
    }

    /// When everything must be over; `None` before `begin`.
    pub fn deadline(&self) -> Option<Instant> {
        self.0.begun_at.borrow().map(|at| at + LONGEST)
    }

    /// Returns at the end of the drain, with the deadline.
    pub(super) async fn closing(&self) -> Instant {
        let begun_at = self.begun_at().await;
        sleep_until(begun_at + self.0.drain).await;
        begun_at + LONGEST
    }

    async fn begun_at(&self) -> Instant {
        let mut changes = self.0.begun_at.subscribe();
        // The sender is in `self`, so that the channel cannot be closed while this waits.
        changes
            .wait_for(Option::is_some)
            .await
            .ok()
            .and_then(|begun_at| *begun_at)
            .unwrap_or_else(Instant::now)
    }
}

/// SIGTERM and SIGINT, caught from the moment this is made.
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// Needs a running runtime.
    pub fn catch() -> std::io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    /// The first one begins the shutdown; the second one ends the process at once, with code 1.
    pub async fn obey(mut self, shutdown: Shutdown) {
        let name = self.next().await;
        tracing::info!(signal = name, "shutting down; once more to exit at once");
        shutdown.begin();
        let name = self.next().await;
        tracing::warn!(signal = name, "exiting at once");
        std::process::exit(1);
    }

    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}
