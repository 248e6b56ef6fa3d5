//! What callers ask of an engine whose work is done by somebody else than the caller, in groups.

use super::attempt::PendingAttempt;
use super::batch::{Intake, Pending, Request};
use super::{Attempt, Expected, SealedAccount, StoreError, Swap, SwapOutcome};
use einmal_core::account::AccountId;

/// Bytes that count as one more row: a page.
const WEIGHT_BYTES: usize = 4096;

pub(super) type Page = Vec<(AccountId, SealedAccount)>;

/// Name, what is expected, and what is to be there.
pub(super) type PropertySwap = (&'static str, Option<Vec<u8>>, Vec<u8>);

pub(super) enum Read {
    Load(Pending<Vec<AccountId>, Vec<Option<SealedAccount>>>),
    Scan(Pending<(Option<AccountId>, usize), Page>),
    Ids(Pending<(Option<AccountId>, usize), Vec<AccountId>>),
    Property(Pending<&'static str, Option<Vec<u8>>>),
}

impl Request for Read {
    fn weight(&self) -> usize {
        match self {
            Self::Load(pending) => pending.input.len().max(1),
            Self::Scan(pending) => pending.input.1.max(1),
            Self::Ids(pending) => pending.input.1.max(1),
            Self::Property(_) => 1,
        }
    }

    fn settle(self, failure: Option<&StoreError>) {
        match self {
            Self::Load(pending) => pending.settle(failure),
            Self::Scan(pending) => pending.settle(failure),
            Self::Ids(pending) => pending.settle(failure),
            Self::Property(pending) => pending.settle(failure),
        }
    }
}

pub(super) enum Write {
    Attempt(PendingAttempt),
    Swap(Pending<Vec<Swap>, Vec<SwapOutcome>>),
    Delete(Pending<AccountId, bool>),
    Property(Pending<PropertySwap, SwapOutcome>),
    Probe(Pending<(), ()>),
}

impl Request for Write {
    fn weight(&self) -> usize {
        match self {
            Self::Swap(pending) => {
                let bytes = |swap: &Swap| {
                    swap.guard.sealed.len() + swap.vault.as_ref().map_or(0, |vault| vault.sealed.len())
                };
                pending.input.iter().map(|swap| 1 + bytes(swap) / WEIGHT_BYTES).sum::<usize>().max(1)
            }
            Self::Property(pending) => 1 + pending.input.2.len() / WEIGHT_BYTES,
            Self::Attempt(_) | Self::Delete(_) | Self::Probe(_) => 1,
        }
    }

    fn settle(self, failure: Option<&StoreError>) {
        match self {
            Self::Attempt(pending) => pending.settle(failure),
            Self::Swap(pending) => pending.settle(failure),
            Self::Delete(pending) => pending.settle(failure),
            Self::Property(pending) => pending.settle(failure),
            Self::Probe(pending) => pending.settle(failure),
        }
    }
}

/// Queues an attempt, or tells it why not.
pub(super) async fn take(writes: Result<&Intake<Write>, StoreError>, attempt: Box<dyn Attempt>) {
    match writes {
        Ok(writes) => writes.put(|failures| Write::Attempt(PendingAttempt::new(attempt, failures))).await,
        Err(closed) => attempt.settle(Err(closed)),
    }
}

/// Refuses a swap that would leave half an account.
pub(super) fn check_complete(swaps: &[Swap]) -> Result<(), StoreError> {
    let incomplete = |swap: &Swap| swap.expected == Expected::Absent && swap.vault.is_none();
    if swaps.iter().any(incomplete) {
        return Err(StoreError::Unavailable("a new account must bring a vault".to_owned()));
    }
    Ok(())
}
