//! The server stands still, dies, is restarted, becomes read-only: an error in time, never a false answer, and service
//! again by itself.

use super::super::accounts::{account, birth, create, id, load, swap, turn_both};
use super::super::{Place, is_unavailable};
use super::raw::{recovered, until};
use super::{OwnServer, PostgresPlace, open_url};
use crate::harness::postgres::PostgresServer;
use einmal::store::Store;
use einmal::store::SwapOutcome::{Conflict, Swapped};
use std::net::TcpListener;
use std::time::Duration;
use tokio::time::Instant;

/// A group may take 5 s. Who comes when one has just begun waits for that and for an attempt to connect.
const LONGEST: Duration = Duration::from_secs(8);

async fn all_are_unavailable_in_time(store: &dyn Store) {
    let started = Instant::now();
    let (loaded, swapped, deleted, scanned, listed, property, set, probed) = tokio::join!(
        store.load_many(vec![id("a")]),
        store.swap_many(vec![turn_both(&id("a"), 9, 10)]),
        store.delete(id("nobody")),
        store.scan(None, 10),
        store.ids(None, 10),
        store.property("name"),
        store.swap_property("name", Some(vec![9]), vec![1]),
        store.probe(),
    );
    assert!(is_unavailable(&loaded) && is_unavailable(&swapped) && is_unavailable(&deleted));
    assert!(is_unavailable(&scanned) && is_unavailable(&listed) && is_unavailable(&property));
    assert!(is_unavailable(&set) && is_unavailable(&probed));
    assert!(started.elapsed() < LONGEST, "{:?}", started.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn while_the_server_stands_still_all_is_refused_in_time_and_then_answered_again_158() {
    let Some(own) = OwnServer::start("") else { return };
    let store = own.open();
    create(&*store, &id("a"), 1).await;
    own.server.pause();
    let unknown = store.swap_many(vec![turn_both(&id("a"), 1, 2)]).await;
    assert!(is_unavailable(&unknown), "{unknown:?}");
    for _ in 0..3 {
        all_are_unavailable_in_time(&*store).await;
    }
    // Once it is known, nobody waits for it.
    for _ in 0..100 {
        let asked = Instant::now();
        assert!(is_unavailable(&store.probe().await));
        assert!(is_unavailable(&store.load_many(vec![id("a")]).await));
        assert!(asked.elapsed() < Duration::from_secs(1), "{:?}", asked.elapsed());
    }

    own.server.go_on();
    let found = recovered(|| store.load_many(vec![id("a")])).await.remove(0).unwrap();
    recovered(|| store.probe()).await;
    // The server may have had it, or not: nobody was told that it was.
    assert!([1, 2].contains(&found.guard.version), "{found:?}");
    let now = load(&*store, &id("a")).await.unwrap().guard.version;
    assert_eq!(swap(&*store, turn_both(&id("a"), now, 3)).await, Swapped);
    assert_eq!(load(&*store, &id("a")).await, Some(account(3)));
    let open = "SELECT count(*) <= 6 FROM pg_stat_activity WHERE application_name = 'einmal'";
    until(&own.server, &own.database, open).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn after_a_kill_what_was_answered_is_there_and_no_restart_of_ours_is_needed_158() {
    let Some(mut own) = OwnServer::start("") else { return };
    let store = own.open();
    for round in 0..2 {
        let name = move |number: u64| id(&format!("user-{round}-{number}"));
        let writing = tokio::spawn({
            let store = std::sync::Arc::clone(&store);
            async move {
                let mut number = 0;
                while let Ok(outcomes) = store.swap_many(vec![birth(&name(number), 1)]).await {
                    assert_eq!(outcomes, [Swapped]);
                    number += 1;
                }
                number
            }
        });
        let ids = "SELECT count(*) >= 200 FROM guard";
        until(&own.server, &own.database, ids).await;
        own.server.kill();
        let answered = writing.await.unwrap();
        all_are_unavailable_in_time(&*store).await;
        own.server.start_again();
        recovered(|| store.probe()).await;
        let ids: Vec<_> = (0..answered).map(name).collect();
        let found = recovered(|| store.load_many(ids.clone())).await;
        assert!(answered > 0 && found.iter().all(Option::is_some), "lost of {answered}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn connections_that_were_closed_while_nobody_used_them_cost_no_request() {
    let Some(mut own) = OwnServer::start("") else { return };
    let store = own.open();
    create(&*store, &id("a"), 0).await;
    for version in 0..6 {
        if version % 2 == 0 {
            own.server.stop();
            own.server.start_again();
        } else {
            let end =
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'einmal'";
            own.server.sql(&own.database.name, end);
        }
        let gone = "SELECT count(*) = 0 FROM pg_stat_activity WHERE application_name = 'einmal'";
        until(&own.server, &own.database, gone).await;
        // Both ends are in this machine: what the server has sent is there.
        tokio::task::yield_now().await;
        assert_eq!(recovered(|| store.load_many(vec![id("a")])).await[0], Some(account(version)));
        assert_eq!(swap(&*store, turn_both(&id("a"), version, version + 1)).await, Swapped);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_server_that_becomes_read_only_is_left_until_it_takes_writes_again_160() {
    let Some(own) = OwnServer::start("") else { return };
    let store = own.open();
    create(&*store, &id("a"), 1).await;
    let set = |value: &str| {
        own.server.sql("postgres", &format!("ALTER SYSTEM SET default_transaction_read_only = {value}"));
        own.server.sql("postgres", "SELECT pg_reload_conf()");
    };
    set("on");
    let deadline = Instant::now() + Duration::from_secs(20);
    while store.probe().await.is_ok() {
        assert!(Instant::now() < deadline, "still takes writes");
    }
    // Connections that are there refuse with 25006, and new ones are not taken.
    for _ in 0..3 {
        let refused = store.swap_many(vec![turn_both(&id("a"), 1, 2)]).await;
        assert!(is_unavailable(&refused), "{refused:?}");
        assert!(is_unavailable(&store.probe().await));
    }
    set("off");
    recovered(|| store.probe()).await;
    assert_eq!(swap(&*store, turn_both(&id("a"), 1, 2)).await, Swapped);
    assert_eq!(swap(&*store, turn_both(&id("a"), 1, 3)).await, Conflict);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_several_hosts_the_one_that_takes_writes_is_found() {
    let (Some(place), Some(standby)) =
        (PostgresPlace::new(), OwnServer::start("default_transaction_read_only = on"))
    else {
        return;
    };
    let server = PostgresServer::shared().unwrap();
    // One that refuses, one that accepts and says nothing, and one that is read-only.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let refusing = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let hosts = [refusing.port(), silent.local_addr().unwrap().port(), standby.server.port, server.port];
    let hosts: Vec<_> = hosts.iter().map(|port| format!("127.0.0.1:{port}")).collect();
    standby.server.sql("postgres", &format!("CREATE DATABASE {}", place.0.name));
    let url = format!("postgres://einmal@{}/{}", hosts.join(","), place.0.name);
    let started = Instant::now();
    let store = open_url(&url, "").unwrap();
    assert!(started.elapsed() < Duration::from_secs(15));
    create(&store, &id("a"), 1).await;
    drop(store);
    assert_eq!(load(&*place.open(), &id("a")).await, Some(account(1)), "it is in the right place");

    let url = format!("postgres://einmal@{}/{}", hosts[..3].join(","), place.0.name);
    let Err(error) = open_url(&url, "") else { panic!("opened") };
    let said = error.to_string();
    for part in ["refused", "no answer within 2 s", "does not allow writes"] {
        assert!(said.contains(part), "{part}: {said}");
    }
}
