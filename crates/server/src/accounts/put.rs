//! Puts a record where an account is to be, new or in the place of one that exists. It must not bring back what was
//! spent or died.

use super::outcome::Done;
use super::password_hash::PasswordHash;
use super::record::Provisioned;
use super::{Accounts, UpdateError};
use crate::events::Event;
use crate::store::SwapOutcome;
use einmal_core::Timestamp;
use einmal_core::account::{Account, StoredHash};
use std::sync::Arc;
use zeroize::Zeroizing;

/// An account as it was put.
pub enum Put {
    Created(Account),
    /// With what outlived the replacement.
    Replaced(Account),
}

impl Accounts {
    /// Of an account that exists, last steps, budgets and waits of unchanged secrets stay, and its history.
    pub async fn put(&self, provisioned: Provisioned, now: Timestamp) -> Result<Put, UpdateError> {
        let Provisioned { id, mut account, clear_pin, .. } = provisioned;
        if let (Some(pin), Some(existing)) = (clear_pin, self.read(&id).await?) {
            self.keep_known_pin(pin, &mut account, existing.pin.clone()).await?;
        }
        let account = Arc::new(account);
        // A lost round is one in which it was erased or made by somebody else.
        for _ in 0..Self::MAX_ROUNDS {
            let successor = Arc::clone(&account);
            let replace = move |existing: &mut Account| {
                let mut successor = Account::clone(&successor);
                successor.inherit(existing, now);
                *existing = successor.clone();
                Done(successor)
            };
            if let Some(Done(replaced)) = self.update(id.clone(), replace).await? {
                return Ok(Put::Replaced(replaced));
            }
            if self.insert([(&id, &*account)]).await?.first() == Some(&SwapOutcome::Swapped) {
                self.reporter.tell(Event::AccountCreated);
                return Ok(Put::Created(Account::clone(&account)));
            }
        }
        Err(UpdateError::Contended)
    }

    /// A PIN in clear has a fresh hash each time. If it is the one that is set, that one's hash is kept, or a PIN that
    /// died of guesses would live again.
    async fn keep_known_pin(
        &self,
        pin: Zeroizing<String>,
        account: &mut Account,
        known: Option<StoredHash>,
    ) -> Result<(), UpdateError> {
        let Some(known) = known else { return Ok(()) };
        let Ok(hash) = PasswordHash::parse(known.as_str()) else { return Ok(()) };
        let is_known = self.enter_hashing()?.run(move || hash.is_of(pin.as_bytes())).await??;
        if is_known {
            account.pin = Some(known);
        }
        Ok(())
    }
}
