//! What whoever asks wants to have proved themselves for.

use super::Proof;
use crate::metrics::Attempts;
use einmal_core::account::Account;

/// What a proof is for, as pure functions of the account.
pub trait Deed: Send + Sync + 'static {
    type Done: Send + 'static;

    /// What the request's key says, if it was used before: `Repeated` or `KeyReused`. Asked before anything else.
    fn earlier(&self, _account: &mut Account) -> Option<Proof<Self::Done>> {
        None
    }

    /// Asked after the throttle and before anything is looked at, so that nothing is used up in vain.
    fn is_possible(&self, _account: &Account) -> bool {
        true
    }

    /// On an account that has proved who it is, in the commit that spends or settles the proof.
    fn run(&self, account: &mut Account) -> Self::Done;

    /// Told what came of it, also if the caller has gone by then.
    fn count(&self, _attempts: &Attempts, _proof: &Proof<Self::Done>) {}
}
