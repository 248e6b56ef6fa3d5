//! Refuses writes from within the database, so that it holds for every server that is connected, also for one of an older
//! version. Must never be there before every earlier write has been committed or has failed.

use super::super::fence::PROPERTY;
use super::super::{Fence, SwapOutcome};
use super::connect::Connector;
use super::failure::Failure;
use super::session::Session;
use std::time::Duration;
use tokio::time::{Instant, sleep};
use tokio_postgres::error::SqlState;
use tokio_postgres::types::ToSql;

/// For all attempts.
const DEADLINE: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(100);

/// An autovacuum gives way to whoever has waited for `deadlock_timeout`, which is a second: so longer than that.
const PATIENCE: &str = "SET lock_timeout = '5s'";

const TABLES: [&str; 3] = ["guard", "vault", "property"];

/// Waits for all who write, and lets nobody begin to. A statement has its locks before it takes its snapshot, so that
/// whoever waited sees the fence. Reading goes on, that of a backup, too.
const LOCK: &str = "LOCK TABLE guard, vault, property IN SHARE ROW EXCLUSIVE MODE";
const OWNS: &str = "SELECT bool_and(pg_has_role(relowner, 'USAGE')) FROM pg_catalog.pg_class
    WHERE oid IN ('guard'::regclass, 'vault'::regclass, 'property'::regclass)";
const FIND: &str = "SELECT value FROM property WHERE name = $1::bytea";
const PUT: &str = "INSERT INTO property (name, value) VALUES ($1::bytea, $2::bytea)
    ON CONFLICT (name) DO UPDATE SET value = excluded.value";
const REMOVE: &str = "DELETE FROM property WHERE name = $1::bytea";
const FENCED_TABLES: &str = "SELECT relname::text FROM pg_catalog.pg_trigger
    JOIN pg_catalog.pg_class ON pg_class.oid = tgrelid
    WHERE tgrelid IN ('guard'::regclass, 'vault'::regclass, 'property'::regclass) AND tgname = 'einmal_fence'";
/// Lets pass who shows the mark that is there.
fn function() -> String {
    format!(
        "CREATE OR REPLACE FUNCTION einmal_fenced() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF current_setting('einmal.fence_pass', true) IS DISTINCT FROM
        (SELECT encode(value, 'hex') FROM property WHERE name = '{PROPERTY}'::bytea) THEN
        RAISE EXCEPTION 'it takes no writes, for it is a copy or was copied' USING ERRCODE = '55000';
    END IF;
    RETURN NULL;
    END $$"
    )
}

/// What a session sets to write behind this fence.
pub(super) fn pass(fence: &Fence) -> String {
    format!("SET einmal.fence_pass = '{}'", hex(fence))
}

/// What must hold within each of its writes: it does not write where the fence has gone either.
pub(super) fn condition(fence: &Fence) -> String {
    format!(" AND (SELECT value FROM property WHERE name = '{PROPERTY}'::bytea) = '\\x{}'::bytea", hex(fence))
}

fn hex(fence: &Fence) -> String {
    fence.to_bytes().iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat()
}

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
    for sql in [PATIENCE, "BEGIN", LOCK] {
        session.ask(deadline, |client| client.batch_execute(sql)).await?;
    }
    let owns = session.ask(deadline, |client| client.query_one(OWNS, &[])).await?;
    if !owns.try_get::<_, bool>(0)? {
        return Err(Failure::Refused {
            code: SqlState::INSUFFICIENT_PRIVILEGE,
            message: "only the role that owns its tables can close it or open it again".to_owned(),
        });
    }
    let name = PROPERTY.as_bytes();
    let parameters: [&(dyn ToSql + Sync); 1] = [&name];
    let found = session.ask(deadline, |client| client.query_opt(FIND, &parameters)).await?;
    let found: Option<Vec<u8>> = found.map(|row| row.try_get(0)).transpose()?;
    if found != expected.map(Fence::to_bytes) {
        return Ok(SwapOutcome::Conflict);
    }
    let fenced = fenced_tables(session, deadline).await?;
    let off = switched(&fenced, "DISABLE");
    session.ask(deadline, |client| client.batch_execute(&off)).await?;
    match fence.map(Fence::to_bytes) {
        Some(mark) => {
            let parameters: [&(dyn ToSql + Sync); 2] = [&name, &mark];
            session.ask(deadline, |client| client.execute(PUT, &parameters)).await?;
            let on = [function(), made(&fenced), switched(&fenced, "ENABLE")].join("; ");
            session.ask(deadline, |client| client.batch_execute(&on)).await?;
        }
        None => {
            session.ask(deadline, |client| client.execute(REMOVE, &parameters)).await?;
        }
    }
    session.commit(deadline, |client| client.batch_execute("COMMIT")).await?;
    Ok(SwapOutcome::Swapped)
}

async fn fenced_tables(session: &Session, deadline: Instant) -> Result<Vec<String>, Failure> {
    let rows = session.ask(deadline, |client| client.query(FENCED_TABLES, &[])).await?;
    rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
}

/// A trigger that is not wanted stays and is switched off: to remove it, one would have to wait for all who read.
fn switched(fenced: &[String], how: &str) -> String {
    let change = |table| format!("ALTER TABLE {table} {how} TRIGGER einmal_fence");
    fenced.iter().map(change).collect::<Vec<_>>().join("; ")
}

fn made(fenced: &[String]) -> String {
    let missing = TABLES.iter().filter(|table| fenced.iter().all(|fenced| fenced != *table));
    let create = |table| {
        format!(
            "CREATE TRIGGER einmal_fence BEFORE INSERT OR UPDATE OR DELETE ON {table} FOR EACH STATEMENT
             EXECUTE FUNCTION einmal_fenced()"
        )
    };
    missing.map(create).collect::<Vec<_>>().join("; ")
}
