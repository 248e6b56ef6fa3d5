//! Load, decide and swap in one go.

use super::Place;
use super::accounts::{account, birth, create, id, load, part, turn, turn_both};
use einmal::store::{Attempt, SealedAccount, Store, StoreError, Swap, SwapOutcome};
use einmal_core::account::AccountId;
use std::sync::Arc;
use tokio::sync::oneshot;

pub(super) type Outcome = Result<Option<SwapOutcome>, StoreError>;

/// Decides as it is told, and passes on what it saw and what came of it.
struct Told<D> {
    id: AccountId,
    decide: D,
    saw: Option<SealedAccount>,
    end: oneshot::Sender<(Option<SealedAccount>, Outcome)>,
}

impl<D: FnMut(Option<&SealedAccount>) -> Option<Swap> + Send> Attempt for Told<D> {
    fn id(&self) -> &AccountId {
        &self.id
    }

    fn decide(&mut self, stored: Option<SealedAccount>) -> Option<Swap> {
        self.saw = stored;
        (self.decide)(self.saw.as_ref())
    }

    fn settle(self: Box<Self>, outcome: Outcome) {
        let _ = self.end.send((self.saw, outcome));
    }
}

/// `None` if the attempt was dropped without an end.
pub(super) async fn attempt(
    store: &dyn Store,
    subject: &str,
    decide: impl FnMut(Option<&SealedAccount>) -> Option<Swap> + Send + 'static,
) -> Option<(Option<SealedAccount>, Outcome)> {
    let (end, ended) = oneshot::channel();
    store.attempt(Box::new(Told { id: id(subject), decide, saw: None, end })).await;
    ended.await.ok()
}

fn swapped(ended: Option<(Option<SealedAccount>, Outcome)>) -> (Option<SealedAccount>, Option<SwapOutcome>) {
    let (saw, outcome) = ended.expect("an end");
    (saw, outcome.unwrap())
}

pub(super) async fn an_attempt_sees_what_is_stored_and_writes_what_it_decides_on(place: &impl Place) {
    let store = place.open();
    let born = attempt(&*store, "a", |_| Some(birth(&id("a"), 1))).await;
    assert_eq!(swapped(born), (None, Some(SwapOutcome::Swapped)));
    let turned = attempt(&*store, "a", |_| Some(turn(&id("a"), 1, 2))).await;
    assert_eq!(swapped(turned), (Some(account(1)), Some(SwapOutcome::Swapped)));
    let both = attempt(&*store, "a", |_| Some(turn_both(&id("a"), 2, 3))).await;
    let half = SealedAccount { guard: part("guard", 2), vault: part("vault", 1) };
    assert_eq!(swapped(both), (Some(half), Some(SwapOutcome::Swapped)));
    assert_eq!(load(&*store, &id("a")).await, Some(account(3)));
}

pub(super) async fn an_attempt_that_decides_on_nothing_writes_nothing(place: &impl Place) {
    let store = place.open();
    create(&*store, &id("a"), 1).await;
    assert_eq!(swapped(attempt(&*store, "a", |_| None).await), (Some(account(1)), None));
    assert_eq!(swapped(attempt(&*store, "nobody", |_| None).await), (None, None));
    assert_eq!(load(&*store, &id("a")).await, Some(account(1)));
    assert_eq!(load(&*store, &id("nobody")).await, None);
}

pub(super) async fn an_attempt_that_expects_something_else_conflicts_and_changes_nothing(place: &impl Place) {
    let store = place.open();
    create(&*store, &id("a"), 1).await;
    let stale = attempt(&*store, "a", |_| Some(turn(&id("a"), 7, 8))).await;
    assert_eq!(swapped(stale).1, Some(SwapOutcome::Conflict));
    assert_eq!(load(&*store, &id("a")).await, Some(account(1)));
}

pub(super) async fn one_that_panics_is_dropped_and_its_group_goes_on(place: &impl Place) {
    let store = place.open();
    for subject in ["a", "b", "c"] {
        create(&*store, &id(subject), 1).await;
    }
    let turns = |subject: &'static str| move |_: Option<&SealedAccount>| Some(turn(&id(subject), 1, 2));
    let (first, broken, last) = tokio::join!(
        attempt(&*store, "a", turns("a")),
        attempt(&*store, "b", |_| panic!("a fault of ours")),
        attempt(&*store, "c", turns("c")),
    );
    assert_eq!(swapped(first).1, Some(SwapOutcome::Swapped));
    assert!(broken.is_none(), "it has no end");
    assert_eq!(swapped(last).1, Some(SwapOutcome::Swapped));
    assert_eq!(load(&*store, &id("b")).await, Some(account(1)));
    assert_eq!(swapped(attempt(&*store, "b", turns("b")).await).1, Some(SwapOutcome::Swapped));
}

/// Whichever engine: of all who saw one version one has swapped it.
pub(super) async fn of_64_attempts_at_once_on_one_account_no_two_swap_the_same_version(place: &impl Place) {
    let store = place.open();
    create(&*store, &id("a"), 0).await;
    let attempts = (1..=64).map(|number| {
        let store = Arc::clone(&store);
        tokio::spawn(async move {
            let decide = move |seen: Option<&SealedAccount>| {
                Some(turn(&id("a"), seen.expect("it is there").guard.version, number))
            };
            swapped(attempt(&*store, "a", decide).await)
        })
    });
    let mut replaced = Vec::new();
    for attempt in attempts.collect::<Vec<_>>() {
        if let (Some(seen), Some(SwapOutcome::Swapped)) = attempt.await.unwrap() {
            replaced.push(seen.guard.version);
        }
    }
    assert!(!replaced.is_empty());
    let all = replaced.len();
    replaced.sort_unstable();
    replaced.dedup();
    assert_eq!(replaced.len(), all);
}

pub(super) async fn an_attempt_is_carried_out_though_its_caller_has_gone(place: &impl Place) {
    let store = place.open();
    create(&*store, &id("a"), 1).await;
    drop(attempt(&*store, "a", |_| Some(turn(&id("a"), 1, 2))));
    let (end, ended) = oneshot::channel();
    let decide = |_: Option<&SealedAccount>| Some(turn(&id("a"), 1, 3));
    store.attempt(Box::new(Told { id: id("a"), decide, saw: None, end })).await;
    drop(ended);
    drop(store);
    let guard = load(&*place.open(), &id("a")).await.expect("it is there").guard;
    assert_eq!(guard, part("guard", 3));
}
