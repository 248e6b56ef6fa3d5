//! What becomes of those who lost a wait for somebody's lock, and of the others of their statement. Must only take for held
//! what a statement was about that has written nothing.

use super::super::StoreError;
use super::failure::Failure;
use super::load::keys;
use super::patience::Patience;
use super::statements::held_by_others;
use super::writer::Writer;
use einmal_core::account::AccountId;

impl Writer {
    /// After a lost wait: gives those up that others hold, or all, where it is not to be seen whom it was for.
    pub(super) async fn give_up_held(
        &self,
        ids: &[&AccountId],
        failure: Failure,
        patience: &mut Patience,
    ) -> Result<(), Failure> {
        if !failure.is_lost_wait() {
            return Err(failure);
        }
        let (issuers, subjects) = keys(ids);
        let held = match self.places(&held_by_others(), &[&issuers, &subjects], patience).await {
            Err(failure) if failure.is_lost_wait() => Vec::new(),
            held => held?,
        };
        let held: Vec<_> = held.into_iter().filter_map(|place| ids.get(place).copied()).collect();
        let given_up = if held.is_empty() { ids } else { &held };
        for id in given_up {
            patience.give_up(id, &failure);
        }
        Ok(())
    }

    /// A lost wait fails whoever asked for it, and nobody else.
    pub(super) fn alone<T>(&self, answer: Result<T, Failure>) -> Result<Result<T, StoreError>, Failure> {
        match answer {
            Err(failure) if failure.is_lost_wait() => Ok(Err(failure.of_store(&self.store))),
            answer => answer.map(Ok),
        }
    }
}
