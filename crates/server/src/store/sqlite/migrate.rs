//! Brings a database file to the schema this version knows. Must never touch a file that is not ours, nor
//! one of a newer schema.

use super::open_error::OpenError;
use crate::store::{Migration, Schema};
use rusqlite::{Connection, ErrorCode, Transaction, TransactionBehavior};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

/// In order; the schema version is how many of them have been applied. One that was released is never edited.
const MIGRATIONS: [&str; 1] = [include_str!("../../../migrations/sqlite/0001_accounts.sql")];

/// "einm": marks a database file as ours.
const APPLICATION_ID: i64 = 0x6569_6e6d;

/// Leaves the database at the known schema, or says why not. Returns what it was before.
pub(super) fn prepare(
    connection: &Connection,
    path: &Path,
    migration: Migration,
) -> Result<Schema, OpenError> {
    let reading = begin(connection, path, TransactionBehavior::Deferred)?;
    let found = schema_version(&reading, path)?;
    drop(reading);
    let known = known();
    match migration {
        Migration::Keep => return Ok(Schema { found, known }),
        Migration::Refuse if found != known => {
            return Err(OpenError::Behind { path: path.to_owned(), found, known });
        }
        Migration::Apply | Migration::Refuse => {}
    }
    // Also where the schema is there: a copy has no log.
    use_log(connection, path)?;
    let is_known = found == known;
    let behavior = if is_known { TransactionBehavior::Deferred } else { TransactionBehavior::Immediate };
    let writing = begin(connection, path, behavior)?;
    // Looked at once more: another process may have done it while this one waited for the lock.
    let found = schema_version(&writing, path)?;
    if found == known {
        return Ok(Schema { found, known });
    }
    let applied = || -> rusqlite::Result<()> {
        for sql in MIGRATIONS.iter().skip(usize::try_from(found).unwrap_or_default()) {
            writing.execute_batch(sql)?;
        }
        writing.pragma_update(None, "application_id", APPLICATION_ID)?;
        writing.pragma_update(None, "user_version", known)?;
        writing.commit()
    };
    applied().map_err(|error| OpenError::sqlite(path, error))?;
    Ok(Schema { found, known })
}

fn known() -> i64 {
    i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX)
}

fn begin<'a>(
    connection: &'a Connection,
    path: &Path,
    behavior: TransactionBehavior,
) -> Result<Transaction<'a>, OpenError> {
    Transaction::new_unchecked(connection, behavior).map_err(|error| OpenError::sqlite(path, error))
}

/// 0 for an empty database. Call it within a transaction: the answers must belong together.
fn schema_version(connection: &Connection, path: &Path) -> Result<i64, OpenError> {
    let read = || -> rusqlite::Result<(i64, i64, i64)> {
        Ok((
            connection.pragma_query_one(None, "application_id")?,
            connection.pragma_query_one(None, "user_version")?,
            connection.query_row("SELECT count(*) FROM sqlite_schema", (), |row| row.get(0))?,
        ))
    };
    let (application, version, tables) = read().map_err(|error| OpenError::sqlite(path, error))?;
    match (application, version) {
        (0, 0) if tables == 0 => Ok(0),
        (APPLICATION_ID, found) if found > known() => {
            Err(OpenError::Newer { path: path.to_owned(), found, known: known() })
        }
        (APPLICATION_ID, found) if found >= 0 => Ok(found),
        _ => Err(OpenError::NotADatabase(path.to_owned())),
    }
}

/// Turns the write-ahead log on, which the file remembers. `SQLite` does not wait here for another process
/// that does the same at the same moment, so this does.
fn use_log(connection: &Connection, path: &Path) -> Result<(), OpenError> {
    let deadline = Instant::now() + super::link::BUSY_TIMEOUT;
    let mode: String = loop {
        match connection.pragma_update_and_check(None, "journal_mode", "wal", |row| row.get(0)) {
            Err(error)
                if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy)
                    && Instant::now() < deadline =>
            {
                thread::park_timeout(Duration::from_millis(10));
            }
            result => break result.map_err(|error| OpenError::sqlite(path, error))?,
        }
    };
    if mode == "wal" { Ok(()) } else { Err(OpenError::NoLog { path: path.to_owned(), mode }) }
}
