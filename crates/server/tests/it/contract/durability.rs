//! What was answered stays.

use super::Place;
use super::accounts::{account, birth, create, id, load, swap, turn_both};
use einmal::store::SwapOutcome::{Conflict, Swapped};
use std::future::poll_fn;
use std::task::Poll;

pub(super) async fn all_is_there_after_opening_again(place: &impl Place) {
    let store = place.open();
    create(&*store, &id("a"), 1).await;
    create(&*store, &id("b"), 1).await;
    create(&*store, &id("c"), 1).await;
    assert_eq!(swap(&*store, turn_both(&id("b"), 1, 2)).await, Swapped);
    assert!(store.delete(id("c")).await.unwrap());
    assert_eq!(store.swap_property("name", None, vec![1, 2, 3]).await.unwrap(), Swapped);
    drop(store);

    let store = place.open();
    let found = store.scan(None, 10).await.unwrap();
    assert_eq!(found, [(id("a"), account(1)), (id("b"), account(2))]);
    assert_eq!(store.property("name").await.unwrap(), Some(vec![1, 2, 3]));
    assert_eq!(swap(&*store, turn_both(&id("b"), 1, 3)).await, Conflict);
}

pub(super) async fn a_write_happens_though_its_caller_has_gone(place: &impl Place) {
    let store = place.open();
    for number in 0..100 {
        let mut call = store.swap_many(vec![birth(&id(&format!("user-{number}")), 1)]);
        // Polled once, it is in the queue; then the caller loses interest.
        poll_fn(|context| {
            let _ = call.as_mut().poll(context);
            Poll::Ready(())
        })
        .await;
    }
    drop(store);
    assert_eq!(place.open().scan(None, 1_000).await.unwrap().len(), 100);
}

pub(super) async fn a_probe_succeeds_and_changes_no_account(place: &impl Place) {
    let store = place.open();
    create(&*store, &id("a"), 1).await;
    for _ in 0..3 {
        store.probe().await.unwrap();
    }
    assert_eq!(store.scan(None, 10).await.unwrap(), [(id("a"), account(1))]);
}

pub(super) async fn what_was_answered_is_seen_by_the_next_read(place: &impl Place) {
    let (store, other) = (place.open(), place.open());
    create(&*store, &id("a"), 0).await;
    for version in 0..200 {
        assert_eq!(swap(&*store, turn_both(&id("a"), version, version + 1)).await, Swapped);
        assert_eq!(load(&*store, &id("a")).await, Some(account(version + 1)));
        assert_eq!(load(&*other, &id("a")).await, Some(account(version + 1)));
    }
}
