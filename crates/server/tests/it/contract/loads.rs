//! What comes back, and whose it is.

use super::Place;
use super::accounts::{account, birth, create, id, load, part, swap};
use einmal::store::SwapOutcome::Swapped;
use einmal::store::{Expected, SealedAccount, SealedPart, Swap};
use einmal_core::account::AccountId;

pub(super) async fn what_is_not_there_is_none(place: &impl Place) {
    let store = place.open();
    assert_eq!(load(&*store, &id("a")).await, None);
    assert_eq!(store.property("absent").await.unwrap(), None);
}

pub(super) async fn order_gaps_and_duplicates_are_kept(place: &impl Place) {
    let store = place.open();
    create(&*store, &id("a"), 1).await;
    create(&*store, &id("b"), 2).await;
    let asked = ["b", "nobody", "a", "b", "a", "no one"].map(id).to_vec();
    let found = store.load_many(asked).await.unwrap();
    let (a, b) = (Some(account(1)), Some(account(2)));
    assert_eq!(found, [b.clone(), None, a.clone(), b, a, None]);
}

pub(super) async fn subjects_compare_as_bytes(place: &impl Place) {
    let store = place.open();
    let longest = "x".repeat(255);
    // By case, by trailing space, by Unicode normal form, by what SQL and LIKE would make of them, by look.
    let subjects = [
        "user",
        "User",
        "USER",
        "user ",
        " user",
        "user\u{a0}",
        "caf\u{e9}",
        "cafe\u{301}",
        "it's",
        "it''s",
        "\"user\"",
        "us_r",
        "us%r",
        "us*r",
        "a;--",
        "1",
        "01",
        "1.0",
        "1e0",
        "\\user",
        "\u{43e}",
        "o",
        "0",
        "stra\u{df}e",
        "strasse",
        "\u{1f600}",
        "null",
        "\u{131}",
        "i",
        &longest,
    ];
    let ids: Vec<_> = subjects.iter().map(|subject| id(subject)).collect();
    for (version, id) in (1..).zip(&ids) {
        create(&*store, id, version).await;
    }
    let found = store.load_many(ids.clone()).await.unwrap();
    for ((version, id), found) in (1..).zip(&ids).zip(found) {
        assert_eq!(found, Some(account(version)), "{:?}", id.subject());
    }
    assert!(store.delete(id("User")).await.unwrap());
    assert_eq!(load(&*store, &id("user")).await, Some(account(1)));
}

pub(super) async fn issuers_separate_equal_subjects(place: &impl Place) {
    let store = place.open();
    let (main, other) = (AccountId::new("main", "a"), AccountId::new("other", "a"));
    create(&*store, &main, 1).await;
    assert_eq!(load(&*store, &other).await, None);
    assert!(!store.delete(other.clone()).await.unwrap());
    create(&*store, &other, 2).await;
    assert_eq!(load(&*store, &main).await, Some(account(1)));
    assert_eq!(load(&*store, &other).await, Some(account(2)));
    // The pair counts and not what it looks like when put together.
    assert_eq!(load(&*store, &AccountId::new("maina", "")).await, None);
    assert_eq!(load(&*store, &AccountId::new("mai", "na")).await, None);
}

pub(super) async fn all_versions_and_keys_are_kept(place: &impl Place) {
    let store = place.open();
    for (number, version) in [0, 1, u64::MAX, 1 << 63, (1 << 63) - 1].into_iter().enumerate() {
        for (letter, key_id) in ["a", "b", "c"].into_iter().zip([0, 1 << 31, u32::MAX]) {
            let id = id(&format!("{letter}{number}"));
            let part = SealedPart { version, key_id, sealed: vec![0, 255] };
            let expected = Expected::Absent;
            let born = Swap { id: id.clone(), expected, guard: part.clone(), vault: Some(part.clone()) };
            assert_eq!(swap(&*store, born).await, Swapped);
            let account = SealedAccount { guard: part.clone(), vault: part.clone() };
            assert_eq!(load(&*store, &id).await, Some(account));
            let next = Swap { id, expected: Expected::Version(version), guard: part, vault: None };
            assert_eq!(swap(&*store, next).await, Swapped);
        }
    }
}

pub(super) async fn large_parts_are_kept(place: &impl Place) {
    let store = place.open();
    let large = |byte| SealedPart { sealed: vec![byte; 64 << 10], ..part("", 1) };
    let both = SealedAccount { guard: large(1), vault: large(2) };
    for subject in ["a", "b", "c"] {
        let born =
            Swap { guard: both.guard.clone(), vault: Some(both.vault.clone()), ..birth(&id(subject), 1) };
        assert_eq!(swap(&*store, born).await, Swapped);
    }
    assert_eq!(load(&*store, &id("b")).await, Some(both));
    let empty = SealedPart { sealed: Vec::new(), ..part("", 2) };
    let emptied = Swap {
        id: id("b"),
        expected: Expected::Version(1),
        guard: empty.clone(),
        vault: Some(empty.clone()),
    };
    assert_eq!(swap(&*store, emptied).await, Swapped);
    let emptied = SealedAccount { guard: empty.clone(), vault: empty };
    assert_eq!(load(&*store, &id("b")).await, Some(emptied));
}
