//! The store's own small values, which change by swaps as accounts do.

use super::Place;
use einmal::store::SwapOutcome::{Conflict, Swapped};
use einmal::store::claim_property;
use std::collections::BTreeSet;
use std::sync::Arc;
use tokio::sync::Barrier;

pub(super) async fn a_property_is_swapped_only_from_the_value_it_has(place: &impl Place) {
    let store = place.open();
    let swap = |expected: Option<&[u8]>, value: &[u8]| {
        store.swap_property("one", expected.map(<[u8]>::to_vec), value.to_vec())
    };
    assert_eq!(swap(Some(b""), b"x").await.unwrap(), Conflict, "never set is not empty");
    assert_eq!(store.property("one").await.unwrap(), None);
    assert_eq!(swap(None, &[1, 0, 255]).await.unwrap(), Swapped);
    assert_eq!(swap(None, b"x").await.unwrap(), Conflict);
    assert_eq!(swap(Some(&[1, 0]), b"x").await.unwrap(), Conflict);
    assert_eq!(store.property("one").await.unwrap(), Some(vec![1, 0, 255]));
    assert_eq!(swap(Some(&[1, 0, 255]), b"").await.unwrap(), Swapped);
    assert_eq!(store.property("one").await.unwrap(), Some(Vec::new()));
    assert_eq!(swap(Some(b""), &[2]).await.unwrap(), Swapped);
    assert_eq!(store.property("one").await.unwrap(), Some(vec![2]));
    assert_eq!(store.property("ONE").await.unwrap(), None);
}

pub(super) async fn of_16_who_claim_a_property_one_wins_and_all_learn_who(place: &impl Place) {
    let stores = [place.open(), place.open()];
    for (round, name) in ["a", "b", "c", "d", "e", "f", "g", "h"].into_iter().enumerate() {
        let start = Arc::new(Barrier::new(16));
        let claims: Vec<_> = (0..16_u8)
            .map(|claimant| {
                let (store, start) = (Arc::clone(&stores[usize::from(claimant) % 2]), Arc::clone(&start));
                tokio::spawn(async move {
                    start.wait().await;
                    claim_property(&*store, name, vec![claimant]).await.unwrap()
                })
            })
            .collect();
        let mut found = BTreeSet::new();
        for claim in claims {
            found.insert(claim.await.unwrap());
        }
        assert_eq!(found.len(), 1, "round {round}: {found:?}");
        assert_eq!(stores[0].property(name).await.unwrap(), found.pop_first());
    }
}
