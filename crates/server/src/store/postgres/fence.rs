//! Refuses writes from within the database, so that it holds for every server that is connected, also for one of an older
//! version. Must never be there before every earlier write has been committed or has failed.

use super::super::fence::PROPERTY;
use super::super::{Fence, SwapOutcome};
use super::connect::Connector;
use super::failure::Failure;
use super::session::Session;
use std::time::Duration;
use tokio::time::{Instant, sleep};
use tokio_postgres::types::ToSql;

/// For all attempts: each waits for a lock for up to a second.
const DEADLINE: Duration = Duration::from_secs(20);
const PAUSE: Duration = Duration::from_millis(100);

/// Of a session that may write nevertheless.
pub(super) const PASS: &str = "SET einmal.passes_fence = 'on'";

const TABLES: [&str; 3] = ["guard", "vault", "property"];

/// Waits for all who write, and lets nobody begin to. A statement has its locks before it takes its snapshot, so that
/// whoever waited sees the fence. Reading goes on, that of a backup, too.
const LOCK: &str = "LOCK TABLE guard, vault, property IN SHARE ROW EXCLUSIVE MODE";
const FIND: &str = "SELECT value FROM property WHERE name = $1::bytea";
const PUT: &str = "INSERT INTO property (name, value) VALUES ($1::bytea, $2::bytea)
    ON CONFLICT (name) DO UPDATE SET value = excluded.value";
const REMOVE: &str = "DELETE FROM property WHERE name = $1::bytea";
const FENCED_TABLES: &str = "SELECT relname::text FROM pg_catalog.pg_trigger
    JOIN pg_catalog.pg_class ON pg_class.oid = tgrelid
    JOIN pg_catalog.pg_namespace ON pg_namespace.oid = relnamespace
    WHERE nspname = current_schema() AND tgname = 'einmal_fence'";
const FUNCTION: &str =
    "CREATE OR REPLACE FUNCTION einmal_fenced() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    RAISE EXCEPTION 'it takes no writes, for it is a copy or was copied' USING ERRCODE = '55000'; END $$";

pub(super) async fn swap(
    connector: &Connector,
    expected: Option<&Fence>,
    fence: Option<&Fence>,
) -> Result<SwapOutcome, Failure> {
    let deadline = Instant::now() + DEADLINE;
    loop {
        let session = connector.connect_plainly().await;
        let session = session.map_err(|error| Failure::Lost(error.to_string()))?;
        let outcome = attempt(&session, expected, fence, deadline).await;
        // Its end takes back what was not committed.
        session.close().await;
        match outcome {
            Err(failure) if failure.is_lost_wait() && Instant::now() + PAUSE < deadline => sleep(PAUSE).await,
            outcome => return outcome,
        }
    }
}

async fn attempt(
    session: &Session,
    expected: Option<&Fence>,
    fence: Option<&Fence>,
    deadline: Instant,
) -> Result<SwapOutcome, Failure> {
    for sql in [PASS, "BEGIN", LOCK] {
        session.ask(deadline, |client| client.batch_execute(sql)).await?;
    }
    let name = PROPERTY.as_bytes();
    let parameters: [&(dyn ToSql + Sync); 1] = [&name];
    let found = session.ask(deadline, |client| client.query_opt(FIND, &parameters)).await?;
    let found: Option<Vec<u8>> = found.map(|row| row.try_get(0)).transpose()?;
    if found != expected.map(Fence::to_bytes) {
        return Ok(SwapOutcome::Conflict);
    }
    match fence.map(Fence::to_bytes) {
        Some(mark) => {
            let parameters: [&(dyn ToSql + Sync); 2] = [&name, &mark];
            session.ask(deadline, |client| client.execute(PUT, &parameters)).await?;
        }
        None => {
            session.ask(deadline, |client| client.execute(REMOVE, &parameters)).await?;
        }
    }
    let change = change(&fenced_tables(session, deadline).await?, fence.is_some());
    session.ask(deadline, |client| client.batch_execute(&change)).await?;
    session.commit(deadline, |client| client.batch_execute("COMMIT")).await?;
    Ok(SwapOutcome::Swapped)
}

async fn fenced_tables(session: &Session, deadline: Instant) -> Result<Vec<String>, Failure> {
    let rows = session.ask(deadline, |client| client.query(FENCED_TABLES, &[])).await?;
    rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
}

/// A trigger that is not wanted stays and is switched off: to remove it, one would have to wait for all who read.
fn change(fenced: &[String], is_closing: bool) -> String {
    let switched = if is_closing { "ENABLE" } else { "DISABLE" };
    let of_table = |table: &&str| {
        if fenced.iter().any(|fenced| fenced == table) {
            return Some(format!("ALTER TABLE {table} {switched} TRIGGER einmal_fence"));
        }
        is_closing.then(|| {
            format!(
                "CREATE TRIGGER einmal_fence BEFORE INSERT OR UPDATE OR DELETE ON {table} FOR EACH STATEMENT
                 WHEN (current_setting('einmal.passes_fence', true) IS DISTINCT FROM 'on')
                 EXECUTE FUNCTION einmal_fenced()"
            )
        })
    };
    let function = is_closing.then(|| FUNCTION.to_owned());
    function.into_iter().chain(TABLES.iter().filter_map(of_table)).collect::<Vec<_>>().join("; ")
}
