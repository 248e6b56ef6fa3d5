//! Walking over all accounts.

use super::Place;
use super::accounts::{account, birth, create, id, turn};
use einmal::store::{Inspection, SealedAccount, Store};
use einmal_core::account::AccountId;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

async fn walk(store: &dyn Store, limit: usize) -> Vec<(AccountId, SealedAccount)> {
    let mut all: Vec<(AccountId, SealedAccount)> = Vec::new();
    loop {
        let page = store.scan(all.last().map(|(id, _)| id.clone()), limit).await.unwrap();
        assert!(page.len() <= limit);
        if page.is_empty() {
            return all;
        }
        all.extend(page);
    }
}

pub(super) async fn pages_are_in_the_order_of_bytes_and_complete(place: &impl Place) {
    let store = place.open();
    let mut ids = Vec::new();
    for issuer in ["b", "a", "a ", "B", "aa"] {
        for subject in ["b", "a", "a ", "B", "aa", "\u{e9}", "e\u{301}", "z", "\u{1f600}", "\u{fffd}"] {
            ids.push(AccountId::new(issuer, subject));
        }
    }
    for (version, id) in (1..).zip(&ids) {
        create(&*store, id, version).await;
    }
    let mut expected: Vec<_> = ids.into_iter().zip((1..).map(account)).collect();
    expected.sort_by(|one, other| {
        let key = |id: &AccountId| (id.issuer().as_bytes().to_vec(), id.subject().as_bytes().to_vec());
        key(&one.0).cmp(&key(&other.0))
    });
    for limit in [1, 7, 10, 50, 1_000] {
        let found = walk(&*store, limit).await;
        assert_eq!(found, expected, "{limit} at a time");
        for from in [None, Some(found[0].0.clone()), Some(found[12].0.clone())] {
            let ids: Vec<_> = store.scan(from.clone(), limit).await.unwrap();
            let ids: Vec<_> = ids.into_iter().map(|(id, _)| id).collect();
            assert_eq!(store.ids(from, limit).await.unwrap(), ids);
        }
    }
    // After a name that is not there, too.
    let after = store.scan(Some(AccountId::new("a", "a\u{1}")), 1).await.unwrap();
    assert_eq!(after[0].0, AccountId::new("a", "a "));
}

pub(super) async fn an_empty_store_has_an_empty_page(place: &impl Place) {
    let store = place.open();
    assert!(store.scan(None, 10).await.unwrap().is_empty());
    assert!(store.ids(None, 10).await.unwrap().is_empty());
    assert!(store.scan(Some(id("a")), 10).await.unwrap().is_empty());
}

pub(super) async fn what_stays_is_found_once_while_others_write(place: &impl Place) {
    let store = place.open();
    let stays: Vec<_> = (0..200).map(|number| id(&format!("{number:04}-stays"))).collect();
    store.swap_many(stays.iter().map(|id| birth(id, 1)).collect()).await.unwrap();

    let done = Arc::new(AtomicBool::new(false));
    let writer = tokio::spawn({
        let (store, done, stays) = (Arc::clone(&store), Arc::clone(&done), stays.clone());
        async move {
            let mut version = 1;
            while !done.load(Ordering::Relaxed) {
                let comes: Vec<_> = (0..200).map(|number| id(&format!("{number:04}-comes"))).collect();
                store.swap_many(comes.iter().map(|id| birth(id, 1)).collect()).await.unwrap();
                let turns = stays.iter().map(|id| turn(id, version, version + 1));
                store.swap_many(turns.collect()).await.unwrap();
                version += 1;
                for id in comes.into_iter().step_by(10) {
                    store.delete(id).await.unwrap();
                }
            }
        }
    });
    for _ in 0..20 {
        let found = walk(&*store, 13).await;
        assert!(found.is_sorted_by(|one, other| one.0 < other.0));
        let found: Vec<_> = found.into_iter().map(|(id, _)| id).filter(|id| stays.contains(id)).collect();
        assert_eq!(found, stays);
    }
    done.store(true, Ordering::Relaxed);
    writer.await.unwrap();
}

pub(crate) async fn ids_are_those_of_the_accounts_in_the_same_order(place: &dyn Place) {
    let store = place.open();
    for subject in ["b", "a", "ä", "a ", "A", "a\u{1}"] {
        create(&*store, &id(subject), 1).await;
    }
    let all: Vec<_> = store.scan(None, 100).await.unwrap().into_iter().map(|(id, _)| id).collect();
    for limit in [1, 2, 5, 6, 7] {
        let mut ids: Vec<AccountId> = Vec::new();
        loop {
            let page = store.ids(ids.last().cloned(), limit).await.unwrap();
            assert!(page.len() <= limit);
            if page.is_empty() {
                break;
            }
            ids.extend(page);
        }
        assert_eq!(ids, all, "{limit}");
    }
}

pub(crate) async fn a_check_of_a_sound_store_counts_its_accounts_and_finds_nothing(place: &dyn Place) {
    let store = place.open();
    assert_eq!(store.check().await.unwrap(), Inspection::default());
    for number in 0..3 {
        create(&*store, &id(&number.to_string()), 1).await;
    }
    assert_eq!(store.check().await.unwrap(), Inspection { accounts: 3, faults: Vec::new() });
}
