//! The loop of a worker: takes a group, sees to it that there is a connection, has the group carried out. Must never let
//! callers wait for a server that is known not to answer, and never wait to be restarted.

use super::super::StoreError;
use super::super::batch::{Queue, Request, settle_all};
use super::connect::Connector;
use super::failure::Failure;
use super::open_error::OpenError;
use super::session::Session;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::{Mutex, Notify, watch};
use tokio::time::{Instant, sleep};

/// For everything that a group does. What takes longer is given up and its connection dropped: whoever waited is told
/// that nobody knows. It is longer than the server's patience with a lock (`lock_timeout`).
const GROUP_DEADLINE: Duration = Duration::from_secs(5);

/// Between two attempts to connect that failed, doubling from the first to the last.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LAST_PAUSE: Duration = Duration::from_secs(1);

pub(super) fn deadline() -> Instant {
    Instant::now() + GROUP_DEADLINE
}

/// A connection with its statements.
pub(super) trait Worker: Sized + Send + 'static {
    type Request: Request;

    fn open(connector: &Connector) -> impl Future<Output = Result<Self, OpenError>> + Send;

    /// Answers everything in the group, or fails and leaves what is not answered.
    fn carry_out(&self, group: &mut Vec<Self::Request>) -> impl Future<Output = Result<(), Failure>> + Send;

    fn session(&self) -> &Session;

    fn close(self) -> impl Future<Output = ()> + Send;
}

/// Workers that share a queue.
pub(super) struct Crew<R> {
    /// Held while waiting for a group: whoever is free next waits for it.
    queue: Mutex<Queue<R>>,
    /// How many can work, as far as they know.
    up: watch::Sender<usize>,
}

impl<R: Request> Crew<R> {
    pub(super) fn new(queue: Queue<R>, workers: usize) -> Self {
        Self { queue: Mutex::new(queue), up: watch::Sender::new(workers) }
    }

    /// `None` once there will never be more.
    async fn next_group(&self) -> Option<Vec<R>> {
        let mut group = Vec::new();
        self.queue.lock().await.next_group(&mut group).await.then_some(group)
    }

    /// Answers what waits with a failure. `false` once there will never be more.
    async fn refuse_group(&self, reason: &StoreError) -> bool {
        let group = self.next_group().await;
        group.is_some_and(|mut group| {
            settle_all(&mut group, Some(reason));
            true
        })
    }
}

/// Of all workers of a store: it is told once, and who finds the server again tells the others.
#[derive(Default)]
pub(super) struct Outage {
    is_over: Notify,
    /// Workers that have lost their connection and have not done anything since.
    failing: AtomicUsize,
}

/// One worker, for as long as there can be requests.
pub(super) struct Line<W: Worker> {
    pub(super) crew: Arc<Crew<W::Request>>,
    pub(super) connector: Arc<Connector>,
    pub(super) outage: Arc<Outage>,
    pub(super) worker: Option<W>,
    pub(super) is_failing: bool,
    /// The process of the server that has the last write that was given up on.
    pub(super) abandoned: Option<i32>,
}

impl<W: Worker> Line<W> {
    pub(super) async fn serve(mut self) {
        while let Some(mut group) = self.crew.next_group().await {
            match self.connect().await {
                Ok(worker) => self.carry_out(worker, group).await,
                Err(reason) => {
                    settle_all(&mut group, Some(&reason));
                    if !self.recover(&reason).await {
                        break;
                    }
                }
            }
        }
        self.crew.up.send_modify(|up| *up = up.saturating_sub(1));
        if let Some(worker) = self.worker {
            worker.close().await;
        }
    }

    /// The connection that is there, or a new one: one that was closed while nobody used it costs no request.
    async fn connect(&mut self) -> Result<W, StoreError> {
        if let Some(worker) = self.worker.take().filter(|worker| !worker.session().is_closed()) {
            return Ok(worker);
        }
        open(&self.connector, self.abandoned).await.map_err(|error| {
            let reason = StoreError::Unavailable(error.to_string());
            self.failed(&reason);
            reason
        })
    }

    async fn carry_out(&mut self, worker: W, mut group: Vec<W::Request>) {
        match worker.carry_out(&mut group).await {
            Ok(()) => {
                self.worker = Some(worker);
                self.abandoned = None;
                self.recovered();
            }
            Err(failure) => {
                let reason = failure.of_store(&self.connector.name);
                if failure.leaves_connection() {
                    self.worker = Some(worker);
                } else {
                    // With an open question, or on a server that no longer takes writes, it is of no more use. The next
                    // group finds out whether a new one is.
                    self.abandoned = Some(worker.session().backend);
                    self.failed(&reason);
                }
                settle_all(&mut group, Some(&reason));
            }
        }
    }

    /// Tries to connect until that works. Meanwhile the others take what comes, and if there are none it is refused at
    /// once. `false` once there will never be more.
    async fn recover(&mut self, reason: &StoreError) -> bool {
        let crew = Arc::clone(&self.crew);
        crew.up.send_modify(|up| *up = up.saturating_sub(1));
        let mut up = crew.up.subscribe();
        let (connector, outage) = (Arc::clone(&self.connector), Arc::clone(&self.outage));
        let mut attempts = pin!(connect_at_last(&connector, &outage, self.abandoned));
        loop {
            let nobody_is_up = *up.borrow_and_update() == 0;
            tokio::select! {
                worker = &mut attempts => {
                    self.worker = Some(worker);
                    self.recovered();
                    outage.is_over.notify_waiters();
                    crew.up.send_modify(|up| *up += 1);
                    return true;
                }
                more = crew.refuse_group(reason), if nobody_is_up => {
                    if !more {
                        crew.up.send_modify(|up| *up += 1);
                        return false;
                    }
                }
                // The sender is in the crew, which is held here.
                _ = up.changed() => {}
            }
        }
    }

    fn failed(&mut self, failure: &StoreError) {
        if !self.is_failing && self.outage.failing.fetch_add(1, Ordering::Relaxed) == 0 {
            tracing::error!(store = %self.connector.name, error = %failure, "the store lost its connection");
        }
        self.is_failing = true;
    }

    fn recovered(&mut self) {
        if self.is_failing && self.outage.failing.fetch_sub(1, Ordering::Relaxed) == 1 {
            tracing::info!(store = %self.connector.name, "the store is connected again");
        }
        self.is_failing = false;
    }
}

/// Not while what was given up on still waits for a standby on that server: each attempt would leave one more behind, until
/// nobody can connect any more.
async fn open<W: Worker>(connector: &Connector, abandoned: Option<i32>) -> Result<W, OpenError> {
    let worker = W::open(connector).await?;
    if let Some(backend) = abandoned {
        let waits = worker.session().sees_waiting(backend, deadline()).await;
        if waits.map_err(|failure| OpenError::failed(&connector.name, &failure))? {
            worker.close().await;
            let reason = "no standby has acknowledged an earlier commit yet".to_owned();
            return Err(OpenError::Failed { store: connector.name.clone(), reason });
        }
    }
    Ok(worker)
}

async fn connect_at_last<W: Worker>(connector: &Connector, outage: &Outage, abandoned: Option<i32>) -> W {
    let mut pause = FIRST_PAUSE;
    loop {
        tokio::select! {
            () = sleep(pause) => {}
            () = outage.is_over.notified() => {}
        }
        if let Ok(worker) = open(connector, abandoned).await {
            return worker;
        }
        pause = (pause * 2).min(LAST_PAUSE);
    }
}
