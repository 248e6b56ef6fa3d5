//! The engine for several machines: a PostgreSQL server, or what speaks its protocol. Groups are carried out on few
//! connections by a thread of the store's own. Must never block the runtime, except when it is dropped.

mod check;
mod connect;
mod durability;
mod failure;
mod fence;
mod held;
mod load;
mod migrate;
mod open_error;
mod patience;
mod reader;
mod rounds;
mod serve;
mod session;
mod statements;
mod tls;
mod writer;

pub use open_error::OpenError;

use super::batch::{self, Intake, Queue};
use super::requests::{Read, Write, check_complete, take};
use super::{
    Attempt, Fence, Inspection, Migration, Schema, SealedAccount, Store, StoreError, StoreFuture, Swap,
    SwapOutcome, TakenFuture,
};
use crate::config::Postgres;
use crate::metrics::StoreMetrics;
use connect::Connector;
use einmal_core::account::AccountId;
use reader::Reader;
use serve::{Crew, Line, Outage, Worker};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;
use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use writer::Writer;

/// Dropping it finishes what is queued and waits for that.
pub struct PostgresStore {
    /// `None` only while it is dropped.
    writes: Option<Intake<Write>>,
    reads: Option<Intake<Read>>,
    connector: Arc<Connector>,
    /// Of the store's own thread.
    runtime: Handle,
    thread: Option<JoinHandle<()>>,
    schema: Schema,
    doubts: Vec<String>,
}

/// What an opening has found.
struct Found {
    runtime: Handle,
    schema: Schema,
    doubts: Vec<String>,
}

impl PostgresStore {
    /// Connects, and brings the database to the known schema or refuses to. What the queues do is counted in `metrics`.
    pub async fn open(
        server: &Postgres,
        migration: Migration,
        metrics: &StoreMetrics,
    ) -> Result<Self, OpenError> {
        Self::open_as(server, migration, metrics, None).await
    }

    /// For whoever has closed it to others with this fence: it takes writes while that is its fence, and only then.
    pub async fn open_behind_fence(
        server: &Postgres,
        fence: &Fence,
        metrics: &StoreMetrics,
    ) -> Result<Self, OpenError> {
        Self::open_as(server, Migration::Refuse, metrics, Some(fence.clone())).await
    }

    async fn open_as(
        server: &Postgres,
        migration: Migration,
        metrics: &StoreMetrics,
        pass: Option<Fence>,
    ) -> Result<Self, OpenError> {
        let connector = Arc::new(Connector::new(server, pass)?);
        let (writes, write_queue) = batch::queue(metrics.writes.clone());
        let (reads, read_queue) = batch::queue(metrics.reads.clone());
        let (report, found) = oneshot::channel();
        let work = {
            let connector = Arc::clone(&connector);
            async move { work(connector, migration, write_queue, read_queue, report).await }
        };
        let thread = thread::Builder::new().name("einmal-store".to_owned()).spawn(move || {
            match Builder::new_current_thread().enable_all().build() {
                Ok(runtime) => {
                    runtime.block_on(work);
                    // Whatever still looks a name up is not waited for.
                    runtime.shutdown_timeout(Duration::ZERO);
                }
                Err(error) => tracing::error!(%error, "the store has no runtime"),
            }
        });
        let thread = thread.map_err(OpenError::Thread)?;
        let ended =
            || OpenError::Failed { store: connector.name.clone(), reason: "its thread has ended".to_owned() };
        let Found { runtime, schema, doubts } = found.await.map_err(|_| ended())??;
        let (writes, reads, thread) = (Some(writes), Some(reads), Some(thread));
        Ok(Self { writes, reads, connector, runtime, thread, schema, doubts })
    }

    /// What it was when it was opened, and what it is now unless it was to be kept.
    pub fn schema(&self) -> Schema {
        self.schema
    }

    /// How the server may lose what it has acknowledged, in words.
    pub fn doubts(&self) -> &[String] {
        &self.doubts
    }

    fn writes(&self) -> Result<&Intake<Write>, StoreError> {
        self.writes.as_ref().ok_or_else(closed)
    }

    fn reads(&self) -> Result<&Intake<Read>, StoreError> {
        self.reads.as_ref().ok_or_else(closed)
    }
}

fn closed() -> StoreError {
    StoreError::Unavailable("the store is closed".to_owned())
}

/// All that the store's thread does.
async fn work(
    connector: Arc<Connector>,
    migration: Migration,
    writes: Queue<Write>,
    reads: Queue<Read>,
    report: oneshot::Sender<Result<Found, OpenError>>,
) {
    let (found, first) = match begin(&connector, migration).await {
        Ok(begun) => begun,
        Err(error) => {
            let _ = report.send(Err(error));
            return;
        }
    };
    if report.send(Ok(found)).is_err() {
        return;
    }
    let (first_writer, first_reader) = first.unzip();
    let mut workers = JoinSet::new();
    let outage = Arc::new(Outage::default());
    spawn(&mut workers, writes, &connector, &outage, first_writer);
    spawn(&mut workers, reads, &connector, &outage, first_reader);
    while workers.join_next().await.is_some() {}
}

/// Connects for the first time. Without the known schema there are no statements to prepare.
async fn begin(
    connector: &Connector,
    migration: Migration,
) -> Result<(Found, Option<(Writer, Reader)>), OpenError> {
    let session = connector.connect_plainly().await?;
    let doubts = durability::doubts(&session, connector.requires_synchronous()).await;
    let doubts = doubts.map_err(|failure| OpenError::failed(&connector.name, &failure))?;
    if connector.requires_synchronous() && !doubts.is_empty() {
        return Err(OpenError::NotSynchronous { store: connector.name.clone(), reasons: doubts.join("; ") });
    }
    let schema = migrate::prepare(&session, connector, migration).await?;
    session.close().await;
    let is_known = migration != Migration::Keep || schema.found == schema.known;
    let first =
        if is_known { Some((Writer::open(connector).await?, Reader::open(connector).await?)) } else { None };
    Ok((Found { runtime: Handle::current(), schema, doubts }, first))
}

/// As many workers on one queue as there are to be connections.
fn spawn<W: Worker + 'static>(
    workers: &mut JoinSet<()>,
    queue: Queue<W::Request>,
    connector: &Arc<Connector>,
    outage: &Arc<Outage>,
    mut first: Option<W>,
) {
    let crew = Arc::new(Crew::new(queue, connector.connections()));
    for _ in 0..connector.connections() {
        let (crew, connector, outage) = (Arc::clone(&crew), Arc::clone(connector), Arc::clone(outage));
        let line = Line { crew, connector, outage, worker: first.take(), is_failing: false, abandoned: None };
        workers.spawn(line.serve());
    }
}

impl Drop for PostgresStore {
    fn drop(&mut self) {
        self.writes = None;
        self.reads = None;
        if let Some(thread) = self.thread.take() {
            // Whoever waited for a worker that panicked has been answered by its queue's end.
            let _ = thread.join();
        }
    }
}

impl Store for PostgresStore {
    fn load_many(&self, ids: Vec<AccountId>) -> StoreFuture<'_, Vec<Option<SealedAccount>>> {
        Box::pin(async move { self.reads()?.ask(ids, Read::Load).await })
    }

    fn swap_many(&self, swaps: Vec<Swap>) -> StoreFuture<'_, Vec<SwapOutcome>> {
        Box::pin(async move {
            check_complete(&swaps)?;
            self.writes()?.ask(swaps, Write::Swap).await
        })
    }

    fn attempt(&self, attempt: Box<dyn Attempt>) -> TakenFuture<'_> {
        Box::pin(take(self.writes(), attempt))
    }

    fn delete(&self, id: AccountId) -> StoreFuture<'_, bool> {
        Box::pin(async move { self.writes()?.ask(id, Write::Delete).await })
    }

    fn scan(
        &self,
        after: Option<AccountId>,
        limit: usize,
    ) -> StoreFuture<'_, Vec<(AccountId, SealedAccount)>> {
        Box::pin(async move { self.reads()?.ask((after, limit), Read::Scan).await })
    }

    fn ids(&self, after: Option<AccountId>, limit: usize) -> StoreFuture<'_, Vec<AccountId>> {
        Box::pin(async move { self.reads()?.ask((after, limit), Read::Ids).await })
    }

    fn check(&self) -> StoreFuture<'_, Inspection> {
        let connector = Arc::clone(&self.connector);
        let inspecting = self.runtime.spawn(async move {
            let session = connector.connect_plainly().await;
            let session = session.map_err(|error| StoreError::Unavailable(error.to_string()))?;
            let inspection = check::inspect(&session).await;
            session.close().await;
            inspection.map_err(|failure| failure.of_store(&connector.name))
        });
        Box::pin(async move { inspecting.await.map_err(|_| closed())? })
    }

    fn property(&self, name: &'static str) -> StoreFuture<'_, Option<Vec<u8>>> {
        Box::pin(async move { self.reads()?.ask(name, Read::Property).await })
    }

    fn swap_property(
        &self,
        name: &'static str,
        expected: Option<Vec<u8>>,
        value: Vec<u8>,
    ) -> StoreFuture<'_, SwapOutcome> {
        Box::pin(async move { self.writes()?.ask((name, expected, value), Write::Property).await })
    }

    fn swap_fence(&self, expected: Option<Fence>, fence: Option<Fence>) -> StoreFuture<'_, SwapOutcome> {
        let connector = Arc::clone(&self.connector);
        let swapping = self.runtime.spawn(async move {
            let swapped = fence::swap(&connector, expected.as_ref(), fence.as_ref()).await;
            swapped.map_err(|failure| failure.of_store(&connector.name))
        });
        Box::pin(async move { swapping.await.map_err(|_| closed())? })
    }

    fn probe(&self) -> StoreFuture<'_, ()> {
        Box::pin(async move { self.writes()?.ask((), Write::Probe).await })
    }
}
