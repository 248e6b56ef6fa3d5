//! A connection to the database file, and the loop that lives on one. Must never create a file after the
//! first opening, and never go on with a connection after an error, but that of reading what is damaged, or when its file
//! is no longer the one at the path: what it then writes is in nobody's database.

use super::super::StoreError;
use super::super::batch::{Queue, Request, settle_all};
use super::migrate;
use super::open_error::OpenError;
use crate::store::{Migration, Schema};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags};
use std::ffi::OsString;
use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

/// How long to wait for another process that is writing.
pub(super) const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// After a failure, before the next group is tried: a broken disk must not cost a whole core.
const PAUSE: Duration = Duration::from_millis(50);

/// A log that outgrew this, because another process was reading for long, is cut back at its next restart.
const LOG_SIZE_LIMIT: i64 = 48 << 20;

/// Pages kept by each connection, in KiB, negative as the pragma wants it.
const CACHE_KIB: i64 = -32 << 10;

/// Bytes of a page, of files that are made from now on. A commit writes the whole page of each guard that it changes, twice in
/// the end, and a guard has some hundred bytes; one of half a page would take a second one.
const PAGE_SIZE: u32 = 2048;

/// Device and inode.
type FileId = (u64, u64);

pub(super) struct Link {
    pub(super) connection: Connection,
    pub(super) schema: Schema,
    database: PathBuf,
    log: PathBuf,
    /// Of the database, and of its log; a copy that nobody has written to has none.
    ids: (FileId, Option<FileId>),
}

impl Link {
    /// Makes the database file if there is none, and brings it to the known schema.
    pub(super) fn create(path: &Path, migration: Migration) -> Result<Self, OpenError> {
        match path.parent() {
            Some(directory) if !directory.is_dir() => {
                return Err(OpenError::NoDirectory(path.to_owned()));
            }
            _ => {}
        }
        if migration == Migration::Apply {
            // Before SQLite sees it, for the mode: its log files then have the same. Closing this handle gives
            // up this process's locks on the file, which is why it is only done to one that is new.
            match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                    return Err(OpenError::io(path, error));
                }
                _ => {}
            }
        } else if !path.exists() {
            return Err(OpenError::Absent(path.to_owned()));
        }
        Self::open(path, migration)
    }

    /// Opens what is there.
    pub(super) fn open(path: &Path, migration: Migration) -> Result<Self, OpenError> {
        let metadata = fs::metadata(path).map_err(|error| OpenError::io(path, error))?;
        if !metadata.is_file() {
            return Err(OpenError::NotAFile(path.to_owned()));
        }
        let mut log = OsString::from(path);
        log.push("-wal");
        let log = PathBuf::from(log);
        if metadata.len() == 0 && fs::metadata(&log).is_ok_and(|log| log.len() > 0) {
            // SQLite would throw the log away, and with it perhaps all there was.
            let detail = format!("it is empty, but {} is not", log.display());
            return Err(OpenError::Damaged { path: path.to_owned(), detail });
        }
        let connection = connect(path).map_err(|error| OpenError::sqlite(path, error))?;
        let failed = |error| OpenError::sqlite(path, error);
        if connection.is_readonly("main").map_err(failed)? {
            return Err(OpenError::ReadOnly(path.to_owned()));
        }
        let schema = migrate::prepare(&connection, path, migration)?;
        let log_id = match file_id(&log) {
            Err(error) if error.kind() == io::ErrorKind::NotFound && migration == Migration::Keep => None,
            log_id => Some(log_id.map_err(|error| OpenError::io(&log, error))?),
        };
        let ids = ((metadata.dev(), metadata.ino()), log_id);
        Ok(Self { connection, schema, database: path.to_owned(), log, ids })
    }

    /// Refuses if the files at the path are not the ones this connection has open: moved, removed, replaced.
    pub(super) fn check_in_place(&self) -> Result<(), StoreError> {
        let log = || self.ids.1.map(|_| file_id(&self.log)).transpose();
        let now = file_id(&self.database).and_then(|database| Ok((database, log()?)));
        match now {
            Ok(ids) if ids == self.ids => Ok(()),
            Ok(_) => Err(StoreError::Unavailable(format!(
                "{}: replaced by another file while in use",
                self.database.display()
            ))),
            Err(error) => Err(StoreError::Unavailable(format!("{}: {error}", self.database.display()))),
        }
    }

    /// Whether the connection failed. Otherwise a row was not as this version writes it, and others may be fine.
    pub(super) fn is_of_connection(error: &rusqlite::Error) -> bool {
        matches!(error, rusqlite::Error::SqliteFailure(..))
    }

    pub(super) fn failure(&self, error: &rusqlite::Error) -> StoreError {
        let detail = format!("{}: {error}", self.database.display());
        match error {
            rusqlite::Error::SqliteFailure(cause, _)
                if !matches!(cause.code, ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) =>
            {
                StoreError::Unavailable(detail)
            }
            rusqlite::Error::FromSqlConversionFailure(.., reason) => {
                StoreError::Damaged(format!("{}: {reason}", self.database.display()))
            }
            // What was read does not have the type that this version writes.
            rusqlite::Error::SqliteFailure(..)
            | rusqlite::Error::InvalidColumnType(..)
            | rusqlite::Error::IntegralValueOutOfRange(..)
            | rusqlite::Error::Utf8Error(..) => StoreError::Damaged(detail),
            _ => StoreError::Unavailable(detail),
        }
    }
}

fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    // A file that has pages keeps their size.
    connection.pragma_update(None, "page_size", PAGE_SIZE)?;
    // Closing would otherwise remove the log by name, which may by then be the log of another database.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    // A spent code must stay spent after power loss: NORMAL would sync the log at checkpoints only.
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "fullfsync", true)?;
    connection.pragma_update(None, "checkpoint_fullfsync", true)?;
    connection.pragma_update(None, "cache_size", CACHE_KIB)?;
    connection.pragma_update_and_check(None, "wal_autocheckpoint", 0, |_| Ok(()))?;
    connection.pragma_update_and_check(None, "journal_size_limit", LOG_SIZE_LIMIT, |_| Ok(()))?;
    Ok(connection)
}

fn file_id(path: &Path) -> io::Result<FileId> {
    let metadata = fs::metadata(path)?;
    Ok((metadata.dev(), metadata.ino()))
}

/// Runs `session` on one connection for as long as that works, and on a new one after it has failed. What a
/// session leaves in the group it failed with is answered with that failure. `migration` is for the new ones.
pub(super) fn serve<R: Request>(
    queue: &mut Queue<R>,
    path: &Path,
    mut first: Option<Link>,
    migration: Migration,
    mut session: impl FnMut(Link, &mut Queue<R>, &mut Vec<R>) -> Result<(), StoreError>,
) {
    let mut group = Vec::new();
    let mut working = true;
    while queue.next_group_blocking(&mut group) {
        let link = first.take().map_or_else(|| Link::open(path, migration), Ok);
        let ended = link.map_err(StoreError::from).and_then(|link| {
            if !working {
                tracing::info!(store = %path.display(), "the store is connected again");
                working = true;
            }
            session(link, queue, &mut group)
        });
        let Err(failure) = ended else { return };
        if working {
            tracing::error!(store = %path.display(), error = %failure, "the store lost its connection");
            working = false;
        }
        settle_all(&mut group, Some(&failure));
        thread::park_timeout(PAUSE);
    }
}
