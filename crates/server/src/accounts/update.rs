//! The one loop: load, open, decide, seal, swap if nobody was faster, answer. An outcome that changed the
//! account is believed only when its swap has returned.

use super::envelope::{Opened, new_account};
use super::keyring::{Following, LiveKeyring};
use super::mail_code::Mailings;
use super::outcome::Outcome;
use super::password_hash::{Crowded, HashPool, HashingError, Interrupted, Place};
use super::seal::SealError;
use super::turns::Turns;
use crate::metrics::{Attempts, Metrics, Stage};
use crate::store::{SealedAccount, Store, StoreError, Swap, SwapOutcome, claim_property};
use crate::trace;
use einmal_core::account::{Account, AccountId};
use einmal_core::{Entropy, EntropyError};
use std::sync::Arc;

/// The accounts of one store under one keyring.
#[derive(Clone)]
pub struct Accounts {
    inner: Arc<Inner>,
}

struct Inner {
    store: Arc<dyn Store>,
    keyring: Arc<LiveKeyring>,
    _following: Option<Following>,
    entropy: Arc<dyn Entropy>,
    turns: Arc<Turns>,
    hashing: HashPool,
    mailings: Mailings,
    metrics: Arc<Metrics>,
}

/// Nothing is known about the attempt, but that it must not be answered as a success.
#[derive(Debug, thiserror::Error)]
pub enum UpdateError {
    #[error("too many attempts at once on one account")]
    Contended,
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Seal(#[from] SealError),
    #[error("guard and vault of an account do not belong together")]
    Torn,
    #[error("the attempt panicked")]
    Panicked,
    #[error(transparent)]
    HashingCrowded(#[from] Crowded),
    #[error(transparent)]
    HashingInterrupted(#[from] Interrupted),
    #[error(transparent)]
    Hashing(#[from] HashingError),
    #[error("whoever judges the password gave no verdict")]
    NotJudged,
}

impl From<EntropyError> for UpdateError {
    fn from(error: EntropyError) -> Self {
        Self::Seal(error.into())
    }
}

/// Store and keyring do not fit.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("this keyring is not the store's: {0}")]
    WrongKeyring(SealError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Seal(SealError),
}

pub(super) const CHECK_VALUE: &str = "keyring-check";

impl Accounts {
    /// Lost rounds after which an account counts as fought over.
    pub(super) const MAX_ROUNDS: usize = 8;

    /// Refuses a keyring that did not seal what the store holds; a new store is marked with it. From then on a keyring
    /// from a file follows the file, as long as there are these accounts.
    pub async fn open(
        store: Arc<dyn Store>,
        keyring: impl Into<LiveKeyring>,
        entropy: Arc<dyn Entropy>,
    ) -> Result<Self, OpenError> {
        Self::open_counted(store, keyring, entropy, Arc::default()).await
    }

    /// The same, with what happens to accounts counted in `metrics`.
    pub async fn open_counted(
        store: Arc<dyn Store>,
        keyring: impl Into<LiveKeyring>,
        entropy: Arc<dyn Entropy>,
        metrics: Arc<Metrics>,
    ) -> Result<Self, OpenError> {
        let keyring = Arc::new(keyring.into());
        let value = keyring.current().check_value(entropy.as_ref()).map_err(OpenError::Seal)?;
        let value = claim_property(store.as_ref(), CHECK_VALUE, value).await?;
        let mut opened = keyring.current().open_check_value(&value);
        if matches!(opened, Err(SealError::UnknownKey(_))) {
            // The keys may have been rotated since the file was read.
            keyring.look_again().await;
            opened = keyring.current().open_check_value(&value);
        }
        opened.map_err(OpenError::WrongKeyring)?;
        let following = keyring.follow();
        let (turns, hashing, mailings) = (Arc::default(), HashPool::default(), Mailings::default());
        let inner =
            Inner { store, keyring, _following: following, entropy, turns, hashing, mailings, metrics };
        Ok(Self { inner: Arc::new(inner) })
    }

    pub fn store(&self) -> &Arc<dyn Store> {
        &self.inner.store
    }

    pub fn metrics(&self) -> &Arc<Metrics> {
        &self.inner.metrics
    }

    /// Where slow hashing is done.
    pub fn hashing(&self) -> &HashPool {
        &self.inner.hashing
    }

    pub(super) fn enter_hashing(&self) -> Result<Place, Crowded> {
        self.inner.hashing.enter().inspect_err(|_| {
            self.inner.metrics.hashing.refused.inc();
        })
    }

    pub(super) fn mailings(&self) -> &Mailings {
        &self.inner.mailings
    }

    pub(super) fn entropy(&self) -> Arc<dyn Entropy> {
        Arc::clone(&self.inner.entropy)
    }

    pub fn keyring(&self) -> &LiveKeyring {
        &self.inner.keyring
    }

    /// Runs `decide` on the account and makes the outcome durable. `None` where there is no account: nothing is
    /// made. `decide` may run several times, each time on a fresh state.
    ///
    /// It goes on when the caller has gone: an attempt that was seen is counted.
    pub async fn update<T, F>(&self, id: AccountId, decide: F) -> Result<Option<T>, UpdateError>
    where
        T: Outcome,
        F: Fn(&mut Account) -> T + Send + Sync + 'static,
    {
        self.update_counted(id, decide, |_, _| {}).await
    }

    /// The same, and `count` is told what came of it, also if the caller has gone by then: whoever guesses and does not
    /// wait for the answer must not stay unseen.
    pub async fn update_counted<T: Outcome>(
        &self,
        id: AccountId,
        decide: impl Fn(&mut Account) -> T + Send + Sync + 'static,
        count: impl FnOnce(&Attempts, Option<&T>) + Send + 'static,
    ) -> Result<Option<T>, UpdateError> {
        self.attempt(id, Missing::IsNobody, decide, count).await
    }

    /// The same, and where there is no account, `decide` runs on an empty one, which comes into being.
    pub async fn update_or_create<T, F>(&self, id: AccountId, decide: F) -> Result<T, UpdateError>
    where
        T: Outcome,
        F: Fn(&mut Account) -> T + Send + Sync + 'static,
    {
        let made = self.attempt(id, Missing::IsMade, decide, |_, _| {}).await?;
        made.ok_or(UpdateError::Contended)
    }

    async fn attempt<T: Outcome>(
        &self,
        id: AccountId,
        missing: Missing,
        decide: impl Fn(&mut Account) -> T + Send + Sync + 'static,
        count: impl FnOnce(&Attempts, Option<&T>) + Send + 'static,
    ) -> Result<Option<T>, UpdateError> {
        let inner = Arc::clone(&self.inner);
        let attempt = async move {
            let updated = inner.update(&id, missing, decide).await?;
            count(&inner.metrics.attempts, updated.as_ref());
            Ok(updated)
        };
        tokio::spawn(trace::carried(attempt)).await.map_err(|_| UpdateError::Panicked)?
    }

    /// Writes new accounts, in one commit where the store can. `Conflict` marks those that exist.
    pub async fn insert(
        &self,
        accounts: impl IntoIterator<Item = (&AccountId, &Account)>,
    ) -> Result<Vec<SwapOutcome>, UpdateError> {
        let keyring = self.inner.keyring.current();
        let entropy = self.inner.entropy.as_ref();
        let swaps =
            accounts.into_iter().map(|(id, account)| new_account(&keyring, id.clone(), account, entropy));
        let swaps = swaps.collect::<Result<Vec<_>, _>>()?;
        Ok(self.inner.store.swap_many(swaps).await?)
    }

    pub(super) async fn load(&self, id: &AccountId) -> Result<Option<SealedAccount>, UpdateError> {
        self.inner.load(id).await
    }

    pub(super) async fn open_loaded(
        &self,
        id: &AccountId,
        stored: &SealedAccount,
    ) -> Result<Account, UpdateError> {
        self.inner.open(id, stored).await.map(|opened| opened.account)
    }

    /// With the keys that are known: for whoever goes through many accounts and must not wait for each that needs a
    /// key that nobody has.
    pub(super) fn open_stored(&self, id: &AccountId, stored: &SealedAccount) -> Result<Account, UpdateError> {
        Opened::open(self.inner.keyring.current(), id, stored).map(|opened| opened.account)
    }
}

/// What to do where there is no account.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Missing {
    IsNobody,
    IsMade,
}

impl Inner {
    async fn update<T: Outcome>(
        &self,
        id: &AccountId,
        missing: Missing,
        decide: impl Fn(&mut Account) -> T + Send + Sync,
    ) -> Result<Option<T>, UpdateError> {
        let stages = &self.metrics.stages;
        let _turn = self.turns.take(id, stages).await.map_err(|_| {
            self.metrics.updates.turned_away.inc();
            UpdateError::Contended
        })?;
        let entropy = self.entropy.as_ref();
        for round in 0..=Accounts::MAX_ROUNDS {
            let Some(stored) = self.load(id).await? else {
                if missing == Missing::IsNobody {
                    return Ok(None);
                }
                let mut account = Account::default();
                let outcome = decide(&mut account);
                let swap = new_account(&self.keyring.current(), id.clone(), &account, entropy)?;
                if self.swap(swap).await? == SwapOutcome::Swapped {
                    return Ok(Some(outcome));
                }
                continue;
            };
            let deciding = stages.time(Stage::Decide);
            let mut opened = self.open(id, &stored).await?;
            let outcome = decide(&mut opened.account);
            let next = opened.next(entropy)?;
            let is_last = round == Accounts::MAX_ROUNDS;
            let may_be_read = !outcome.needs_a_commit() && (is_last || !outcome.is_evaluated());
            if opened.is(&next) && may_be_read {
                return Ok(Some(outcome));
            }
            if is_last {
                break;
            }
            let swap = opened.swap(id.clone(), &next, entropy)?;
            drop(deciding);
            if self.swap(swap).await? == SwapOutcome::Swapped {
                return Ok(Some(outcome));
            }
        }
        Err(UpdateError::Contended)
    }

    async fn load(&self, id: &AccountId) -> Result<Option<SealedAccount>, UpdateError> {
        let _loading = self.metrics.stages.time(Stage::Load);
        let loaded = self.store.load_many(vec![id.clone()]).await?;
        Ok(loaded.into_iter().next().flatten())
    }

    async fn swap(&self, swap: Swap) -> Result<SwapOutcome, UpdateError> {
        let _committing = self.metrics.stages.time(Stage::Commit);
        let outcomes = self.store.swap_many(vec![swap]).await?;
        let missing = || StoreError::Unavailable("no answer for a swap".to_owned());
        let outcome = outcomes.into_iter().next().ok_or_else(missing)?;
        if outcome == SwapOutcome::Conflict {
            self.metrics.updates.conflicts.inc();
        }
        Ok(outcome)
    }

    async fn open(&self, id: &AccountId, stored: &SealedAccount) -> Result<Opened, UpdateError> {
        match Opened::open(self.keyring.current(), id, stored) {
            Err(UpdateError::Seal(SealError::UnknownKey(_))) => {
                self.keyring.look_again().await;
                Opened::open(self.keyring.current(), id, stored)
            }
            opened => opened,
        }
    }
}
