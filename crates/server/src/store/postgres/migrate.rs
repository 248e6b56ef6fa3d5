//! Brings a database to the schema this version knows. Must never touch tables that are not ours, nor a newer schema.

use super::connect::Connector;
use super::failure::Failure;
use super::open_error::OpenError;
use super::session::Session;
use crate::store::{Migration, Schema};
use std::time::Duration;
use tokio::time::{Instant, sleep};
use tokio_postgres::error::SqlState;

/// In order; the schema version is how many of them have been applied. One that was released is never edited.
const MIGRATIONS: [&str; 1] = [include_str!("../../../migrations/postgres/0001_accounts.sql")];

/// For all of it, waiting for another process that does the same included.
const DEADLINE: Duration = Duration::from_mins(5);
const PAUSE: Duration = Duration::from_millis(100);

const VERSION: &str = "SELECT version FROM einmal_schema";
/// Whoever has this lock migrates. Others wait for it, and then see what was done.
const VERSION_LOCKED: &str = "SELECT version FROM einmal_schema FOR UPDATE";
const MAKE_MARK: &str = "CREATE TABLE IF NOT EXISTS einmal_schema
    (single boolean NOT NULL PRIMARY KEY, version bigint NOT NULL)";
/// One row, which makes the database ours.
const MARK: &str = "INSERT INTO einmal_schema (single, version) VALUES (true, 0) ON CONFLICT DO NOTHING";
const OTHERS: &str = "SELECT count(*) FROM pg_catalog.pg_class
    JOIN pg_catalog.pg_namespace ON pg_namespace.oid = pg_class.relnamespace
    WHERE nspname = current_schema() AND relname IN ('guard', 'vault', 'property')";

/// Leaves the database at the known schema, or says why not. Returns what it was before.
pub(super) async fn prepare(
    session: &Session,
    connector: &Connector,
    migration: Migration,
) -> Result<Schema, OpenError> {
    let store = || connector.name.clone();
    let deadline = Instant::now() + DEADLINE;
    let failed = |failure| OpenError::failed(&connector.name, &failure);
    let known = known();
    let found = version(session, VERSION, deadline).await.map_err(failed)?;
    if found > known {
        return Err(OpenError::Newer { store: store(), found, known });
    }
    match migration {
        Migration::Keep => return Ok(Schema { found, known }),
        _ if found == known => return Ok(Schema { found, known }),
        Migration::Refuse => return Err(OpenError::Behind { store: store(), found, known }),
        Migration::Apply => {}
    }
    loop {
        match apply(session, deadline).await {
            Ok(Applied::At(found)) if found > known => {
                return Err(OpenError::Newer { store: store(), found, known });
            }
            Ok(Applied::At(found)) => return Ok(Schema { found, known }),
            Ok(Applied::NotEmpty) => return Err(OpenError::NotEmpty(store())),
            Err(failure) if others_are_at_it(&failure) && Instant::now() + PAUSE < deadline => {
                roll_back(session, deadline).await.map_err(failed)?;
                sleep(PAUSE).await;
            }
            Err(failure) => return Err(failed(failure)),
        }
    }
}

enum Applied {
    /// From this version on.
    At(i64),
    /// Nothing, for there are tables of somebody else.
    NotEmpty,
}

async fn apply(session: &Session, deadline: Instant) -> Result<Applied, Failure> {
    if !mark(session, deadline).await? {
        return Ok(Applied::NotEmpty);
    }
    run(session, "BEGIN", deadline).await?;
    // Looked at once more: another process may have done it while this one waited for the lock.
    let found = version(session, VERSION_LOCKED, deadline).await?;
    for sql in MIGRATIONS.iter().skip(usize::try_from(found).unwrap_or_default()) {
        run(session, sql, deadline).await?;
    }
    if found < known() {
        let sql = format!("UPDATE einmal_schema SET version = {}", known());
        run(session, &sql, deadline).await?;
    }
    // All of it in one transaction, so that a crash leaves what was there before.
    session.commit(deadline, |client| client.batch_execute("COMMIT")).await?;
    Ok(Applied::At(found))
}

/// Marks the database as ours, unless there is something in it.
async fn mark(session: &Session, deadline: Instant) -> Result<bool, Failure> {
    run(session, "BEGIN", deadline).await?;
    run(session, MAKE_MARK, deadline).await?;
    let is_new = session.ask(deadline, |client| client.execute(MARK, &[])).await? == 1;
    if is_new {
        let others = session.ask(deadline, |client| client.query_one(OTHERS, &[])).await?;
        if others.try_get::<_, i64>(0)? > 0 {
            roll_back(session, deadline).await?;
            return Ok(false);
        }
    }
    session.commit(deadline, |client| client.batch_execute("COMMIT")).await?;
    Ok(true)
}

/// 0 if nothing is there.
async fn version(session: &Session, sql: &str, deadline: Instant) -> Result<i64, Failure> {
    match session.ask(deadline, |client| client.query_opt(sql, &[])).await {
        Ok(row) => row.map_or(Ok(0), |row| Ok(row.try_get(0)?)),
        Err(failure) if failure.is_refused_with(&[SqlState::UNDEFINED_TABLE]) => Ok(0),
        Err(failure) => Err(failure),
    }
}

async fn run(session: &Session, sql: &str, deadline: Instant) -> Result<(), Failure> {
    session.ask(deadline, |client| client.batch_execute(sql)).await
}

async fn roll_back(session: &Session, deadline: Instant) -> Result<(), Failure> {
    run(session, "ROLLBACK", deadline).await
}

/// What two that make the same table, or want the same lock, get to hear.
fn others_are_at_it(failure: &Failure) -> bool {
    failure.is_collision()
        || failure.is_refused_with(&[
            SqlState::LOCK_NOT_AVAILABLE,
            SqlState::UNIQUE_VIOLATION,
            SqlState::DUPLICATE_TABLE,
            SqlState::DUPLICATE_OBJECT,
        ])
}

fn known() -> i64 {
    i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX)
}
