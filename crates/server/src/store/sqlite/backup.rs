//! A copy of the database while others go on writing it. Must never be taken for one before it is whole and on the
//! disk, and never take the place of a file that exists.

use super::link::Link;
use super::open_error::OpenError;
use crate::store::Migration;
use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior};
use std::ffi::c_int;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;

/// 1 MiB, after which the copy is synced: the service's commits would otherwise wait for all that piles up. Beside 32
/// writers 320 MB took a second and held none up for longer than 65 ms; with one sync at the end it was 170 ms.
const PAGES_AT_ONCE: c_int = 256;

#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    #[error("{}: exists, and a backup never takes the place of a file", .0.display())]
    Exists(PathBuf),
    #[error("{}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("{}: cannot be copied: {source}", path.display())]
    Sqlite { path: PathBuf, source: rusqlite::Error },
    #[error("{}: cannot be copied: another program has locked it", .0.display())]
    Locked(PathBuf),
    #[error(transparent)]
    Open(#[from] OpenError),
}

/// Bytes copied, and bytes in all.
pub type Progress<'a> = &'a mut dyn FnMut(u64, u64);

/// Copies the database at `path` into a new file, readable by its owner only.
pub(super) fn back_up(path: &Path, target: &Path, progress: Progress<'_>) -> Result<(), BackupError> {
    let failed = |source| BackupError::Io { path: target.to_owned(), source };
    if fs::symlink_metadata(target).is_ok() {
        return Err(BackupError::Exists(target.to_owned()));
    }
    let link = Link::open(path, Migration::Keep)?;
    let directory = target.parent().filter(|parent| !parent.as_os_str().is_empty());
    let directory = directory.unwrap_or(Path::new("."));
    // Under another name until it is whole. Such files have mode 0600.
    let part = tempfile::Builder::new().prefix(".einmal-backup-").tempfile_in(directory).map_err(failed)?;
    copy(&link.connection, path, &part, progress)?;
    part.as_file().sync_all().map_err(failed)?;
    part.persist_noclobber(target).map_err(|error| match error.error.kind() {
        io::ErrorKind::AlreadyExists => BackupError::Exists(target.to_owned()),
        _ => failed(error.error),
    })?;
    File::open(directory).and_then(|directory| directory.sync_all()).map_err(failed)
}

fn copy(
    source: &Connection,
    path: &Path,
    part: &NamedTempFile,
    progress: Progress<'_>,
) -> Result<(), BackupError> {
    let failed = |source| BackupError::Sqlite { path: path.to_owned(), source };
    let mut target = open_target(part.path()).map_err(failed)?;
    // One snapshot for all steps. Without it each commit of the service would make the copy begin anew, and under
    // load it would never end. Writers do not wait for it; only their log grows meanwhile.
    let snapshot = Transaction::new_unchecked(source, TransactionBehavior::Deferred).map_err(failed)?;
    snapshot.query_row("SELECT count(*) FROM sqlite_schema", (), |_| Ok(())).map_err(failed)?;
    let page_size: u32 = snapshot.pragma_query_value(None, "page_size", |row| row.get(0)).map_err(failed)?;
    let backup = Backup::new(&snapshot, &mut target).map_err(failed)?;
    loop {
        let step = backup.step(PAGES_AT_ONCE).map_err(failed)?;
        let pages = backup.progress();
        let bytes = |pages: c_int| u64::from(pages.unsigned_abs()) * u64::from(page_size);
        progress(bytes(pages.pagecount - pages.remaining), bytes(pages.pagecount));
        match step {
            StepResult::Done => break,
            StepResult::More => {}
            _ => return Err(BackupError::Locked(path.to_owned())),
        }
        let synced = part.as_file().sync_data();
        synced.map_err(|source| BackupError::Io { path: part.path().to_owned(), source })?;
    }
    drop(backup);
    // A single file for everybody, that can be read where nothing can be written. Opening it as a store turns the
    // log on again.
    target.pragma_update_and_check(None, "journal_mode", "delete", |_| Ok(())).map_err(failed)
}

/// Neither log nor sync of its own: a copy that is cut short is thrown away.
fn open_target(path: &Path) -> rusqlite::Result<Connection> {
    let target = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    target.pragma_update_and_check(None, "journal_mode", "off", |_| Ok(()))?;
    target.pragma_update(None, "synchronous", "OFF")?;
    target.pragma_update(None, "cache_size", -2 << 10)?;
    Ok(target)
}
