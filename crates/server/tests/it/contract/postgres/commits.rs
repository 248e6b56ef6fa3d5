//! What a commit must be to be reported: acknowledged by the server, waited for as this side has set it, without a
//! warning.

use super::super::accounts::{account, birth, create, id, load, swap, turn, turn_both};
use super::super::{Place, is_unavailable};
use super::raw::{recovered, until};
use super::{OwnServer, PostgresPlace, open_url};
use crate::harness::postgres::PostgresServer;
use einmal::store::SwapOutcome::Swapped;
use einmal::store::{Store, StoreError};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, timeout};

const WAITS: &str = "SELECT count(*) = 1 FROM pg_stat_activity WHERE wait_event = 'SyncRep'";

fn reload(own: &OwnServer, setting: &str) {
    own.server.sql("postgres", &format!("ALTER SYSTEM SET {setting}"));
    own.server.sql("postgres", "SELECT pg_reload_conf()");
}

/// Returns when commits wait for a standby that is not there: the server takes a new setting up when it gets to it.
async fn until_commits_wait(own: &OwnServer, store: &dyn Store) {
    reload(own, "synchronous_standby_names = 'nobody'");
    let deadline = Instant::now() + Duration::from_secs(20);
    while let Ok(answer) = timeout(Duration::from_secs(1), store.probe()).await {
        answer.unwrap();
        assert!(Instant::now() < deadline, "never waits");
    }
}

/// As when an operator, or a failover tool, ends the wait for a standby that has gone: the commit is then answered as if
/// all were well, but for a warning.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_commit_that_is_answered_with_a_warning_is_unknown_and_never_a_success() {
    let Some(own) = OwnServer::start("") else { return };
    let store = own.open();
    let kinds = [
        |version| turn(&id("turned"), version, version + 1),
        |version| turn_both(&id("turned both"), version, version + 1),
        |version| birth(&id(&format!("born-{version}")), version),
    ];
    create(&*store, &id("turned"), 1).await;
    create(&*store, &id("turned both"), 1).await;
    for write in kinds {
        reload(&own, "synchronous_standby_names = 'nobody'");
        // Until the server has taken that up, writes go on.
        let writing = tokio::spawn({
            let store = Arc::clone(&store);
            async move {
                let mut version = 1;
                loop {
                    match store.swap_many(vec![write(version)]).await {
                        Ok(outcomes) => assert_eq!(outcomes, [Swapped]),
                        Err(error) => return (write(version), error),
                    }
                    version += 1;
                }
            }
        });
        until(&own.server, &own.database, WAITS).await;
        let cancel = "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'";
        own.server.sql("postgres", cancel);
        let (unknown, error) = writing.await.unwrap();
        assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
        assert!(error.to_string().contains("canceling wait for synchronous replication"), "{error}");
        reload(&own, "synchronous_standby_names = ''");
        recovered(|| store.probe()).await;
        // It is there, on this one machine. Whoever had looked would have taken it for a success.
        let found = recovered(|| store.load_many(vec![unknown.id.clone()])).await.remove(0).unwrap();
        assert_eq!(found.guard, unknown.guard);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_commit_that_no_standby_acknowledges_in_time_is_unknown() {
    let Some(own) = OwnServer::start("") else { return };
    let store = own.open();
    create(&*store, &id("a"), 1).await;
    until_commits_wait(&own, &*store).await;
    for answer in [
        store.swap_many(vec![turn(&id("a"), 1, 2)]).await.err(),
        store.swap_property("name", None, vec![1]).await.err(),
        store.delete(id("a")).await.err(),
        store.probe().await.err(),
    ] {
        assert!(matches!(answer, Some(StoreError::Unavailable(_))), "{answer:?}");
    }
    // Reads go on meanwhile, and see what is not yet on a standby as not yet there.
    assert_eq!(load(&*store, &id("a")).await, Some(account(1)));
    // Nothing was cancelled: the server still waits for the standby, as it should.
    let waits =
        own.server.sql("postgres", "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'");
    assert_eq!(
        waits, "1",
        "and one alone, however many writes were refused: there is not room for more and more"
    );
    reload(&own, "synchronous_standby_names = ''");
    recovered(|| store.probe()).await;
}

/// What a role, a database or a server sets for all its connections does not weaken ours.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn settings_of_the_role_or_the_database_do_not_weaken_a_commit() {
    let Some(place) = PostgresPlace::new() else { return };
    let server = PostgresServer::shared().unwrap();
    let name = &place.0.name;
    for setting in [
        "synchronous_commit = off",
        "client_min_messages = error",
        "default_transaction_isolation = 'serializable'",
        "lock_timeout = '1ms'",
    ] {
        server.sql("postgres", &format!("ALTER DATABASE {name} SET {setting}"));
    }
    let url = format!("{}?options=-csynchronous_commit%3Dlocal%20-cclient_min_messages%3Derror", place.0.url);
    let store = open_url(&url, "").unwrap();
    create(&store, &id("a"), 1).await;
    assert_eq!(swap(&store, turn_both(&id("a"), 1, 2)).await, Swapped);
    assert_eq!(load(&store, &id("a")).await, Some(account(2)));
}

/// A pooler that hands one connection to several clients in turn loses what they have set. Here a trigger does.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_write_on_a_connection_that_has_lost_its_settings_is_no_success() {
    for (setting, value) in [("synchronous_commit", "off"), ("client_min_messages", "error")] {
        let Some(place) = PostgresPlace::new() else { return };
        let server = PostgresServer::shared().unwrap();
        let store = place.open();
        create(&*store, &id("a"), 1).await;
        let (name, undo) = (&place.0.name, "DROP TRIGGER undo ON guard");
        server.sql(
            name,
            &format!(
                "CREATE FUNCTION undo() RETURNS trigger LANGUAGE plpgsql AS
                 $$ BEGIN PERFORM set_config('{setting}', '{value}', false); RETURN NEW; END $$;
                 CREATE TRIGGER undo BEFORE UPDATE OR INSERT ON guard FOR EACH ROW EXECUTE FUNCTION undo()"
            ),
        );
        for write in [turn(&id("a"), 1, 2), turn_both(&id("a"), 2, 3), birth(&id("b"), 1)] {
            let answer = store.swap_many(vec![write]).await;
            assert!(is_unavailable(&answer), "{answer:?}");
            assert!(answer.unwrap_err().to_string().contains("a pooler must give each client"));
        }
        server.sql(name, undo);
        recovered(|| store.probe()).await;
        assert_eq!(swap(&*store, turn_both(&id("a"), 3, 4)).await, Swapped, "on a new connection");
    }
}

/// Readiness must not be had from a server that does not wait for the disk of its standby.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_probe_waits_for_the_standby_as_every_write_does() {
    let Some(own) = OwnServer::start("") else { return };
    let store = own.open();
    store.probe().await.unwrap();
    until_commits_wait(&own, &*store).await;
    reload(&own, "synchronous_standby_names = ''");
    recovered(|| store.probe()).await;
}
