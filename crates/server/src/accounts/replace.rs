//! Puts a record in the place of an account that exists. It must not bring back what was spent or died.

use super::administer::Done;
use super::password_hash::PasswordHash;
use super::record::Provisioned;
use super::{Accounts, UpdateError};
use crate::store::SwapOutcome;
use einmal_core::account::{Account, StoredHash};
use zeroize::Zeroizing;

/// The account that is there now.
pub enum Replacement {
    Created(Account),
    /// With what outlived it.
    Replaced(Account),
}

impl Accounts {
    /// Last steps, budgets and waits of unchanged secrets stay. Where there is no account, or no longer one, it becomes
    /// a new one.
    pub async fn replace(&self, provisioned: Provisioned) -> Result<Replacement, UpdateError> {
        let Provisioned { id, mut account, clear_pin, .. } = provisioned;
        if let (Some(pin), Some(existing)) = (clear_pin, self.read(&id).await?) {
            self.keep_known_pin(pin, &mut account, existing.pin.clone()).await?;
        }
        // In each lost round somebody else has made it or erased it.
        for _ in 0..Self::MAX_ROUNDS {
            let successor = account.clone();
            let put = move |existing: &mut Account| {
                let mut successor = successor.clone();
                successor.inherit(existing);
                *existing = successor.clone();
                Done(successor)
            };
            if let Some(Done(replaced)) = self.update(id.clone(), put).await? {
                return Ok(Replacement::Replaced(replaced));
            }
            if self.insert([(&id, &account)]).await?.first() == Some(&SwapOutcome::Swapped) {
                return Ok(Replacement::Created(account));
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
        let is_known = self.hashing().enter()?.run(move || hash.is_of(pin.as_bytes())).await??;
        if is_known {
            account.pin = Some(known);
        }
        Ok(())
    }
}
