//! The embedded engine: one `SQLite` file, one thread that writes, one that reads, one that keeps the log
//! short. Must never block the runtime, except when it is dropped.

mod backup;
mod check;
mod checkpoint;
mod fence;
mod gate;
mod held_file;
mod link;
mod load;
mod migrate;
mod open_error;
mod reader;
mod writer;

pub use backup::{BackupError, Progress};
pub use open_error::OpenError;

use super::batch::{self, Intake};
use super::requests::{Read, Write, check_complete, take};
use super::{
    Attempt, Fence, Inspection, Migration, Schema, SealedAccount, Store, StoreError, StoreFuture, Swap,
    SwapOutcome, TakenFuture,
};
use crate::metrics::{Metrics, StoreMetrics};
use checkpoint::{Handover, LogWatch};
use einmal_core::account::AccountId;
use fence::Pass;
use gate::Gate;
use held_file::HeldFile;
use link::{Link, serve};
use std::path::{self, Path, PathBuf};
use std::sync::Arc;
use std::thread::{self, JoinHandle};

/// Dropping it finishes what is queued, makes a last checkpoint and waits for that.
pub struct SqliteStore {
    /// `None` only while it is dropped.
    writes: Option<Intake<Write>>,
    path: PathBuf,
    schema: Schema,
    reads: Option<Intake<Read>>,
    workers: Vec<JoinHandle<()>>,
    handover: Arc<Handover>,
    checkpointer: Option<JoinHandle<()>>,
    /// Until all connections are closed.
    _file: Arc<HeldFile>,
}

impl SqliteStore {
    /// Opens the database file, makes it if there is none, and brings it to the known schema.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        Self::open_with(path, Migration::Apply)
    }

    /// With [`Migration::Refuse`] no schema is made or changed: the file must be there and have the known one.
    pub fn open_with(path: &Path, migration: Migration) -> Result<Self, OpenError> {
        Self::open_counted(path, migration, &Metrics::default().store)
    }

    /// The same, with what its queues do counted in `metrics`.
    pub fn open_counted(
        path: &Path,
        migration: Migration,
        metrics: &StoreMetrics,
    ) -> Result<Self, OpenError> {
        Self::open_as(path, migration, metrics, Pass::default())
    }

    /// For whoever has closed it to others with this fence: it takes writes while that is its fence, and only then.
    pub fn open_behind_fence(path: &Path, fence: &Fence, metrics: &StoreMetrics) -> Result<Self, OpenError> {
        Self::open_as(path, Migration::Refuse, metrics, Pass::of(fence))
    }

    fn open_as(
        path: &Path,
        migration: Migration,
        metrics: &StoreMetrics,
        pass: Pass,
    ) -> Result<Self, OpenError> {
        // Absolute, so that a name such as `file:…` or `:memory:` means a file, here as for SQLite.
        let path = path::absolute(path).map_err(|error| OpenError::io(path, error))?;
        let first = Link::create(&path, migration)?;
        let again = if migration == Migration::Keep { Migration::Keep } else { Migration::Refuse };

        let file = Arc::new(HeldFile::open(&path).map_err(|error| OpenError::io(&path, error))?);
        let gate = Arc::new(Gate::default());
        let handover = Arc::new(Handover::new());
        let (writes, mut write_queue) = batch::queue(metrics.writes.clone());
        let (reads, mut read_queue) = batch::queue(metrics.reads.clone());
        // From here on dropping `store` stops the threads that have been started.
        let mut store = Self {
            writes: Some(writes),
            path: path.clone(),
            schema: first.schema,
            reads: Some(reads),
            workers: Vec::new(),
            handover: Arc::clone(&handover),
            checkpointer: None,
            _file: Arc::clone(&file),
        };

        let mut log = LogWatch::new(Arc::clone(&handover), Arc::clone(&gate));
        let database = path.clone();
        store.workers.push(spawn("einmal-store-writer", move || {
            serve(&mut write_queue, &database, Some(first), again, |link, queue, group| {
                writer::session(link, &pass, &mut log, queue, group)
            });
        })?);
        let database = path.clone();
        store.workers.push(spawn("einmal-store-reader", move || {
            serve(&mut read_queue, &database, None, again, |link, queue, group| {
                reader::session(&link, &gate, queue, group)
            });
        })?);
        store.checkpointer =
            Some(spawn("einmal-store-checkpointer", move || checkpoint::run(&path, &file, &handover))?);
        Ok(store)
    }

    /// What it was when it was opened, and what it is now unless it was to be kept.
    pub fn schema(&self) -> Schema {
        self.schema
    }

    /// Copies everything into a new file, readable by its owner only and on the disk when this returns. Others go on
    /// writing. Blocks, and never the store's own threads.
    pub fn back_up(&self, target: &Path, progress: Progress<'_>) -> Result<(), BackupError> {
        backup::back_up(&self.path, target, progress)
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

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, OpenError> {
    thread::Builder::new().name(name.to_owned()).spawn(work).map_err(OpenError::Thread)
}

impl Drop for SqliteStore {
    fn drop(&mut self) {
        self.writes = None;
        self.reads = None;
        for worker in self.workers.drain(..) {
            // Whoever waited for a thread that panicked has been answered by its queue's end.
            let _ = worker.join();
        }
        // Last, so that its connection is the last one too and its closing can remove the log.
        self.handover.end();
        if let Some(checkpointer) = self.checkpointer.take() {
            let _ = checkpointer.join();
        }
    }
}

impl Store for SqliteStore {
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
        let path = self.path.clone();
        let inspect = move || {
            let link = Link::open(&path, Migration::Keep)?;
            check::inspect(&link.connection).map_err(|error| link.failure(&error))
        };
        Box::pin(async move {
            let inspected = tokio::task::spawn_blocking(inspect).await;
            inspected.map_err(|_| StoreError::Unavailable("the check panicked".to_owned()))?
        })
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
        let path = self.path.clone();
        let swap = move || {
            let link = Link::open(&path, Migration::Keep)?;
            let swapped = fence::swap(&link.connection, expected.as_ref(), fence.as_ref());
            let outcome = swapped.map_err(|error| link.failure(&error))?;
            // The commit may have waited, and must not be answered for a file that has gone.
            link.check_in_place()?;
            Ok(outcome)
        };
        Box::pin(async move {
            let swapped = tokio::task::spawn_blocking(swap).await;
            swapped.map_err(|_| StoreError::Unavailable("the fence panicked".to_owned()))?
        })
    }

    fn probe(&self) -> StoreFuture<'_, ()> {
        Box::pin(async move { self.writes()?.ask((), Write::Probe).await })
    }
}
