//! The SQL of the hot path, prepared once on each connection. Nothing in it stands in the way of an
//! engine that shards by primary key: no sequences, no triggers, no conditions over several rows, no locks but those of rows.
//!
//! A write is one statement, so that it is one commit and one round trip. Its parts all see the snapshot of its beginning,
//! and look again at the newest row where somebody else was faster. Before anything is written all rows that it is about
//! are locked in the order of their keys: that is what `held` is for, and why its rows are counted first (an array has no
//! order that a plan has to follow).

use super::super::Fence;
use super::connect::SETTLED;
use super::failure::Failure;
use super::fence;
use super::session::Session;
use tokio::time::Instant;
use tokio::try_join;
use tokio_postgres::{Client, Error, Statement};

/// Each answers one row: what it did, and the settings that the promise rests on.
pub(super) struct Writes {
    pub(super) load: Statement,
    pub(super) turn_guards: Statement,
    pub(super) turn_both: Statement,
    pub(super) birth: Statement,
    pub(super) delete: Statement,
    pub(super) insert_property: Statement,
    pub(super) update_property: Statement,
    pub(super) probe: Statement,
}

const HELD: &str = "held AS MATERIALIZED (
    SELECT 1 FROM unnest($1::bytea[], $2::bytea[], $3::bigint[]) AS wanted (issuer, subject, expected)
    JOIN guard ON guard.issuer = wanted.issuer AND guard.subject = wanted.subject AND guard.version = wanted.expected
    ORDER BY guard.issuer, guard.subject FOR NO KEY UPDATE OF guard)";

const TURN: &str = "UPDATE guard SET version = given.version, key_id = given.key_id, sealed = given.sealed";
const TURN_WHERE: &str = "WHERE guard.issuer = given.issuer AND guard.subject = given.subject
    AND guard.version = given.expected AND (SELECT count(*) FROM held) >= 0";

/// Also where the vault was not there: what a swap brings is then all that there is of it.
const KEEP_VAULT: &str = "kept AS (
    INSERT INTO vault (issuer, subject, version, key_id, sealed)
    SELECT issuer, subject, vault_version, vault_key_id, vault_sealed FROM won WHERE vault_version IS NOT NULL
    ON CONFLICT (issuer, subject)
    DO UPDATE SET version = excluded.version, key_id = excluded.key_id, sealed = excluded.sealed)";

/// Which of these accounts somebody else holds, be it the guard or the vault. It waits for nobody, and gives its own
/// locks back at its end: they are how it finds out. Asked after a lost wait alone.
pub(super) fn held_by_others() -> String {
    let there = |table: &str| {
        format!(
            "SELECT place FROM given
            JOIN {table} ON {table}.issuer = given.issuer AND {table}.subject = given.subject"
        )
    };
    let (guard, vault) = (there("guard"), there("vault"));
    format!(
        "WITH given AS MATERIALIZED (
            SELECT * FROM unnest($1::bytea[], $2::bytea[]) WITH ORDINALITY AS given (issuer, subject, place)),
        guards AS MATERIALIZED ({guard} FOR UPDATE OF guard SKIP LOCKED),
        vaults AS MATERIALIZED ({vault} FOR UPDATE OF vault SKIP LOCKED),
        won AS (
            {guard} WHERE place NOT IN (SELECT place FROM guards)
            UNION {vault} WHERE place NOT IN (SELECT place FROM vaults))
        {}",
        places()
    )
}

fn places() -> String {
    format!("SELECT array_agg(place), {SETTLED} FROM won")
}

fn turn_guards(let_in: &str) -> String {
    format!(
        "WITH {HELD}, won AS ({TURN}
            FROM unnest($1::bytea[], $2::bytea[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bytea[]) WITH ORDINALITY
                AS given (issuer, subject, expected, version, key_id, sealed, place)
            {TURN_WHERE}{let_in} RETURNING given.place)
        {}",
        places()
    )
}

fn turn_both(let_in: &str) -> String {
    format!(
        "WITH {HELD}, won AS ({TURN}
            FROM unnest($1::bytea[], $2::bytea[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bytea[],
                $7::bigint[], $8::bigint[], $9::bytea[]) WITH ORDINALITY
                AS given (issuer, subject, expected, version, key_id, sealed,
                    vault_version, vault_key_id, vault_sealed, place)
            {TURN_WHERE}{let_in}
            RETURNING given.issuer, given.subject, vault_version, vault_key_id, vault_sealed, place),
        {KEEP_VAULT} {}",
        places()
    )
}

fn birth(let_in: &str) -> String {
    format!(
        "WITH born AS (
            INSERT INTO guard (issuer, subject, version, key_id, sealed)
            SELECT issuer, subject, version, key_id, sealed
            FROM unnest($1::bytea[], $2::bytea[], $3::bigint[], $4::bigint[], $5::bytea[])
                AS given (issuer, subject, version, key_id, sealed)
            WHERE true{let_in} ORDER BY issuer, subject ON CONFLICT DO NOTHING RETURNING issuer, subject),
        won AS (
            SELECT given.* FROM unnest($1::bytea[], $2::bytea[], $6::bigint[], $7::bigint[], $8::bytea[]) WITH ORDINALITY
                AS given (issuer, subject, vault_version, vault_key_id, vault_sealed, place)
            JOIN born ON born.issuer = given.issuer AND born.subject = given.subject),
        {KEEP_VAULT} {}",
        places()
    )
}

fn delete(let_in: &str) -> String {
    format!(
        "WITH held AS MATERIALIZED (
            SELECT 1 FROM unnest($1::bytea[], $2::bytea[]) AS wanted (issuer, subject)
            JOIN guard ON guard.issuer = wanted.issuer AND guard.subject = wanted.subject
            ORDER BY guard.issuer, guard.subject FOR UPDATE OF guard),
        guards AS (
            DELETE FROM guard USING unnest($1::bytea[], $2::bytea[]) WITH ORDINALITY AS given (issuer, subject, place)
            WHERE guard.issuer = given.issuer AND guard.subject = given.subject AND (SELECT count(*) FROM held) >= 0{let_in}
            RETURNING place),
        vaults AS (
            DELETE FROM vault USING unnest($1::bytea[], $2::bytea[]) WITH ORDINALITY AS given (issuer, subject, place)
            WHERE vault.issuer = given.issuer AND vault.subject = given.subject AND (SELECT count(*) FROM held) >= 0{let_in}
            RETURNING place),
        won AS (SELECT place FROM guards UNION SELECT place FROM vaults)
        {}",
        places()
    )
}

const INSERT_PROPERTY: &str = "INSERT INTO property (name, value) SELECT $1::bytea, $2::bytea WHERE true";
const INSERTED: &str = "ON CONFLICT DO NOTHING RETURNING 1::bigint AS place";
const UPDATE_PROPERTY: &str =
    "UPDATE property SET value = $2::bytea WHERE name = $1::bytea AND value = $3::bytea";
const UPDATED: &str = "RETURNING 1::bigint AS place";
const PROBE: &str =
    "INSERT INTO property (name, value) VALUES (decode('70726f6265', 'hex'), decode('00', 'hex'))
    ON CONFLICT (name) DO UPDATE SET value = excluded.value RETURNING 1::bigint AS place";

impl Writes {
    /// Those of a `pass` write only while that is the fence.
    pub(super) async fn prepare(
        session: &Session,
        pass: Option<&Fence>,
        deadline: Instant,
    ) -> Result<Self, Failure> {
        let let_in = pass.map(fence::condition).unwrap_or_default();
        session.ask(deadline, |client| Self::prepare_all(client, let_in)).await
    }

    async fn prepare_all(client: &Client, let_in: String) -> Result<Self, Error> {
        let alone = |sql: &str| format!("WITH won AS ({sql}) {}", places());
        let sql = [
            turn_guards(&let_in),
            turn_both(&let_in),
            birth(&let_in),
            delete(&let_in),
            alone(&format!("{INSERT_PROPERTY}{let_in} {INSERTED}")),
            alone(&format!("{UPDATE_PROPERTY}{let_in} {UPDATED}")),
            alone(PROBE),
        ];
        let [turn_guards, turn_both, birth, delete, insert, update, probe] =
            sql.each_ref().map(|sql| client.prepare(sql));
        let load = load_sql();
        let load = client.prepare(&load);
        // One round trip for all.
        let prepared = try_join!(load, turn_guards, turn_both, birth, delete, insert, update, probe)?;
        let (load, turn_guards, turn_both, birth, delete, insert_property, update_property, probe) = prepared;
        Ok(Self { load, turn_guards, turn_both, birth, delete, insert_property, update_property, probe })
    }
}

pub(super) struct Reads {
    pub(super) load: Statement,
    pub(super) scan: Statement,
    pub(super) scan_after: Statement,
    pub(super) ids: Statement,
    pub(super) ids_after: Statement,
    pub(super) property: Statement,
}

const PARTS: &str = "guard.version, guard.key_id, guard.sealed, vault.version, vault.key_id, vault.sealed";
/// From the left: a guard without its vault is damage and not an absent account.
const VAULT: &str = "LEFT JOIN vault ON vault.issuer = guard.issuer AND vault.subject = guard.subject";
const ID: &str = "guard.issuer, guard.subject";
const AFTER: &str = "WHERE (guard.issuer, guard.subject) > ($2::bytea, $3::bytea)";
const ORDER: &str = "ORDER BY guard.issuer, guard.subject LIMIT $1::bigint";

/// Both parts of all accounts from one snapshot: that of the statement.
fn load_sql() -> String {
    format!(
        "SELECT {PARTS}, wanted.place FROM unnest($1::bytea[], $2::bytea[]) WITH ORDINALITY
            AS wanted (issuer, subject, place)
        JOIN guard ON guard.issuer = wanted.issuer AND guard.subject = wanted.subject {VAULT}"
    )
}

impl Reads {
    pub(super) async fn prepare(session: &Session, deadline: Instant) -> Result<Self, Failure> {
        session.ask(deadline, Self::prepare_all).await
    }

    async fn prepare_all(client: &Client) -> Result<Self, Error> {
        let sql = [
            load_sql(),
            format!("SELECT {PARTS}, {ID} FROM guard {VAULT} {ORDER}"),
            format!("SELECT {PARTS}, {ID} FROM guard {VAULT} {AFTER} {ORDER}"),
            format!("SELECT {ID} FROM guard {ORDER}"),
            format!("SELECT {ID} FROM guard {AFTER} {ORDER}"),
            "SELECT value FROM property WHERE name = $1::bytea".to_owned(),
        ];
        let [load, scan, scan_after, ids, ids_after, property] =
            sql.each_ref().map(|sql| client.prepare(sql));
        let prepared = try_join!(load, scan, scan_after, ids, ids_after, property)?;
        let (load, scan, scan_after, ids, ids_after, property) = prepared;
        Ok(Self { load, scan, scan_after, ids, ids_after, property })
    }
}
