//! Accounts as the cases use them, and the calls they make all the time.

use einmal::store::{Expected, SealedAccount, SealedPart, Store, Swap, SwapOutcome, Version};
use einmal_core::account::AccountId;

pub(super) fn id(subject: &str) -> AccountId {
    AccountId::new("main", subject)
}

/// A part whose bytes tell it from any other.
pub(super) fn part(name: &str, version: Version) -> SealedPart {
    SealedPart { version, key_id: 7, sealed: format!("{name} {version}").into_bytes() }
}

pub(super) fn account(version: Version) -> SealedAccount {
    SealedAccount { guard: part("guard", version), vault: part("vault", version) }
}

/// A swap of the guard alone.
pub(super) fn turn(id: &AccountId, from: Version, to: Version) -> Swap {
    Swap { id: id.clone(), expected: Expected::Version(from), guard: part("guard", to), vault: None }
}

/// A swap of both parts.
pub(super) fn turn_both(id: &AccountId, from: Version, to: Version) -> Swap {
    Swap { vault: Some(part("vault", to)), ..turn(id, from, to) }
}

pub(super) fn birth(id: &AccountId, version: Version) -> Swap {
    Swap { expected: Expected::Absent, ..turn_both(id, 0, version) }
}

pub(super) async fn swap(store: &dyn Store, swap: Swap) -> SwapOutcome {
    let outcomes = store.swap_many(vec![swap]).await.unwrap();
    assert_eq!(outcomes.len(), 1);
    outcomes[0]
}

pub(super) async fn create(store: &dyn Store, id: &AccountId, version: Version) {
    assert_eq!(swap(store, birth(id, version)).await, SwapOutcome::Swapped);
}

pub(super) async fn load(store: &dyn Store, id: &AccountId) -> Option<SealedAccount> {
    let mut accounts = store.load_many(vec![id.clone()]).await.unwrap();
    assert_eq!(accounts.len(), 1);
    accounts.remove(0)
}
