//! Looks for damage that nobody meets who reads accounts one by one. Must never change anything.

use super::super::Inspection;
use super::failure::Failure;
use super::session::Session;
use std::time::Duration;
use tokio::time::Instant;
use tokio_postgres::Row;

/// Reading everything takes as long as it takes; a server that has gone is noticed by the connection itself.
const DEADLINE: Duration = Duration::from_hours(6);

/// One snapshot for all answers.
const BEGIN: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
const ACCOUNTS: &str = "SELECT count(*) FROM guard";
/// More than a hundred of them nobody reads. The other way round, a guard without its vault, is met by whoever loads
/// the account.
const ORPHANS: &str = "SELECT issuer, subject FROM vault WHERE NOT EXISTS
    (SELECT 1 FROM guard WHERE guard.issuer = vault.issuer AND guard.subject = vault.subject) LIMIT 100";

/// On a connection of its own. What the server finds damaged on the way is a fault like any other.
pub(super) async fn inspect(session: &Session) -> Result<Inspection, Failure> {
    let deadline = Instant::now() + DEADLINE;
    let mut inspection = Inspection::default();
    session.ask(deadline, |client| client.batch_execute(BEGIN)).await?;
    match session.ask(deadline, |client| client.query_one(ACCOUNTS, &[])).await {
        Ok(row) => inspection.accounts = row.try_get::<_, i64>(0)?.unsigned_abs(),
        Err(failure) => inspection.faults.push(fault(failure)?),
    }
    if inspection.faults.is_empty() {
        match session.ask(deadline, |client| client.query(ORPHANS, &[])).await {
            Ok(rows) => {
                for row in rows {
                    inspection.faults.push(orphan(&row)?);
                }
            }
            Err(failure) => inspection.faults.push(fault(failure)?),
        }
    }
    Ok(inspection)
}

fn fault(failure: Failure) -> Result<String, Failure> {
    match failure {
        Failure::Refused { message, .. } => Ok(message),
        failure => Err(failure),
    }
}

fn orphan(row: &Row) -> Result<String, Failure> {
    let text = |column: usize| -> Result<String, Failure> {
        Ok(String::from_utf8_lossy(row.try_get(column)?).into_owned())
    };
    Ok(format!("{:?} {:?}: a vault without a guard", text(0)?, text(1)?))
}
