//! Many writers at the same accounts, on several connections and of several processes: none waits for another in a
//! circle, and none for longer than a deadline.

use super::super::accounts::{birth, create, id, load, swap, turn, turn_both};
use super::super::attempts::attempt;
use super::super::{Place, is_unavailable};
use super::raw::{connect, until};
use super::{PostgresPlace, open_url};
use crate::harness::postgres::PostgresServer;
use einmal::store::SwapOutcome::{self, Conflict, Swapped};
use einmal::store::{Store, StoreError};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// Those of the store.
const CONNECTIONS: &str = "SELECT string_agg(pid::text, ' ' ORDER BY pid) FROM pg_stat_activity
    WHERE datname = current_database() AND application_name = 'einmal'";

const ONE_WAITS: &str = "SELECT count(*) = 1 FROM pg_stat_activity
    WHERE datname = current_database() AND wait_event_type = 'Lock'";

/// Returns when a swap of `a` waits for whoever holds it: a connection is busy.
async fn wait_for_a(
    store: &Arc<impl Store + 'static>,
    place: &PostgresPlace,
) -> JoinHandle<Result<Vec<SwapOutcome>, StoreError>> {
    let store = Arc::clone(store);
    let waiting = tokio::spawn(async move { store.swap_many(vec![turn(&id("a"), 1, 2)]).await });
    until(PostgresServer::shared().unwrap(), &place.0, ONE_WAITS).await;
    waiting
}

fn deadlocks(name: &str) -> String {
    let server = PostgresServer::shared().unwrap();
    server.sql(name, "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
}

/// Each engine goes through the same accounts the other way round.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_engines_that_swap_the_same_accounts_in_opposite_orders_never_deadlock() {
    const ACCOUNTS: usize = 60;
    const ROUNDS: u64 = 60;
    let Some(place) = PostgresPlace::new() else { return };
    let open = || Arc::new(open_url(&place.0.url, "connections = 2").unwrap());
    let stores = [open(), open(), open()];
    let ids: Vec<_> = (0..ACCOUNTS).map(|number| id(&format!("user-{number}"))).collect();
    stores[0].swap_many(ids.iter().map(|id| birth(id, 0)).collect()).await.unwrap();
    let tasks = stores.iter().enumerate().map(|(engine, store)| {
        let (store, mut ids) = (Arc::clone(store), ids.clone());
        if engine % 2 == 1 {
            ids.reverse();
        }
        tokio::spawn(async move {
            let mut wins = 0_u64;
            for round in 1..=ROUNDS {
                let versions: HashMap<_, _> = ids
                    .iter()
                    .cloned()
                    .zip(store.load_many(ids.clone()).await.unwrap())
                    .map(|(id, account)| (id, account.unwrap().guard.version))
                    .collect();
                let next = round * 10 + engine as u64;
                // With and without the vault, in several calls at once: several connections of one engine, too.
                let halves = ids.chunks(ACCOUNTS / 2).map(|half| {
                    let swaps = half.iter().enumerate().map(|(place, id)| match place % 2 {
                        0 => turn(id, versions[id], next),
                        _ => turn_both(id, versions[id], next),
                    });
                    let (store, swaps) = (Arc::clone(&store), swaps.collect());
                    tokio::spawn(async move { store.swap_many(swaps).await.unwrap() })
                });
                for half in halves.collect::<Vec<_>>() {
                    let outcomes = half.await.unwrap();
                    wins += outcomes.iter().filter(|outcome| **outcome == Swapped).count() as u64;
                }
            }
            wins
        })
    });
    let mut wins = 0;
    for task in tasks.collect::<Vec<_>>() {
        wins += task.await.unwrap();
    }
    assert!(wins >= ROUNDS * ACCOUNTS as u64, "{wins}");
    assert_eq!(deadlocks(&place.0.name), "0");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn births_deletes_and_swaps_of_several_engines_in_any_order_lose_nothing() {
    let Some(place) = PostgresPlace::new() else { return };
    let stores = [place.open(), place.open()];
    let tasks = (0..8_u64).map(|task| {
        let store = Arc::clone(&stores[usize::from(task % 2 == 1)]);
        tokio::spawn(async move {
            for round in 0..40_u64 {
                let mut ids: Vec<_> = (0..10).map(|number| id(&number.to_string())).collect();
                if task % 3 == 0 {
                    ids.reverse();
                }
                let version = 1_000 * (task + 1) + round;
                store.swap_many(ids.iter().map(|id| birth(id, version)).collect()).await.unwrap();
                store
                    .swap_many(ids.iter().map(|id| turn_both(id, version, version + 500)).collect())
                    .await
                    .unwrap();
                store.delete(ids[usize::try_from(round % 10).unwrap()].clone()).await.unwrap();
            }
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.unwrap();
    }
    assert_eq!(deadlocks(&place.0.name), "0");
    // Whatever is left is whole.
    for (_, account) in stores[0].scan(None, 100).await.unwrap() {
        assert_eq!(account.guard.version, account.vault.version);
    }
    assert_eq!(stores[0].check().await.unwrap().faults, [""; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn somebody_elses_lock_is_waited_for_and_given_up_in_time_without_a_write() {
    let Some(place) = PostgresPlace::new() else { return };
    let store = Arc::new(open_url(&place.0.url, "connections = 2").unwrap());
    for subject in ["a", "b"] {
        create(&*store, &id(subject), 1).await;
    }
    let other = connect(&place.0).await;
    let lock = "BEGIN; SELECT 1 FROM guard WHERE subject = 'a' FOR UPDATE";
    other.batch_execute(lock).await.unwrap();
    let started = Instant::now();
    let waiting = tokio::spawn({
        let store = Arc::clone(&store);
        async move { store.swap_many(vec![turn_both(&id("a"), 1, 2)]).await }
    });
    let server = PostgresServer::shared().unwrap();
    until(server, &place.0, ONE_WAITS).await;
    // Others go on meanwhile, on the connection that is left.
    assert_eq!(swap(&*store, turn_both(&id("b"), 1, 2)).await, Swapped);
    assert!(load(&*store, &id("a")).await.is_some());
    let answer = waiting.await.unwrap();
    assert!(is_unavailable(&answer), "{answer:?}");
    assert!((1..6).contains(&started.elapsed().as_secs()), "{:?}", started.elapsed());
    other.batch_execute("COMMIT").await.unwrap();
    assert_eq!(swap(&*store, turn_both(&id("a"), 1, 3)).await, Swapped, "nothing was written");

    // One that is released in time costs nothing.
    other.batch_execute(lock).await.unwrap();
    let waiting = tokio::spawn({
        let store = Arc::clone(&store);
        async move { store.swap_many(vec![turn_both(&id("a"), 3, 4), turn_both(&id("b"), 7, 8)]).await }
    });
    until(server, &place.0, ONE_WAITS).await;
    other.batch_execute("COMMIT").await.unwrap();
    assert_eq!(waiting.await.unwrap().unwrap(), [Swapped, Conflict]);
}

/// Who is held up is a connection, and for a second. Whoever is in a group with an account that somebody holds is answered.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn accounts_that_somebody_holds_cost_the_others_of_their_group_no_answer() {
    let Some(place) = PostgresPlace::new() else { return };
    let server = PostgresServer::shared().unwrap();
    let store = Arc::new(open_url(&place.0.url, "connections = 1").unwrap());
    for subject in ["a", "b", "c", "d", "e", "f", "g"] {
        create(&*store, &id(subject), 1).await;
    }
    let before = server.sql(&place.0.name, CONNECTIONS);
    let other = connect(&place.0).await;
    let locks = "BEGIN; SELECT 1 FROM guard WHERE subject IN ('a', 'e') FOR UPDATE;
        SELECT 1 FROM vault WHERE subject = 'g' FOR UPDATE";
    other.batch_execute(locks).await.unwrap();
    let waiting = wait_for_a(&store, &place).await;
    // The only connection is busy: all of these are the next group.
    let started = Instant::now();
    let held = async {
        let turns = |_: Option<&_>| Some(turn(&id("a"), 1, 2));
        tokio::join!(
            attempt(&*store, "a", turns),
            attempt(&*store, "a", turns),
            attempt(&*store, "g", |_| Some(turn_both(&id("g"), 1, 2))),
            store.swap_many(vec![turn(&id("a"), 1, 2)]),
            store.swap_many(vec![turn_both(&id("e"), 1, 2)]),
            store.delete(id("e")),
        )
    };
    let free = async {
        tokio::join!(
            attempt(&*store, "b", |_| Some(turn(&id("b"), 1, 2))),
            attempt(&*store, "b", |_| Some(turn(&id("b"), 1, 3))),
            attempt(&*store, "new", |_| Some(birth(&id("new"), 1))),
            store.swap_many(vec![turn_both(&id("c"), 1, 2), turn(&id("f"), 7, 8)]),
            store.delete(id("d")),
            store.swap_property("name", None, vec![1]),
            store.probe(),
        )
    };
    let (held, free) = tokio::join!(held, free);
    assert!(started.elapsed() < Duration::from_secs(6), "{:?}", started.elapsed());
    assert!(is_unavailable(&waiting.await.unwrap()));
    for ended in [held.0, held.1, held.2] {
        let (_, outcome) = ended.expect("an end");
        assert!(is_unavailable(&outcome), "{outcome:?}");
    }
    assert!(is_unavailable(&held.3) && is_unavailable(&held.4) && is_unavailable(&held.5));
    let outcomes = [free.0, free.1, free.2].map(|ended| ended.expect("an end").1.unwrap());
    assert_eq!(outcomes, [Some(Swapped), Some(Conflict), Some(Swapped)]);
    assert_eq!(free.3.unwrap(), [Swapped, Conflict]);
    assert!(free.4.unwrap(), "deleted");
    assert_eq!(free.5.unwrap(), Swapped);
    free.6.unwrap();
    other.batch_execute("COMMIT").await.unwrap();
    for (subject, version) in [("a", 1), ("b", 2), ("c", 2), ("e", 1), ("g", 1), ("new", 1)] {
        let guard = load(&*store, &id(subject)).await.expect("it is there").guard;
        assert_eq!(guard.version, version, "{subject}");
        assert_eq!(swap(&*store, turn_both(&id(subject), version, 9)).await, Swapped, "{subject}");
    }
    assert_eq!(server.sql(&place.0.name, CONNECTIONS), before, "they are as good as before");
}

/// A table, of which nobody could be told from another.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn while_somebody_holds_all_accounts_a_probe_is_answered_and_the_rest_refused_in_time() {
    let Some(place) = PostgresPlace::new() else { return };
    let server = PostgresServer::shared().unwrap();
    let store = Arc::new(open_url(&place.0.url, "connections = 1").unwrap());
    for subject in ["a", "b", "c", "d"] {
        create(&*store, &id(subject), 1).await;
    }
    let before = server.sql(&place.0.name, CONNECTIONS);
    let other = connect(&place.0).await;
    other.batch_execute("BEGIN; LOCK TABLE guard IN EXCLUSIVE MODE").await.unwrap();
    let waiting = wait_for_a(&store, &place).await;
    let started = Instant::now();
    let (turned, born, swapped, deleted, property, probed) = tokio::join!(
        attempt(&*store, "a", |_| Some(turn(&id("a"), 1, 2))),
        attempt(&*store, "new", |_| Some(birth(&id("new"), 1))),
        store.swap_many(vec![turn(&id("b"), 1, 2), birth(&id("newer"), 1), turn_both(&id("c"), 1, 2)]),
        store.delete(id("d")),
        store.swap_property("name", None, vec![1]),
        store.probe(),
    );
    assert!(started.elapsed() < Duration::from_secs(8), "{:?}", started.elapsed());
    probed.unwrap();
    for ended in [turned, born] {
        let (_, outcome) = ended.expect("an end");
        assert!(is_unavailable(&outcome), "{outcome:?}");
    }
    assert!(is_unavailable(&swapped) && is_unavailable(&deleted));
    // There may have been no time left for it.
    assert!(is_unavailable(&property) || property.is_ok_and(|outcome| outcome == Swapped));
    assert!(is_unavailable(&waiting.await.unwrap()));
    other.batch_execute("COMMIT").await.unwrap();
    for subject in ["a", "b", "c", "d"] {
        assert_eq!(swap(&*store, turn_both(&id(subject), 1, 2)).await, Swapped, "{subject}");
    }
    assert_eq!(server.sql(&place.0.name, CONNECTIONS), before, "they are as good as before");
}

/// The winner of a race is decided on the newest row, also by one who has waited for it.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn who_waits_for_a_lock_sees_what_was_written_under_it() {
    let Some(place) = PostgresPlace::new() else { return };
    let server = PostgresServer::shared().unwrap();
    let store = place.open();
    for (subject, change) in [
        ("turned", "UPDATE guard SET version = 9 WHERE subject = 'turned'"),
        ("gone", "DELETE FROM guard WHERE subject = 'gone'"),
    ] {
        for swaps in [[turn(&id(subject), 1, 2)], [turn_both(&id(subject), 1, 2)]] {
            store.delete(id(subject)).await.unwrap();
            create(&*store, &id(subject), 1).await;
            let other = connect(&place.0).await;
            other.batch_execute(&format!("BEGIN; {change}")).await.unwrap();
            let waiting = tokio::spawn({
                let store = Arc::clone(&store);
                async move { store.swap_many(swaps.into()).await.unwrap() }
            });
            until(server, &place.0, ONE_WAITS).await;
            other.batch_execute("COMMIT").await.unwrap();
            assert_eq!(waiting.await.unwrap(), [Conflict], "{change}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_check_does_not_hold_up_other_calls() {
    let Some(place) = PostgresPlace::new() else { return };
    let store = Arc::new(open_url(&place.0.url, "connections = 1").unwrap());
    create(&*store, &id("a"), 0).await;
    // It waits for a lock that readers of the accounts do not want.
    let other = connect(&place.0).await;
    other.batch_execute("BEGIN; LOCK TABLE vault IN ACCESS EXCLUSIVE MODE").await.unwrap();
    let checking = tokio::spawn({
        let store = Arc::clone(&store);
        async move { store.check().await }
    });
    until(PostgresServer::shared().unwrap(), &place.0, ONE_WAITS).await;
    for version in 0..20 {
        assert_eq!(swap(&*store, turn(&id("a"), version, version + 1)).await, Swapped);
        store.probe().await.unwrap();
    }
    assert!(!checking.is_finished());
    other.batch_execute("COMMIT").await.unwrap();
    let inspection = tokio::time::timeout(Duration::from_secs(20), checking).await.unwrap().unwrap().unwrap();
    assert_eq!((inspection.accounts, inspection.faults.len()), (1, 0));
}

/// A server that gives a statement up for others has written nothing of it. Here a trigger says so, three times.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_write_that_others_were_in_the_way_of_is_repeated_and_happens_once() {
    for code in ["40001", "40P01"] {
        let Some(place) = PostgresPlace::new() else { return };
        let (server, name) = (PostgresServer::shared().unwrap(), &place.0.name);
        let store = place.open();
        create(&*store, &id("a"), 1).await;
        server.sql(
            name,
            &format!(
                "CREATE SEQUENCE tries MINVALUE -1000;
                 CREATE FUNCTION collide() RETURNS trigger LANGUAGE plpgsql AS
                 $$ BEGIN IF nextval('tries') <= 3 THEN RAISE 'others' USING ERRCODE = '{code}'; END IF; RETURN NEW; END $$;
                 CREATE TRIGGER collide BEFORE UPDATE OR INSERT ON guard FOR EACH ROW EXECUTE FUNCTION collide()"
            ),
        );
        let before = server.sql(name, CONNECTIONS);
        for write in [turn(&id("a"), 1, 2), turn_both(&id("a"), 2, 3), birth(&id("b"), 1)] {
            server.sql(name, "ALTER SEQUENCE tries RESTART WITH 1");
            assert_eq!(swap(&*store, write).await, Swapped, "{code}");
            assert_eq!(server.sql(name, "SELECT last_value FROM tries"), "4", "{code}");
        }
        // But not for ever.
        server.sql(name, "ALTER SEQUENCE tries RESTART WITH -1000");
        let answer = store.swap_many(vec![turn(&id("a"), 3, 4)]).await;
        assert!(is_unavailable(&answer), "{answer:?}");
        assert_eq!(load(&*store, &id("a")).await.unwrap().guard.version, 3);
        assert_eq!(server.sql(name, CONNECTIONS), before, "they are as good as before");
    }
}
