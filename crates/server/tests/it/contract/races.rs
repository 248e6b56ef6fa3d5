//! Many at once: what the promise that a code is accepted once stands on.

use super::Place;
use super::accounts::{birth, create, id, load, part, swap, turn, turn_both};
use einmal::store::SwapOutcome::{self, Conflict, Swapped};
use einmal::store::{Store, Swap, Version};
use std::sync::Arc;
use tokio::sync::Barrier;

/// Lets all swaps loose at once, dealt out over `stores`, and tells which of them won.
async fn race(stores: &[Arc<dyn Store>], swaps: Vec<Swap>) -> Vec<SwapOutcome> {
    let start = Arc::new(Barrier::new(swaps.len()));
    let runners: Vec<_> = swaps
        .into_iter()
        .zip(stores.iter().cycle())
        .map(|(runner, store)| {
            let (store, start) = (Arc::clone(store), Arc::clone(&start));
            tokio::spawn(async move {
                start.wait().await;
                swap(&*store, runner).await
            })
        })
        .collect();
    let mut outcomes = Vec::new();
    for runner in runners {
        outcomes.push(runner.await.unwrap());
    }
    outcomes
}

async fn one_wins(stores: &[Arc<dyn Store>], runners: u64, rounds: u64) {
    let id = id("a");
    create(&*stores[0], &id, 0).await;
    let mut now: Version = 0;
    for round in 1..=rounds {
        let versions: Vec<_> = (0..runners).map(|runner| round * 1_000 + runner).collect();
        let swaps = versions.iter().map(|version| turn_both(&id, now, *version)).collect();
        let outcomes = race(stores, swaps).await;
        let winners: Vec<_> =
            versions.iter().zip(outcomes).filter(|(_, outcome)| *outcome == Swapped).collect();
        assert_eq!(winners.len(), 1, "round {round}");
        now = *winners[0].0;
        let found = load(&*stores[0], &id).await.unwrap();
        assert_eq!((found.guard.version, found.vault.version), (now, now));
    }
}

pub(super) async fn of_16_swaps_of_one_version_one_wins(place: &impl Place) {
    one_wins(&[place.open()], 16, 200).await;
}

pub(super) async fn of_64_swaps_of_one_version_one_wins(place: &impl Place) {
    one_wins(&[place.open()], 64, 100).await;
}

pub(super) async fn over_two_connections_one_wins(place: &impl Place) {
    one_wins(&[place.open(), place.open()], 16, 50).await;
}

pub(super) async fn of_64_births_of_one_account_one_wins(place: &impl Place) {
    let store = place.open();
    for round in 0..50 {
        let id = id(&format!("user-{round}"));
        let swaps = (1..=64).map(|version| birth(&id, version)).collect();
        let outcomes = race(&[Arc::clone(&store)], swaps).await;
        let winners: Vec<_> = (1..)
            .zip(outcomes)
            .filter(|(_, outcome)| *outcome == Swapped)
            .map(|(version, _)| version)
            .collect();
        assert_eq!(winners.len(), 1);
        let found = load(&*store, &id).await.unwrap();
        assert_eq!((found.guard.version, found.vault.version), (winners[0], winners[0]));
    }
}

pub(super) async fn a_delete_beside_a_swap_leaves_nothing(place: &impl Place) {
    let store = place.open();
    for round in 0..100 {
        let id = id(&format!("user-{round}"));
        create(&*store, &id, 1).await;
        let (swapped, deleted) = tokio::join!(
            {
                let (store, swap) = (Arc::clone(&store), turn(&id, 1, 2));
                async move {
                    tokio::spawn(async move { store.swap_many(vec![swap]).await.unwrap()[0] }).await.unwrap()
                }
            },
            {
                let (store, id) = (Arc::clone(&store), id.clone());
                async move { tokio::spawn(async move { store.delete(id).await.unwrap() }).await.unwrap() }
            }
        );
        // The swap came first or found nothing, and could not bring back what was gone.
        assert!(deleted && matches!(swapped, Swapped | Conflict));
        assert_eq!(load(&*store, &id).await, None);
    }
}

pub(super) async fn guard_and_vault_are_never_seen_apart(place: &impl Place) {
    const ROUNDS: Version = 500;
    let (store, other) = (place.open(), place.open());
    create(&*store, &id("a"), 0).await;
    let writer = tokio::spawn(async move {
        for version in 0..ROUNDS {
            assert_eq!(swap(&*store, turn_both(&id("a"), version, version + 1)).await, Swapped);
        }
    });
    let mut seen = 0;
    while seen < ROUNDS {
        let found = load(&*other, &id("a")).await.unwrap();
        assert_eq!(found.guard.version, found.vault.version);
        assert!(found.guard.version >= seen, "went back in time");
        seen = found.guard.version;
    }
    writer.await.unwrap();
}

pub(super) async fn counting_by_swaps_loses_nothing(place: &impl Place) {
    const TASKS: u8 = 8;
    const EACH: u32 = 50;
    let store = place.open();
    let counter = |number: u32, version| {
        let mut part = part("", version);
        part.sealed = number.to_be_bytes().to_vec();
        part
    };
    swap(&*store, Swap { guard: counter(0, 1), ..birth(&id("a"), 1) }).await;
    let tasks: Vec<_> = (1..=TASKS)
        .map(|task| {
            let store = Arc::clone(&store);
            tokio::spawn(async move {
                let mut version = u64::from(task) << 32;
                let mut done = 0;
                while done < EACH {
                    let guard = load(&*store, &id("a")).await.unwrap().guard;
                    let number = u32::from_be_bytes(guard.sealed.try_into().unwrap());
                    version += 1;
                    let next = Swap {
                        guard: counter(number + 1, version),
                        ..turn(&id("a"), guard.version, version)
                    };
                    done += u32::from(swap(&*store, next).await == Swapped);
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let total = load(&*store, &id("a")).await.unwrap().guard.sealed;
    assert_eq!(total, (u32::from(TASKS) * EACH).to_be_bytes());
}
