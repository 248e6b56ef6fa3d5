//! What operators and support do with accounts: look, go through them, diagnose, unlock, issue a code, erase. Like every
//! attempt, a change goes through a version that must still be there.

use super::access::Accounts;
use super::outcome::Done;
use super::seal::SealError;
use super::update::UpdateError;
use crate::events::Event;
use crate::metrics::Attempts;
use crate::store::SealedAccount;
use einmal_core::Timestamp;
use einmal_core::account::{Account, AccountId, Diagnosis, OtpTypes, Wait};
use einmal_core::otp::Code;
use einmal_core::policy::Policy;
use std::sync::Arc;
use tokio::task::spawn_blocking;

impl Accounts {
    /// A change that its owner need not prove anything for; `None` if there is no account.
    pub async fn change<T: Send + 'static>(
        &self,
        id: AccountId,
        change: impl Fn(&mut Account) -> T + Send + Sync + 'static,
    ) -> Result<Option<T>, UpdateError> {
        self.change_counted(id, change, |_, _| {}).await
    }

    /// The same, and `count` is told what came of it where there is an account, also if the caller has gone.
    pub async fn change_counted<T: Send + 'static>(
        &self,
        id: AccountId,
        change: impl Fn(&mut Account) -> T + Send + Sync + 'static,
        count: impl FnOnce(&Attempts, &T) + Send + 'static,
    ) -> Result<Option<T>, UpdateError> {
        let count = move |attempts: &Attempts, changed: Option<&Done<T>>| {
            if let Some(Done(changed)) = changed {
                count(attempts, changed);
            }
        };
        let changed = self.update_counted(id, move |account| Done(change(account)), count);
        Ok(changed.await?.map(|Done(changed)| changed))
    }

    /// Lifts waits and suspensions; `None` if there is no account.
    pub async fn unlock(&self, id: AccountId, now: Timestamp) -> Result<Option<()>, UpdateError> {
        self.change(id, move |account| account.unlock(now)).await
    }

    /// Puts `code` in the place of an earlier `login` code, and tells when it expires; `None` if there is no account.
    pub async fn issue_login_code(
        &self,
        id: AccountId,
        code: Code,
        now: Timestamp,
        policy: Arc<Policy>,
    ) -> Result<Option<Timestamp>, UpdateError> {
        self.change(id, move |account| account.issue_login_code(code.clone(), now, &policy)).await
    }

    /// Why `code` would be refused, without consuming or counting it; `None` if there is no account, and a wait if it was
    /// asked too often. That it was asked is written before it is told. What takes milliseconds is not done where everybody's attempts wait for it.
    pub async fn diagnose(
        &self,
        id: AccountId,
        code: Option<Code>,
        wanted: OtpTypes,
        now: Timestamp,
        policy: Arc<Policy>,
    ) -> Result<Option<Result<Diagnosis, Wait>>, UpdateError> {
        let Some(code) = code else {
            return Ok(self.read(&id).await?.map(|_| Ok(Diagnosis::of_no_code())));
        };
        let look = match self.update(id, move |account| account.count_look(now)).await? {
            None => return Ok(None),
            Some(Err(wait)) => return Ok(Some(Err(wait))),
            Some(Ok(look)) => look,
        };
        let told = spawn_blocking(move || look.at(&code, wanted, now, &policy)).await;
        told.map(|diagnosis| Some(Ok(diagnosis))).map_err(|_| UpdateError::Panicked)
    }

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

    /// Erases the account; `false` if there was none. Nothing of it is read, so that what is damaged can be erased,
    /// too. An attempt that is under way finds no account when it swaps.
    pub async fn delete(&self, id: &AccountId) -> Result<bool, UpdateError> {
        let was_there = self.store().delete(id.clone()).await?;
        if was_there {
            self.reporter.tell(Event::AccountDeleted);
        }
        Ok(was_there)
    }
}
