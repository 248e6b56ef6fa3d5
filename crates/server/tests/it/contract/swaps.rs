//! One account, one conditional write after the other.

use super::Place;
use super::accounts::{account, birth, create, id, load, part, swap, turn, turn_both};
use einmal::store::SwapOutcome::{Conflict, Swapped};
use einmal::store::{Expected, SealedAccount, StoreError, Swap};

pub(super) async fn an_account_comes_into_being_and_is_read_as_written(place: &impl Place) {
    let store = place.open();
    create(&*store, &id("a"), 1).await;
    assert_eq!(load(&*store, &id("a")).await, Some(account(1)));
}

pub(super) async fn a_second_account_of_that_name_conflicts_and_changes_nothing(place: &impl Place) {
    let store = place.open();
    create(&*store, &id("a"), 1).await;
    assert_eq!(swap(&*store, birth(&id("a"), 2)).await, Conflict);
    assert_eq!(swap(&*store, birth(&id("a"), 1)).await, Conflict);
    assert_eq!(load(&*store, &id("a")).await, Some(account(1)));
}

pub(super) async fn a_swap_replaces_the_version_it_expected(place: &impl Place) {
    let store = place.open();
    create(&*store, &id("a"), 1).await;
    create(&*store, &id("b"), 1).await;
    assert_eq!(swap(&*store, turn_both(&id("a"), 1, 2)).await, Swapped);
    assert_eq!(load(&*store, &id("a")).await, Some(account(2)));
    assert_eq!(load(&*store, &id("b")).await, Some(account(1)));
}

pub(super) async fn a_stale_version_conflicts_and_changes_nothing(place: &impl Place) {
    let store = place.open();
    create(&*store, &id("a"), 1).await;
    assert_eq!(swap(&*store, turn_both(&id("a"), 1, 2)).await, Swapped);
    assert_eq!(swap(&*store, turn_both(&id("a"), 1, 3)).await, Conflict);
    assert_eq!(load(&*store, &id("a")).await, Some(account(2)));
}

pub(super) async fn a_swap_of_what_is_not_there_conflicts(place: &impl Place) {
    let store = place.open();
    assert_eq!(swap(&*store, turn_both(&id("a"), 0, 1)).await, Conflict);
    assert_eq!(load(&*store, &id("a")).await, None);
}

pub(super) async fn a_swap_of_the_guard_leaves_the_vault(place: &impl Place) {
    let store = place.open();
    create(&*store, &id("a"), 1).await;
    assert_eq!(swap(&*store, turn(&id("a"), 1, 2)).await, Swapped);
    let expected = SealedAccount { guard: part("guard", 2), vault: part("vault", 1) };
    assert_eq!(load(&*store, &id("a")).await, Some(expected));
}

pub(super) async fn guard_and_vault_are_written_together_or_not_at_all(place: &impl Place) {
    let store = place.open();
    create(&*store, &id("a"), 1).await;
    assert_eq!(swap(&*store, turn_both(&id("a"), 9, 2)).await, Conflict);
    assert_eq!(load(&*store, &id("a")).await, Some(account(1)));
    assert_eq!(swap(&*store, turn_both(&id("b"), 9, 2)).await, Conflict);
    // Had the vault of "b" been left there, this would show it or fail.
    create(&*store, &id("b"), 3).await;
    assert_eq!(load(&*store, &id("b")).await, Some(account(3)));
}

pub(super) async fn a_new_account_without_a_vault_is_refused_and_leaves_nothing(place: &impl Place) {
    let store = place.open();
    let bare = Swap { expected: Expected::Absent, ..turn(&id("a"), 0, 1) };
    let refused = store.swap_many(vec![birth(&id("b"), 1), bare]).await;
    assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{refused:?}");
    assert_eq!(load(&*store, &id("a")).await, None);
    assert_eq!(load(&*store, &id("b")).await, None);
}

pub(super) async fn of_two_swaps_of_one_account_in_one_call_the_first_wins(place: &impl Place) {
    let store = place.open();
    create(&*store, &id("a"), 1).await;
    let both = vec![turn_both(&id("a"), 1, 2), turn_both(&id("a"), 1, 3)];
    assert_eq!(store.swap_many(both).await.unwrap(), [Swapped, Conflict]);
    assert_eq!(load(&*store, &id("a")).await, Some(account(2)));
}

pub(super) async fn a_chain_of_swaps_in_one_call_is_carried_out_in_order(place: &impl Place) {
    let store = place.open();
    let chain = vec![birth(&id("a"), 1), turn_both(&id("a"), 1, 2), turn_both(&id("a"), 2, 3)];
    assert_eq!(store.swap_many(chain).await.unwrap(), [Swapped, Swapped, Swapped]);
    assert_eq!(load(&*store, &id("a")).await, Some(account(3)));
}

pub(super) async fn a_conflict_does_not_disturb_the_others_in_its_call(place: &impl Place) {
    let store = place.open();
    for subject in ["a", "b", "c"] {
        create(&*store, &id(subject), 1).await;
    }
    let swaps = vec![turn_both(&id("a"), 1, 2), turn_both(&id("b"), 9, 2), turn_both(&id("c"), 1, 2)];
    assert_eq!(store.swap_many(swaps).await.unwrap(), [Swapped, Conflict, Swapped]);
    assert_eq!(load(&*store, &id("a")).await, Some(account(2)));
    assert_eq!(load(&*store, &id("b")).await, Some(account(1)));
    assert_eq!(load(&*store, &id("c")).await, Some(account(2)));
}

pub(super) async fn a_delete_removes_guard_and_vault(place: &impl Place) {
    let store = place.open();
    create(&*store, &id("a"), 1).await;
    create(&*store, &id("b"), 1).await;
    assert!(store.delete(id("a")).await.unwrap());
    assert_eq!(load(&*store, &id("a")).await, None);
    assert!(!store.delete(id("a")).await.unwrap());
    assert!(store.delete(id("b")).await.unwrap());
    assert!(store.scan(None, 10).await.unwrap().is_empty());
}

pub(super) async fn a_stale_version_conflicts_after_delete_and_rebirth(place: &impl Place) {
    let store = place.open();
    create(&*store, &id("a"), 1).await;
    assert!(store.delete(id("a")).await.unwrap());
    create(&*store, &id("a"), 2).await;
    assert_eq!(swap(&*store, turn_both(&id("a"), 1, 3)).await, Conflict);
    assert_eq!(load(&*store, &id("a")).await, Some(account(2)));
}

pub(super) async fn a_thousand_swaps_are_one_call(place: &impl Place) {
    let store = place.open();
    let ids: Vec<_> = (0..1_000).map(|number| id(&format!("user-{number}"))).collect();
    let births = ids.iter().map(|id| birth(id, 1)).collect();
    assert_eq!(store.swap_many(births).await.unwrap(), [Swapped; 1_000]);
    let turns = ids.iter().map(|id| turn(id, 1, 2)).collect();
    assert_eq!(store.swap_many(turns).await.unwrap(), [Swapped; 1_000]);
    let loaded = store.load_many(ids).await.unwrap();
    assert!(loaded.iter().all(|account| account.as_ref().is_some_and(|account| account.guard.version == 2)));
}

pub(super) async fn an_empty_call_is_fine(place: &impl Place) {
    let store = place.open();
    assert!(store.swap_many(Vec::new()).await.unwrap().is_empty());
    assert!(store.load_many(Vec::new()).await.unwrap().is_empty());
    assert!(store.scan(None, 0).await.unwrap().is_empty());
}
