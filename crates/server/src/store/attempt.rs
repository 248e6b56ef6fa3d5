//! One account, loaded, decided on and swapped in the midst of a group: a request passes to the engine and back once. An
//! engine must never let one attempt fail others, and never answer one before its group has ended.

use super::{SealedAccount, Store, StoreError, Swap, SwapOutcome};
use crate::metrics::Counter;
use einmal_core::account::AccountId;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// What somebody wants to do to an account. An engine calls `decide` and then `settle`, each at most once, or `settle` alone.
/// Whoever gives an attempt to an engine may go away: it is carried out all the same.
pub trait Attempt: Send {
    fn id(&self) -> &AccountId;

    /// What to put in the place of what is stored, if anything. The whole group waits: it must not wait for anything.
    fn decide(&mut self, stored: Option<SealedAccount>) -> Option<Swap>;

    /// What came of it: `None` if there was nothing to write.
    fn settle(self: Box<Self>, outcome: Result<Option<SwapOutcome>, StoreError>);
}

/// An attempt in an engine's hands. One that panics is dropped, which is how whoever waits for it learns of that; its group goes on.
pub(super) struct PendingAttempt {
    attempt: Option<Box<dyn Attempt>>,
    pub(super) outcome: Option<Result<Option<SwapOutcome>, StoreError>>,
    /// What it has decided on, where its engine keeps that: it is not asked again.
    pub(super) swap: Option<Swap>,
    failures: Counter,
}

impl PendingAttempt {
    pub(super) fn new(attempt: Box<dyn Attempt>, failures: Counter) -> Self {
        Self { attempt: Some(attempt), outcome: None, swap: None, failures }
    }

    /// `None` once it has panicked.
    pub(super) fn id(&self) -> Option<&AccountId> {
        self.attempt.as_ref().map(|attempt| attempt.id())
    }

    pub(super) fn decide(&mut self, stored: Option<SealedAccount>) -> Option<Swap> {
        let attempt = self.attempt.as_mut()?;
        // Unwind safe: it is not used again.
        let decided = catch_unwind(AssertUnwindSafe(|| attempt.decide(stored)));
        if decided.is_err() {
            self.attempt = None;
        }
        let swap = decided.ok().flatten();
        // Where there is one, it is no success until the engine has said so.
        self.outcome = swap.is_none().then_some(Ok(None));
        swap
    }

    pub(super) fn settle(self, failure: Option<&StoreError>) {
        let outcome = match (failure, self.outcome) {
            (Some(failure), _) => Err(failure.clone()),
            (None, Some(outcome)) => outcome,
            (None, None) => Err(StoreError::Unavailable("the attempt was not carried out".to_owned())),
        };
        if outcome.is_err() {
            self.failures.inc();
        }
        if let Some(attempt) = self.attempt {
            // The hook of the process has logged where, and whoever waits is told by the end of the attempt.
            let _ = catch_unwind(AssertUnwindSafe(|| attempt.settle(outcome)));
        }
    }
}

/// What an attempt means, for engines without groups.
pub(super) async fn carry_out<S: Store + ?Sized>(store: &S, attempt: Box<dyn Attempt>) {
    let mut pending = PendingAttempt::new(attempt, Counter::default());
    let Some(id) = pending.id().cloned() else { return };
    match store.load_many(vec![id]).await {
        Err(error) => pending.outcome = Some(Err(error)),
        Ok(stored) => {
            if let Some(swap) = pending.decide(stored.into_iter().next().flatten()) {
                let swapped = store.swap_many(vec![swap]).await;
                pending.outcome = swapped.map(|outcomes| outcomes.into_iter().next().map(Some)).transpose();
            }
        }
    }
    pending.settle(None);
}

#[cfg(test)]
mod tests {
    use super::super::{Expected, SealedPart};
    use super::*;
    use std::sync::mpsc;

    struct Writes(AccountId, mpsc::Sender<Result<Option<SwapOutcome>, StoreError>>);

    impl Attempt for Writes {
        fn id(&self) -> &AccountId {
            &self.0
        }

        fn decide(&mut self, _: Option<SealedAccount>) -> Option<Swap> {
            let guard = SealedPart { version: 2, key_id: 1, sealed: Vec::new() };
            Some(Swap { id: self.0.clone(), expected: Expected::Version(1), guard, vault: None })
        }

        fn settle(self: Box<Self>, outcome: Result<Option<SwapOutcome>, StoreError>) {
            self.1.send(outcome).unwrap();
        }
    }

    #[test]
    fn a_write_of_which_its_engine_says_nothing_is_no_success() {
        let (sender, ended) = mpsc::channel();
        let attempt = Box::new(Writes(AccountId::new("main", "alice"), sender));
        let mut pending = PendingAttempt::new(attempt, Counter::default());
        assert!(pending.decide(None).is_some());
        pending.settle(None);
        assert!(matches!(ended.recv().unwrap(), Err(StoreError::Unavailable(_))));
    }
}
