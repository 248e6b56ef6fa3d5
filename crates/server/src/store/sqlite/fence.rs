//! Refuses writes from within the database, so that it holds for every program that has the file open, also for one of
//! an older version. Must never be half there.

use super::super::fence::PROPERTY;
use super::super::{Fence, SwapOutcome};
use rusqlite::functions::FunctionFlags;
use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, ffi};

const TABLES: [&str; 3] = ["guard", "vault", "property"];
const ACTIONS: [&str; 3] = ["insert", "update", "delete"];

/// The mark of the fence that a connection writes behind; most have none.
#[derive(Clone, Debug, Default)]
pub(super) struct Pass(Option<Vec<u8>>);

impl Pass {
    pub(super) fn of(fence: &Fence) -> Self {
        Self(Some(fence.to_bytes()))
    }

    /// Shows it to the triggers. A connection that does not know the function is refused as well.
    pub(super) fn declare(&self, connection: &Connection) -> rusqlite::Result<()> {
        let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_INNOCUOUS;
        let pass = self.0.clone();
        connection.create_scalar_function("einmal_fence_pass", 0, flags, move |_| Ok(pass.clone()))
    }

    /// Within the transaction that writes: whoever has a pass writes behind that fence, and not where it has gone.
    pub(super) fn is_let_in(&self, connection: &Connection) -> rusqlite::Result<()> {
        if self.0.is_none() || found(connection)? == self.0 {
            return Ok(());
        }
        let refused = ffi::Error::new(ffi::SQLITE_CONSTRAINT_TRIGGER);
        let reason = "its fence is not the one that this program works behind".to_owned();
        Err(rusqlite::Error::SqliteFailure(refused, Some(reason)))
    }
}

/// Whether it is this that stood in the way of a write.
pub(super) fn has_refused(error: &rusqlite::Error) -> bool {
    matches!(error, rusqlite::Error::SqliteFailure(cause, _)
        if cause.extended_code == ffi::SQLITE_CONSTRAINT_TRIGGER)
}

fn found(connection: &Connection) -> rusqlite::Result<Option<Vec<u8>>> {
    let mut statement = connection.prepare_cached("SELECT value FROM property WHERE name = ?1")?;
    statement.query_row([PROPERTY], |row| row.get(0)).optional()
}

/// The mark and what it stands for, in one transaction.
pub(super) fn swap(
    connection: &Connection,
    expected: Option<&Fence>,
    fence: Option<&Fence>,
) -> rusqlite::Result<SwapOutcome> {
    let transaction = Transaction::new_unchecked(connection, TransactionBehavior::Immediate)?;
    if found(&transaction)? != expected.map(Fence::to_bytes) {
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
                "CREATE TRIGGER fence_{table}_{action} BEFORE {action} ON {table}
                 WHEN einmal_fence_pass() IS NOT (SELECT value FROM property WHERE name = '{PROPERTY}')
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
