//! What an operator does with accounts beside the service: look, go through them, erase. Like every attempt, a
//! change goes through a version that must still be there.

use super::seal::SealError;
use super::update::{Accounts, UpdateError};
use crate::store::{SealedAccount, SwapOutcome};
use einmal_core::account::{Account, AccountId};

impl Accounts {
    /// The account as it is now, without a write.
    pub async fn read(&self, id: &AccountId) -> Result<Option<Account>, UpdateError> {
        match self.load(id).await? {
            Some(stored) => self.open_loaded(id, &stored).await.map(Some),
            None => Ok(None),
        }
    }

    /// Up to `limit` accounts after `after`, in the order of issuer and subject as bytes.
    pub async fn page(
        &self,
        after: Option<AccountId>,
        limit: usize,
    ) -> Result<Vec<(AccountId, Account)>, UpdateError> {
        let page: Vec<(AccountId, SealedAccount)> = self.store().scan(after, limit).await?;
        let open = |(id, stored): &(AccountId, SealedAccount)| {
            self.open_stored(id, stored).map(|account| (id.clone(), account))
        };
        match page.iter().map(open).collect() {
            Err(UpdateError::Seal(SealError::UnknownKey(_))) => {
                self.keyring().look_again().await;
                page.iter().map(open).collect()
            }
            opened => opened,
        }
    }

    /// Erases the account; `false` if there was none. It need not open: what is damaged can be erased, too.
    pub async fn delete(&self, id: &AccountId) -> Result<bool, UpdateError> {
        // Each lost round is somebody's attempt; they end when the account is gone.
        for _ in 0..Self::MAX_ROUNDS {
            let Some(stored) = self.load(id).await? else { return Ok(false) };
            if self.store().delete(id.clone(), stored.guard.version).await? == SwapOutcome::Swapped {
                return Ok(true);
            }
        }
        Err(UpdateError::Contended)
    }
}
