//! Looks for damage that nobody meets who reads accounts one by one. Must never change anything.

use super::super::Inspection;
use rusqlite::{Connection, Transaction, TransactionBehavior};

/// More than anybody reads; a file that is badly damaged has no end of them.
const MOST_FAULTS: i64 = 100;

/// Holds one snapshot for as long as it takes. What fails is a fault like any other.
pub(super) fn inspect(connection: &Connection) -> rusqlite::Result<Inspection> {
    let snapshot = Transaction::new_unchecked(connection, TransactionBehavior::Deferred)?;
    let mut inspection = Inspection::default();
    let parts = [integrity(&snapshot), vaults_without_guard(&snapshot)];
    for part in parts {
        inspection.faults.extend(part.unwrap_or_else(|error| vec![error.to_string()]));
    }
    match snapshot.query_row("SELECT count(*) FROM guard", (), |row| row.get::<_, i64>(0)) {
        Ok(count) => inspection.accounts = count.unsigned_abs(),
        Err(error) => inspection.faults.push(error.to_string()),
    }
    Ok(inspection)
}

fn integrity(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    let mut faults = Vec::new();
    connection.pragma(None, "integrity_check", MOST_FAULTS, |row| {
        faults.push(row.get::<_, String>(0)?);
        Ok(())
    })?;
    faults.retain(|verdict| verdict != "ok");
    Ok(faults)
}

/// The other way round, a guard without its vault, is met by whoever loads the account.
fn vaults_without_guard(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    let mut statement = connection.prepare(
        "SELECT issuer, subject FROM vault WHERE NOT EXISTS
         (SELECT 1 FROM guard WHERE guard.issuer = vault.issuer AND guard.subject = vault.subject) LIMIT ?1",
    )?;
    let row = |row: &rusqlite::Row<'_>| {
        let (issuer, subject): (String, String) = (row.get(0)?, row.get(1)?);
        Ok(format!("{issuer:?} {subject:?}: a vault without a guard"))
    };
    statement.query_map([MOST_FAULTS], row)?.collect()
}
