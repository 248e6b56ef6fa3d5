//! What a database and a server must be to be used, and what an operator is told about others.

use super::super::Place;
use super::super::accounts::{account, create, id, load, swap, turn_both};
use super::raw::{connect, until};
use super::{OwnServer, PostgresPlace, open_url, open_with};
use crate::harness::postgres::{Database, PostgresServer, read_url};
use einmal::store::Migration::{Apply, Keep, Refuse};
use einmal::store::SwapOutcome::Swapped;
use einmal::store::postgres::OpenError;
use einmal::store::{Schema, Store};
use std::process::{Command, Stdio};

const MIGRATIONS: [&str; 1] = [include_str!("../../../../migrations/postgres/0001_accounts.sql")];

fn tables(database: &Database) -> String {
    let server = PostgresServer::shared().unwrap();
    server.sql(
        &database.name,
        "SELECT string_agg(tablename, ' ' ORDER BY tablename) FROM pg_tables WHERE schemaname = 'public'",
    )
}

async fn works(database: &Database) {
    let store = open_url(&database.url, "").unwrap_or_else(|error| panic!("{error}"));
    create(&store, &id("works"), 1).await;
    assert_eq!(swap(&store, turn_both(&id("works"), 1, 2)).await, Swapped);
    assert_eq!(load(&store, &id("works")).await, Some(account(2)));
    store.probe().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_several_that_migrate_at_once_one_does_and_the_others_see_it_done_173() {
    for _ in 0..3 {
        let Some(place) = PostgresPlace::new() else { return };
        let openings: Vec<_> = (0..8)
            .map(|_| {
                let url = place.0.url.clone();
                tokio::spawn(
                    async move { open_url(&url, "").unwrap_or_else(|error| panic!("{error}")).schema() },
                )
            })
            .collect();
        let mut found = Vec::new();
        for opening in openings {
            let Schema { found: version, known } = opening.await.unwrap();
            assert!([0, known].contains(&version));
            found.push(version);
        }
        assert_eq!(found.iter().filter(|version| **version == 0).count(), 1, "{found:?}");
        works(&place.0).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn who_comes_while_another_migrates_waits_for_it_173() {
    let Some(place) = PostgresPlace::new() else { return };
    let server = PostgresServer::shared().unwrap();
    server.sql(
        &place.0.name,
        "CREATE TABLE einmal_schema (single boolean PRIMARY KEY, version bigint NOT NULL);
         INSERT INTO einmal_schema VALUES (true, 0)",
    );
    let other = connect(&place.0).await;
    other.batch_execute("BEGIN; SELECT version FROM einmal_schema FOR UPDATE").await.unwrap();
    let url = place.0.url.clone();
    let opening = tokio::spawn(async move { open_url(&url, "").map(|store| store.schema().found) });
    // Before it has made anything, and for longer than the server lets it wait for one lock.
    let gave_up = "SELECT count(*) = 1 FROM pg_stat_activity WHERE datname = current_database()
        AND application_name = 'einmal' AND wait_event_type = 'Lock'
        AND query LIKE 'SELECT version%' AND backend_start < now() - interval '2.5 s'";
    until(server, &place.0, gave_up).await;
    let done = [MIGRATIONS[0], "UPDATE einmal_schema SET version = 1; COMMIT"].join("");
    other.batch_execute(&done).await.unwrap();
    assert_eq!(opening.await.unwrap().unwrap_or_else(|error| panic!("{error}")), 1);
    works(&place.0).await;
}

/// In one transaction, as it is done, and also where an engine commits each statement by itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_migration_that_broke_off_after_any_statement_is_completed_173() {
    let without_comments = |sql: &str| -> String {
        sql.lines().filter(|line| !line.starts_with("--")).collect::<Vec<_>>().join("\n")
    };
    let all: String = MIGRATIONS.map(without_comments).concat();
    let statements: Vec<_> = all.split(';').filter(|sql| !sql.trim().is_empty()).collect();
    assert_eq!(statements.len(), 3);
    let mark = [
        "CREATE TABLE einmal_schema (single boolean NOT NULL PRIMARY KEY, version bigint NOT NULL)",
        "INSERT INTO einmal_schema VALUES (true, 0)",
    ];
    let steps: Vec<_> = mark.iter().chain(&statements).copied().collect();
    for count in 0..=steps.len() {
        for is_committed in [true, false] {
            let Some(place) = PostgresPlace::new() else { return };
            let other = connect(&place.0).await;
            if !is_committed {
                other.batch_execute("BEGIN").await.unwrap();
            }
            for sql in &steps[..count] {
                other.batch_execute(sql).await.unwrap();
            }
            drop(other);
            works(&place.0).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_newer_schema_is_refused_and_left_as_it_is_173() {
    let Some(place) = PostgresPlace::new() else { return };
    drop(place.open());
    let server = PostgresServer::shared().unwrap();
    server.sql(&place.0.name, "UPDATE einmal_schema SET version = 1000");
    for migration in [Apply, Refuse, Keep] {
        let Err(error) = open_with(&place.0.settings(), migration) else { panic!("opened") };
        assert!(matches!(error, OpenError::Newer { found: 1_000, known: 1, .. }), "{error}");
        assert!(error.to_string().contains("newer") && error.to_string().contains(&place.0.name), "{error}");
    }
    assert_eq!(server.sql(&place.0.name, "SELECT version FROM einmal_schema"), "1000");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn where_migration_is_refused_nothing_is_made() {
    let Some(place) = PostgresPlace::new() else { return };
    let Err(error) = open_with(&place.0.settings(), Refuse) else { panic!("opened") };
    assert!(matches!(error, OpenError::Behind { found: 0, .. }), "{error}");
    assert!(error.to_string().contains("einmal store migrate"), "{error}");
    let kept = open_with(&place.0.settings(), Keep).unwrap();
    assert_eq!(kept.schema(), Schema { found: 0, known: 1 });
    assert!(kept.load_many(vec![id("a")]).await.is_err());
    assert_eq!(tables(&place.0), "");
    drop(place.open());
    assert!(open_with(&place.0.settings(), Refuse).is_ok());
    assert_eq!(tables(&place.0), "einmal_schema guard property vault");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn tables_of_another_program_are_left_as_they_are_and_another_schema_is_a_way_out() {
    let Some(place) = PostgresPlace::new() else { return };
    let server = PostgresServer::shared().unwrap();
    server.sql(&place.0.name, "CREATE TABLE guard (secret text); CREATE SCHEMA apart");
    for _ in 0..2 {
        let Err(error) = open_url(&place.0.url, "") else { panic!("opened") };
        assert!(matches!(error, OpenError::NotEmpty(_)), "{error}");
        assert_eq!(tables(&place.0), "guard");
    }
    let url = format!("{}?options=-csearch_path%3Dapart", place.0.url);
    create(&open_url(&url, "").unwrap(), &id("a"), 1).await;
    assert_eq!(tables(&place.0), "guard");
}

/// What docs/OPERATIONS.md says that a role needs.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_role_that_owns_nothing_works_with_the_rights_that_are_documented() {
    let Some(place) = PostgresPlace::new() else { return };
    drop(place.open());
    let (server, role) = (PostgresServer::shared().unwrap(), format!("role_of_{}", place.0.name));
    server.sql(
        &place.0.name,
        &format!(
            "CREATE ROLE {role} LOGIN; GRANT SELECT, INSERT, UPDATE, DELETE ON guard, vault, property TO {role};
             GRANT SELECT ON einmal_schema TO {role}"
        ),
    );
    let url = place.0.url.replace("einmal@", &format!("{role}@"));
    let database = Database { name: place.0.name.clone(), url };
    works(&database).await;
    let store = open_url(&database.url, "").unwrap();
    assert!(store.delete(id("works")).await.unwrap());
    assert_eq!(store.swap_property("name", None, vec![1]).await.unwrap(), Swapped);
    assert_eq!(store.check().await.unwrap().faults, [""; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_server_out_of_reach_is_named_without_the_password() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let Err(error) = open_url(&format!("postgres://einmal:hunter2@127.0.0.1:{port}/otp"), "") else {
        panic!("opened")
    };
    let said = error.to_string();
    assert!(said.starts_with(&format!("postgres://127.0.0.1:{port}/otp: cannot be reached: ")), "{said}");
    assert!(said.contains("refused") && !said.contains("hunter2"), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_server_that_does_not_wait_for_its_disk_is_doubted_or_refused_161() {
    let Some(own) = OwnServer::start("fsync = off\nfull_page_writes = off") else { return };
    let doubts = open_url(&own.database.url, "").unwrap().doubts().join("\n");
    assert!(doubts.contains("fsync is off") && doubts.contains("full_page_writes is off"), "{doubts}");
    let Err(error) = open_url(&own.database.url, "require_synchronous = true") else { panic!("opened") };
    assert!(matches!(error, OpenError::NotSynchronous { .. }), "{error}");
    assert!(error.to_string().contains("fsync is off"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_server_with_standbys_of_which_none_is_synchronous_is_doubted_or_refused_161() {
    let Some(own) = OwnServer::start("") else { return };
    let url = &own.database.url;
    assert_eq!(open_url(url, "").unwrap().doubts(), [""; 0]);
    // Its standby may be away for the moment: whoever requires one requires the setting.
    let Err(error) = open_url(url, "require_synchronous = true") else { panic!("opened") };
    assert!(error.to_string().contains("synchronous_standby_names is empty (standbys: 0)"), "{error}");
    // What receives the log is a standby to the server.
    let mut standby = Command::new(own.server.program("pg_receivewal"));
    let directory = tempfile::tempdir().unwrap();
    standby.args(["--synchronous", "-h", "127.0.0.1", "-U", "einmal", "-D"]).arg(directory.path());
    standby.arg("-p").arg(own.server.port.to_string()).stderr(Stdio::null());
    let mut standby = standby.spawn().unwrap();
    let is_there = "SELECT count(*) = 1 FROM pg_stat_replication WHERE state = 'streaming'";
    until(&own.server, &own.database, is_there).await;
    let doubted = open_url(url, "").unwrap();
    assert!(doubted.doubts()[0].contains("synchronous_standby_names is empty"), "{:?}", doubted.doubts());
    let Err(error) = open_url(url, "require_synchronous = true") else { panic!("opened") };
    assert!(error.to_string().contains("a failover loses commits"), "{error}");

    own.server.sql("postgres", "ALTER SYSTEM SET synchronous_standby_names = '*'");
    own.server.sql("postgres", "SELECT pg_reload_conf()");
    until(
        &own.server,
        &own.database,
        "SELECT count(*) = 1 FROM pg_stat_replication WHERE sync_state = 'sync'",
    )
    .await;
    let store = open_url(url, "require_synchronous = true").unwrap();
    assert_eq!(store.doubts(), [""; 0]);
    create(&store, &id("a"), 1).await;
    standby.kill().unwrap();
    standby.wait().unwrap();
    own.server.sql("postgres", "ALTER SYSTEM RESET synchronous_standby_names");
    own.server.sql("postgres", "SELECT pg_reload_conf()");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_pool_has_as_many_connections_as_it_is_told_to() {
    let Some(place) = PostgresPlace::new() else { return };
    let count = "SELECT count(*) FROM pg_stat_activity
        WHERE datname = current_database() AND application_name = 'einmal'";
    for connections in [1, 3] {
        let lines = format!("connections = {connections}");
        let store = open_with(&read_url(&place.0.url, &lines), Apply).unwrap();
        let calls = (0..200).map(|number| {
            let (load, probe) = (store.load_many(vec![id(&number.to_string())]), store.probe());
            async move { (load.await.unwrap(), probe.await.unwrap()) }
        });
        for call in calls {
            call.await;
        }
        let open = PostgresServer::shared().unwrap().sql(&place.0.name, count);
        assert_eq!(open, (2 * connections).to_string());
    }
}
