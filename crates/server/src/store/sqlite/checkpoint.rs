//! Keeps the write-ahead log short. Must never stall a commit for a whole checkpoint, and never let the log
//! grow without end.
//!
//! Checkpoints beside the writer never finish under steady load: there is always a page written since. The
//! writer alone would stall for all the copying. So a thread copies twice, the second time little, and has it written to the
//! disk; the writer copies what is left while no reader is inside, and its next commit starts the log from the front.

use super::super::StoreError;
use super::gate::Gate;
use super::held_file::HeldFile;
use super::link::Link;
use crate::store::Migration;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, wal::CheckpointMode};
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Bytes in the log that are worth starting it from the front, for which the writer has to wait for what is left.
const WORTH_IT: u32 = 24 << 20;

/// Bytes in the log that are worth copying what has come. While the disk takes what was copied, commits wait for it too: many
/// small portions cost more in all, since a page that was changed many times is copied many times, and few large ones make
/// for longer waits.
const PORTION: u32 = 6 << 20;

/// Bytes on top of these after which the writer waits for the copying thread, which it has outrun.
const OUTRUN: u32 = 16 << 20;

/// How long the writer waits for a thread it has outrun.
const COPY_PATIENCE: Duration = Duration::from_secs(1);

/// How long the writer waits for a reader. Nearly always one is out within a millisecond; only whoever asks for
/// hundreds of thousands of rows at once takes longer than this.
const READER_PATIENCE: Duration = Duration::from_millis(250);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Idle,
    /// The thread shall copy, or does.
    Wanted,
    /// It has; the rest is the writer's.
    Copied,
    /// The store closes.
    Over,
}

/// Where the writer and the copying thread hand over to one another.
pub(super) struct Handover {
    stage: Mutex<Stage>,
    changed: Condvar,
}

impl Handover {
    pub(super) fn new() -> Self {
        Self { stage: Mutex::new(Stage::Idle), changed: Condvar::new() }
    }

    /// The copying thread's whole life ends with this.
    pub(super) fn end(&self) {
        self.set(Stage::Over);
    }

    fn set(&self, stage: Stage) {
        *self.lock() = stage;
        self.changed.notify_all();
    }

    fn await_change_from(&self, stage: Stage) -> Stage {
        let waited = self.changed.wait_while(self.lock(), |now| *now == stage);
        *waited.unwrap_or_else(PoisonError::into_inner)
    }

    fn await_copied(&self) -> Stage {
        let waited = self.changed.wait_timeout_while(self.lock(), COPY_PATIENCE, |now| *now == Stage::Wanted);
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }

    fn lock(&self) -> MutexGuard<'_, Stage> {
        self.stage.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The writer's side.
pub(super) struct LogWatch {
    handover: Arc<Handover>,
    gate: Arc<Gate>,
    pages: Arc<AtomicU32>,
    page_size: u32,
    pages_before: u32,
    portion_at: u32,
    outrun_at: u32,
}

impl LogWatch {
    pub(super) fn new(handover: Arc<Handover>, gate: Arc<Gate>) -> Self {
        let pages = Arc::default();
        let (portion_at, outrun_at) = (u32::MAX, u32::MAX);
        Self { handover, gate, pages, page_size: 1, pages_before: 0, portion_at, outrun_at }
    }

    /// Counts the pages of the log at each commit of this connection.
    pub(super) fn watch(&mut self, connection: &mut Connection) -> rusqlite::Result<()> {
        self.page_size = connection.pragma_query_value(None, "page_size", |row| row.get::<_, u32>(0))?.max(1);
        self.portion_at = self.in_pages(PORTION);
        let pages = Arc::clone(&self.pages);
        connection.wal_hook(Some(move |_: &mut _, now: i32| {
            pages.store(now.unsigned_abs(), Ordering::Relaxed);
            Ok(())
        }))
    }

    fn in_pages(&self, bytes: u32) -> u32 {
        bytes / self.page_size
    }

    /// To be called after each commit, when its waiters have been answered.
    pub(super) fn after_commit(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        let pages = self.pages.load(Ordering::Relaxed);
        if pages < self.pages_before {
            // The log has started from the front.
            self.portion_at = self.in_pages(PORTION);
        }
        self.pages_before = pages;
        let mut stage = *self.handover.lock();
        if stage == Stage::Idle && pages >= self.portion_at {
            // Counted on from here: what a reader in another process holds back is not tried at each commit.
            self.portion_at = pages.saturating_add(self.in_pages(PORTION));
            self.outrun_at = pages.max(self.in_pages(WORTH_IT)).saturating_add(self.in_pages(OUTRUN));
            stage = Stage::Wanted;
            self.handover.set(stage);
        }
        if stage == Stage::Wanted && pages >= self.outrun_at {
            stage = self.handover.await_copied();
        }
        if stage == Stage::Copied && pages < self.in_pages(WORTH_IT) {
            self.handover.set(Stage::Idle);
        } else if stage == Stage::Copied
            && let Some(_closed) = self.gate.close(READER_PATIENCE)
        {
            passive(connection)?;
            self.handover.set(Stage::Idle);
        }
        Ok(())
    }
}

/// The copying thread's side.
pub(super) fn run(path: &Path, file: &HeldFile, handover: &Handover) {
    let mut link = None;
    let mut stage = Stage::Idle;
    while stage != Stage::Over {
        stage = handover.await_change_from(stage);
        if stage == Stage::Wanted {
            if let Err(error) = connected(&mut link, path).and_then(|link| copy(link, file)) {
                tracing::warn!(store = %path.display(), %error, "the log could not be copied; it grows");
                link = None;
            }
            let mut now = handover.lock();
            if *now == Stage::Wanted {
                *now = Stage::Copied;
            }
            stage = *now;
            drop(now);
            handover.changed.notify_all();
        }
    }
    close(link, path);
}

/// SQLite leaves the sync of what it has copied to whoever copies the last page, who would be the writer.
fn copy(link: &Link, file: &HeldFile) -> Result<(), StoreError> {
    for _ in 0..2 {
        passive(&link.connection).map_err(|error| link.failure(&error))?;
        file.sync().map_err(|error| StoreError::Unavailable(error.to_string()))?;
    }
    Ok(())
}

fn connected<'a>(link: &'a mut Option<Link>, path: &Path) -> Result<&'a Link, StoreError> {
    if link.as_ref().is_some_and(|link| link.check_in_place().is_err()) {
        *link = None;
    }
    match link {
        Some(link) => Ok(link),
        None => Ok(link.insert(Link::open(path, Migration::Keep)?)),
    }
}

/// If this is the last connection to the file, its closing copies all and removes the log.
fn close(mut link: Option<Link>, path: &Path) {
    let closed = connected(&mut link, path).and_then(|link| {
        link.connection
            .set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false)
            .map_err(|error| link.failure(&error))
    });
    if let Err(error) = closed {
        tracing::warn!(store = %path.display(), %error, "closed without a last checkpoint; nothing is lost by that");
    }
}

/// Copies what no reader still needs the old page of. Somebody else at it is no failure.
fn passive(connection: &Connection) -> rusqlite::Result<()> {
    match connection.wal_checkpoint_v2(Some("main"), CheckpointMode::PASSIVE) {
        Err(error) if error.sqlite_error_code() == Some(rusqlite::ErrorCode::DatabaseBusy) => Ok(()),
        result => result.map(|_| ()),
    }
}
