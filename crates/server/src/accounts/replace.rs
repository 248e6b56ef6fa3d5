//! Puts a record in the place of an account that exists. It must not bring back what was spent or died.

use super::password_hash::PasswordHash;
use super::record::Provisioned;
use super::{Accounts, Outcome, UpdateError};
use crate::store::SwapOutcome;
use einmal_core::account::{Account, StoredHash};
use zeroize::Zeroizing;

struct Replaced;

impl Outcome for Replaced {
    fn is_evaluated(&self) -> bool {
        true
    }
}

impl Accounts {
    /// Last steps, budgets and waits of unchanged secrets stay. If the account has just been deleted, it becomes a new
    /// one.
    pub async fn replace(&self, provisioned: Provisioned) -> Result<(), UpdateError> {
        let Provisioned { id, mut account, clear_pin, .. } = provisioned;
        if let (Some(pin), Some(existing)) = (clear_pin, self.read(&id).await?) {
            self.keep_known_pin(pin, &mut account, existing.pin.clone()).await?;
        }
        let successor = account.clone();
        let put = move |existing: &mut Account| {
            let mut successor = successor.clone();
            successor.inherit(existing);
            *existing = successor;
            Replaced
        };
        if self.update(id.clone(), put).await?.is_some() {
            return Ok(());
        }
        match self.insert([(&id, &account)]).await?.first() {
            Some(SwapOutcome::Swapped) => Ok(()),
            _ => Err(UpdateError::Contended),
        }
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
