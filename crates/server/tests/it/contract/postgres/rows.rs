//! Rows that this version did not write: an error for whoever asks for them, and for nobody else.

use super::super::accounts::{account, create, id, load};
use super::super::{Place, is_damaged};
use super::PostgresPlace;
use crate::harness::postgres::PostgresServer;
use std::sync::Arc;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn half_an_account_or_one_with_an_impossible_key_fails_alone_and_can_be_made_again() {
    let Some(place) = PostgresPlace::new() else { return };
    let server = PostgresServer::shared().unwrap();
    let store = place.open();
    for name in ["half", "odd", "orphan", "whole"] {
        create(&*store, &id(name), 1).await;
    }
    server.sql(
        &place.0.name,
        "DELETE FROM vault WHERE subject = 'half'; UPDATE guard SET key_id = -1 WHERE subject = 'odd';
         DELETE FROM guard WHERE subject = 'orphan'",
    );
    assert!(is_damaged(&store.load_many(vec![id("odd")]).await));
    assert!(is_damaged(&store.scan(None, 10).await));
    assert_eq!(load(&*store, &id("orphan")).await, None);
    for _ in 0..50 {
        let (half, whole) =
            tokio::join!(store.load_many(vec![id("half")]), store.load_many(vec![id("whole")]));
        assert!(is_damaged(&half));
        assert_eq!(whole.unwrap(), [Some(account(1))]);
    }
    assert_eq!(store.ids(None, 10).await.unwrap(), [id("half"), id("odd"), id("whole")], "all have ids");
    let inspection = store.check().await.unwrap();
    assert_eq!(inspection.accounts, 3);
    assert_eq!(inspection.faults, ["\"main\" \"orphan\": a vault without a guard"]);

    for name in ["half", "orphan", "odd"] {
        assert!(store.delete(id(name)).await.unwrap(), "{name}");
        assert!(!store.delete(id(name)).await.unwrap(), "{name}");
        create(&*store, &id(name), 2).await;
        assert_eq!(load(&*store, &id(name)).await, Some(account(2)));
    }
}

/// Each of them is told on its own whether it was there.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_several_deletes_of_one_account_at_once_one_finds_it() {
    let Some(place) = PostgresPlace::new() else { return };
    let store = place.open();
    for round in 0..20 {
        let name = id(&format!("user-{round}"));
        create(&*store, &name, 1).await;
        let deletes = (0..8).map(|_| {
            let (store, name) = (Arc::clone(&store), name.clone());
            tokio::spawn(async move { store.delete(name).await.unwrap() })
        });
        let mut found = 0;
        for deleting in deletes.collect::<Vec<_>>() {
            found += usize::from(deleting.await.unwrap());
        }
        assert_eq!(found, 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_subject_that_is_no_text_is_damage_and_does_not_stop_the_check() {
    let Some(place) = PostgresPlace::new() else { return };
    let server = PostgresServer::shared().unwrap();
    let store = place.open();
    create(&*store, &id("a"), 1).await;
    for table in ["guard", "vault"] {
        let sql = format!("INSERT INTO {table} VALUES ('main', '\\xff', 1, 1, '')");
        server.sql(&place.0.name, &sql);
    }
    assert!(is_damaged(&store.ids(None, 10).await));
    assert!(is_damaged(&store.scan(None, 10).await));
    assert_eq!(load(&*store, &id("a")).await, Some(account(1)));
    assert_eq!(store.check().await.unwrap().accounts, 2);
}
