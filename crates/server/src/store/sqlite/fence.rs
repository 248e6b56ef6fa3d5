//! Refuses writes from within the database, so that it holds for every program that has the file open, also for one of
//! an older version. Must never be half there.

use super::super::fence::PROPERTY;
use super::super::{Fence, SwapOutcome};
use rusqlite::functions::FunctionFlags;
use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, ffi};

const TABLES: [&str; 3] = ["guard", "vault", "property"];
const ACTIONS: [&str; 3] = ["insert", "update", "delete"];

/// Whether a connection may write nevertheless. One that does not know the function may not.
pub(super) fn declare(connection: &Connection, passes: bool) -> rusqlite::Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_INNOCUOUS;
    connection.create_scalar_function("einmal_passes_fence", 0, flags, move |_| Ok(passes))
}

/// Whether it is this that stood in the way of a write.
pub(super) fn has_refused(error: &rusqlite::Error) -> bool {
    matches!(error, rusqlite::Error::SqliteFailure(cause, _)
        if cause.extended_code == ffi::SQLITE_CONSTRAINT_TRIGGER)
}

/// The mark and what it stands for, in one transaction.
pub(super) fn swap(
    connection: &Connection,
    expected: Option<&Fence>,
    fence: Option<&Fence>,
) -> rusqlite::Result<SwapOutcome> {
    let transaction = Transaction::new_unchecked(connection, TransactionBehavior::Immediate)?;
    let found =
        transaction.query_row("SELECT value FROM property WHERE name = ?1", [PROPERTY], |row| row.get(0));
    let found: Option<Vec<u8>> = found.optional()?;
    if found != expected.map(Fence::to_bytes) {
        return Ok(SwapOutcome::Conflict);
    }
    for (table, action) in triggers() {
        transaction.execute_batch(&format!("DROP TRIGGER IF EXISTS fence_{table}_{action}"))?;
    }
    transaction.execute("DELETE FROM property WHERE name = ?1", [PROPERTY])?;
    if let Some(fence) = fence {
        let mark = (PROPERTY, fence.to_bytes());
        transaction.execute("INSERT INTO property (name, value) VALUES (?1, ?2)", mark)?;
        for (table, action) in triggers() {
            transaction.execute_batch(&format!(
                "CREATE TRIGGER fence_{table}_{action} BEFORE {action} ON {table} WHEN NOT einmal_passes_fence()
                 BEGIN SELECT RAISE(ABORT, 'it takes no writes, for it is a copy or was copied'); END"
            ))?;
        }
    }
    transaction.commit()?;
    Ok(SwapOutcome::Swapped)
}

fn triggers() -> impl Iterator<Item = (&'static str, &'static str)> {
    TABLES.into_iter().flat_map(|table| ACTIONS.into_iter().map(move |action| (table, action)))
}
