//! The accounts of one store under one keyring: what every operation on accounts begins with.

use super::envelope::{Opened, new_account};
use super::keyring::{Following, LiveKeyring};
use super::mail_code::Mailings;
use super::password_hash::{Crowded, HashPool, Place};
use super::seal::SealError;
use super::turns::Turns;
use super::update::UpdateError;
use crate::events::Reporter;
use crate::metrics::{Metrics, Stage};
use crate::store::{SealedAccount, Store, StoreError, SwapOutcome, claim_property};
use einmal_core::Entropy;
use einmal_core::account::{Account, AccountId};
use std::sync::Arc;
use tokio_util::task::TaskTracker;

/// The accounts of one store under one keyring.
#[derive(Clone)]
pub struct Accounts {
    pub(super) inner: Arc<Inner>,
    pub(super) reporter: Reporter,
}

pub(super) struct Inner {
    pub(super) store: Arc<dyn Store>,
    pub(super) means: Arc<Means>,
    _following: Option<Following>,
    pub(super) turns: Arc<Turns>,
    hashing: HashPool,
    mailings: Mailings,
    pub(super) detached: TaskTracker,
}

/// What deciding needs. Without the store, in whose threads this may be dropped last.
pub(super) struct Means {
    pub(super) keyring: Arc<LiveKeyring>,
    pub(super) entropy: Arc<dyn Entropy>,
    pub(super) metrics: Arc<Metrics>,
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
        let detached = TaskTracker::new();
        let means = Arc::new(Means { keyring, entropy, metrics });
        let inner = Inner { store, means, _following: following, turns, hashing, mailings, detached };
        Ok(Self { inner: Arc::new(inner), reporter: Reporter::default() })
    }

    /// The same accounts, for one request: what comes of it is told by `reporter`.
    #[must_use]
    pub fn reporting(&self, reporter: &Reporter) -> Self {
        Self { inner: Arc::clone(&self.inner), reporter: reporter.clone() }
    }

    pub fn store(&self) -> &Arc<dyn Store> {
        &self.inner.store
    }

    pub fn metrics(&self) -> &Arc<Metrics> {
        &self.inner.means.metrics
    }

    /// Where slow hashing is done.
    pub fn hashing(&self) -> &HashPool {
        &self.inner.hashing
    }

    pub(super) fn enter_hashing(&self) -> Result<Place, Crowded> {
        self.inner.hashing.enter().inspect_err(|_| {
            self.inner.means.metrics.hashing.refused.inc();
        })
    }

    pub(super) fn mailings(&self) -> &Mailings {
        &self.inner.mailings
    }

    pub(super) fn entropy(&self) -> Arc<dyn Entropy> {
        Arc::clone(&self.inner.means.entropy)
    }

    pub fn keyring(&self) -> &LiveKeyring {
        &self.inner.means.keyring
    }

    /// Writes new accounts, in one commit where the store can. `Conflict` marks those that exist.
    pub async fn insert(
        &self,
        accounts: impl IntoIterator<Item = (&AccountId, &Account)>,
    ) -> Result<Vec<SwapOutcome>, UpdateError> {
        let keyring = self.inner.means.keyring.current();
        let entropy = self.inner.means.entropy.as_ref();
        let swaps =
            accounts.into_iter().map(|(id, account)| new_account(&keyring, id.clone(), account, entropy));
        let swaps = swaps.collect::<Result<Vec<_>, _>>()?;
        Ok(self.inner.store.swap_many(swaps).await?)
    }

    pub(super) async fn load(&self, id: &AccountId) -> Result<Option<SealedAccount>, UpdateError> {
        let _loading = self.inner.means.metrics.stages.time(Stage::Load);
        let loaded = self.inner.store.load_many(vec![id.clone()]).await?;
        Ok(loaded.into_iter().next().flatten())
    }

    pub(super) async fn open_loaded(
        &self,
        id: &AccountId,
        stored: &SealedAccount,
    ) -> Result<Account, UpdateError> {
        match self.open_stored(id, stored) {
            Err(UpdateError::Seal(SealError::UnknownKey(_))) => {
                self.inner.means.keyring.look_again().await;
                self.open_stored(id, stored)
            }
            opened => opened,
        }
    }

    /// With the keys that are known: for whoever goes through many accounts and must not wait for each that needs a
    /// key that nobody has.
    pub(super) fn open_stored(&self, id: &AccountId, stored: &SealedAccount) -> Result<Account, UpdateError> {
        Opened::open(self.inner.means.keyring.current(), id, stored).map(|opened| opened.account)
    }
}
