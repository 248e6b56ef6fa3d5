//! A store that is closed: for all handles, those that were open before as well, and in one moment.

use super::accounts::{account, birth, create, id, load, swap, turn, turn_both};
use super::{Place, is_unavailable};
use einmal::store::SwapOutcome::{Conflict, Swapped};
use einmal::store::{Fence, Store, fence_of};
use std::sync::Arc;
use tokio::sync::Barrier;
use tokio::task::JoinSet;

fn moved() -> Fence {
    Fence::MovedTo { target: "somewhere else".to_owned(), identity: 7 }
}

fn copy(run: u64) -> Fence {
    Fence::CopyOf { source: "a store".to_owned(), run }
}

/// That nothing can be written, each kind of write by itself.
async fn refuses_all(store: &dyn Store) {
    for one in [turn(&id("a"), 1, 2), turn_both(&id("a"), 1, 2), birth(&id("b"), 1)] {
        let refused = store.swap_many(vec![one]).await;
        assert!(is_unavailable(&refused), "{refused:?}");
    }
    assert!(is_unavailable(&store.delete(id("a")).await));
    assert!(is_unavailable(&store.swap_property("one", Some(vec![1]), vec![2]).await));
    assert!(is_unavailable(&store.swap_property("two", None, vec![2]).await));
    assert!(is_unavailable(&store.probe().await));
}

pub(super) async fn a_closed_store_is_read_and_takes_no_writes_until_it_is_opened_again(place: &impl Place) {
    let store = place.open();
    create(&*store, &id("a"), 1).await;
    assert_eq!(store.swap_property("one", None, vec![1]).await.unwrap(), Swapped);
    store.probe().await.unwrap();
    assert_eq!(fence_of(&*store).await.unwrap(), None);
    for _ in 0..2 {
        assert_eq!(store.swap_fence(None, Some(moved())).await.unwrap(), Swapped);
        let later = place.open();
        for store in [&store, &later] {
            refuses_all(&**store).await;
            assert_eq!(fence_of(&**store).await.unwrap(), Some(moved()));
            assert_eq!(load(&**store, &id("a")).await, Some(account(1)));
            assert_eq!(load(&**store, &id("b")).await, None);
            assert_eq!(store.scan(None, 10).await.unwrap(), [(id("a"), account(1))]);
            assert_eq!(store.property("one").await.unwrap(), Some(vec![1]));
        }
        assert_eq!(later.swap_fence(Some(moved()), None).await.unwrap(), Swapped);
        store.probe().await.unwrap();
        assert_eq!(store.swap_property("one", Some(vec![1]), vec![1]).await.unwrap(), Swapped);
    }
    assert_eq!(swap(&*store, turn_both(&id("a"), 1, 2)).await, Swapped);
    assert_eq!(load(&*store, &id("a")).await, Some(account(2)));
    assert_eq!(fence_of(&*store).await.unwrap(), None);
}

pub(super) async fn who_opened_it_behind_the_fence_writes_and_nobody_else(place: &impl Place) {
    let (store, behind) = (place.open(), place.open_behind_fence());
    create(&*store, &id("a"), 1).await;
    assert_eq!(store.swap_property("one", None, vec![1]).await.unwrap(), Swapped);
    assert_eq!(behind.swap_fence(None, Some(copy(1))).await.unwrap(), Swapped);
    for version in 2..5 {
        assert_eq!(swap(&*behind, turn_both(&id("c"), version - 1, version)).await, Conflict);
        create(&*behind, &id(&version.to_string()), version).await;
        refuses_all(&*store).await;
        behind.probe().await.unwrap();
    }
    assert!(behind.delete(id("2")).await.unwrap());
    assert_eq!(load(&*store, &id("3")).await, Some(account(3)));
}

pub(super) async fn a_fence_is_changed_only_from_what_it_is(place: &impl Place) {
    let store = place.open();
    assert_eq!(store.swap_fence(Some(moved()), Some(copy(1))).await.unwrap(), Conflict);
    assert_eq!(fence_of(&*store).await.unwrap(), None);
    create(&*store, &id("a"), 1).await;
    assert_eq!(store.swap_fence(None, Some(copy(1))).await.unwrap(), Swapped);
    for (from, to) in [(None, Some(moved())), (Some(copy(2)), None), (Some(moved()), None), (None, None)] {
        assert_eq!(store.swap_fence(from, to).await.unwrap(), Conflict);
        assert_eq!(fence_of(&*store).await.unwrap(), Some(copy(1)));
    }
    assert_eq!(store.swap_fence(Some(copy(1)), Some(copy(2))).await.unwrap(), Swapped);
    assert!(is_unavailable(&store.delete(id("a")).await));
    assert_eq!(fence_of(&*store).await.unwrap(), Some(copy(2)));
}

pub(super) async fn of_8_who_close_a_store_at_once_one_does(place: &impl Place) {
    let stores = [place.open(), place.open()];
    let start = Arc::new(Barrier::new(8));
    let mut closings = JoinSet::new();
    for run in 0..8_u64 {
        let (store, start) = (Arc::clone(&stores[usize::from(run % 2 == 0)]), Arc::clone(&start));
        closings.spawn(async move {
            start.wait().await;
            (run, store.swap_fence(None, Some(copy(run))).await.unwrap())
        });
    }
    let outcomes = closings.join_all().await;
    let winners: Vec<_> = outcomes.iter().filter(|(_, outcome)| *outcome == Swapped).collect();
    let [(winner, _)] = winners.as_slice() else { panic!("{outcomes:?}") };
    assert_eq!(fence_of(&*stores[0]).await.unwrap(), Some(copy(*winner)));
}

/// Writers on two handles go on until they are refused. What is there when the closing returns must be all that they were
/// told was written, and stay so.
pub(super) async fn after_the_closing_nothing_is_written_that_was_begun_before(place: &impl Place) {
    const WRITERS: u64 = 16;
    let stores = [place.open(), place.open()];
    for round in 0..6 {
        let name = move |writer: u64| id(&format!("{round}-{writer}"));
        let mut writers = JoinSet::new();
        for writer in 0..WRITERS {
            let store = Arc::clone(&stores[usize::from(writer % 2 == 0)]);
            create(&*store, &name(writer), 0).await;
            writers.spawn(async move {
                for version in 0.. {
                    let one = turn_both(&name(writer), version, version + 1);
                    match store.swap_many(vec![one]).await {
                        Ok(outcomes) => assert_eq!(outcomes, [Swapped]),
                        Err(_) => return (writer, version),
                    }
                }
                unreachable!("no writer ends by itself");
            });
        }
        // So that all of them are in the middle of it.
        while load(&*stores[0], &name(0)).await.unwrap().guard.version < 5 {}
        assert_eq!(stores[0].swap_fence(None, Some(moved())).await.unwrap(), Swapped);
        let mut closed = Vec::new();
        for writer in 0..WRITERS {
            closed.push((writer, load(&*stores[1], &name(writer)).await.unwrap()));
        }
        let mut told = writers.join_all().await;
        told.sort_unstable();
        for ((writer, stored), (_, version)) in closed.into_iter().zip(told) {
            assert_eq!(stored, account(version), "{writer}");
            assert_eq!(load(&*stores[0], &name(writer)).await, Some(stored));
        }
        assert_eq!(stores[1].swap_fence(Some(moved()), None).await.unwrap(), Swapped);
    }
}
