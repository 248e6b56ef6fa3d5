//! The one loop: load, open, decide, seal, swap if nobody was faster, answer. An outcome that changed the
//! account is believed only when its swap has returned.

use super::encode::{Encoded, decode, encode_guard, encode_vault};
use super::keyring::Keyring;
use super::password_hash::{Crowded, HashPool, HashingError, Interrupted};
use super::seal::{Part, SealError};
use super::turns::Turns;
use crate::store::{Expected, SealedAccount, Store, StoreError, Swap, SwapOutcome, Version};
use einmal_core::account::{Account, AccountId, Verification};
use einmal_core::{Entropy, EntropyError};
use std::sync::Arc;
use zeroize::Zeroizing;

/// The accounts of one store under one keyring.
#[derive(Clone)]
pub struct Accounts {
    inner: Arc<Inner>,
}

struct Inner {
    store: Arc<dyn Store>,
    keyring: Keyring,
    entropy: Arc<dyn Entropy>,
    turns: Arc<Turns>,
    hashing: HashPool,
}

/// What an operation decided.
pub trait Outcome: Send + 'static {
    /// Whether the attempt was looked at. If so a guard is written even where nothing changed, so that refusals
    /// take the same time.
    fn is_evaluated(&self) -> bool;
}

impl Outcome for Verification {
    fn is_evaluated(&self) -> bool {
        !matches!(self, Self::Throttled(_))
    }
}

/// A change that nobody has to prove anything for.
pub(super) struct Done<T>(pub(super) T);

impl<T: Send + 'static> Outcome for Done<T> {
    fn is_evaluated(&self) -> bool {
        true
    }
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

const CHECK_VALUE: &str = "keyring-check";

impl Accounts {
    /// Lost rounds after which an account counts as fought over.
    pub(super) const MAX_ROUNDS: usize = 8;

    /// Refuses a keyring that did not seal what the store holds; a new store is marked with it.
    pub async fn open(
        store: Arc<dyn Store>,
        keyring: Keyring,
        entropy: Arc<dyn Entropy>,
    ) -> Result<Self, OpenError> {
        if let Some(value) = store.property(CHECK_VALUE).await? {
            keyring.open_check_value(&value).map_err(OpenError::WrongKeyring)?;
        } else {
            let value = keyring.check_value(entropy.as_ref()).map_err(OpenError::Seal)?;
            store.set_property(CHECK_VALUE, value).await?;
        }
        let (turns, hashing) = (Arc::default(), HashPool::default());
        Ok(Self { inner: Arc::new(Inner { store, keyring, entropy, turns, hashing }) })
    }

    pub fn store(&self) -> &Arc<dyn Store> {
        &self.inner.store
    }

    /// Where slow hashing is done.
    pub fn hashing(&self) -> &HashPool {
        &self.inner.hashing
    }

    pub(super) fn entropy(&self) -> Arc<dyn Entropy> {
        Arc::clone(&self.inner.entropy)
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
        self.attempt(id, Missing::IsNobody, decide).await
    }

    /// The same, and where there is no account, `decide` runs on an empty one, which comes into being.
    pub async fn update_or_create<T, F>(&self, id: AccountId, decide: F) -> Result<T, UpdateError>
    where
        T: Outcome,
        F: Fn(&mut Account) -> T + Send + Sync + 'static,
    {
        self.attempt(id, Missing::IsMade, decide).await?.ok_or(UpdateError::Contended)
    }

    async fn attempt<T, F>(
        &self,
        id: AccountId,
        missing: Missing,
        decide: F,
    ) -> Result<Option<T>, UpdateError>
    where
        T: Outcome,
        F: Fn(&mut Account) -> T + Send + Sync + 'static,
    {
        let inner = Arc::clone(&self.inner);
        let attempt = tokio::spawn(async move { inner.update(&id, missing, decide).await });
        attempt.await.map_err(|_| UpdateError::Panicked)?
    }

    /// Writes new accounts, in one commit where the store can. `Conflict` marks those that exist.
    pub async fn insert(
        &self,
        accounts: impl IntoIterator<Item = (&AccountId, &Account)>,
    ) -> Result<Vec<SwapOutcome>, UpdateError> {
        let swaps = accounts.into_iter().map(|(id, account)| self.inner.new_account(id.clone(), account));
        let swaps = swaps.collect::<Result<Vec<_>, _>>()?;
        Ok(self.inner.store.swap_many(swaps).await?)
    }

    pub(super) async fn load(&self, id: &AccountId) -> Result<Option<SealedAccount>, UpdateError> {
        self.inner.load(id).await
    }

    pub(super) fn open_stored(&self, id: &AccountId, stored: &SealedAccount) -> Result<Account, UpdateError> {
        self.inner.open(id, stored).map(|opened| opened.account)
    }
}

/// What to do where there is no account.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Missing {
    IsNobody,
    IsMade,
}

/// An account as it was loaded.
struct Opened {
    account: Account,
    plain: Encoded,
    version: Version,
    vault_version: Version,
}

/// An account as it is to be written, before the seals.
struct Unsealed {
    guard: Zeroizing<Vec<u8>>,
    /// Only if it changed.
    vault: Option<Zeroizing<Vec<u8>>>,
    /// Of the vault that the guard belongs to: the one above, or the one that is there.
    vault_version: Version,
}

impl Inner {
    async fn update<T: Outcome>(
        &self,
        id: &AccountId,
        missing: Missing,
        decide: impl Fn(&mut Account) -> T + Send + Sync,
    ) -> Result<Option<T>, UpdateError> {
        let _turn = self.turns.take(id).await.map_err(|_| UpdateError::Contended)?;
        for round in 0..=Accounts::MAX_ROUNDS {
            let Some(stored) = self.load(id).await? else {
                if missing == Missing::IsNobody {
                    return Ok(None);
                }
                let mut account = Account::default();
                let outcome = decide(&mut account);
                if self.swap(self.new_account(id.clone(), &account)?).await? == SwapOutcome::Swapped {
                    return Ok(Some(outcome));
                }
                continue;
            };
            let mut opened = self.open(id, &stored)?;
            let outcome = decide(&mut opened.account);
            let next = self.encode(&opened)?;
            let is_last = round == Accounts::MAX_ROUNDS;
            // The guard holds the version of the vault, so that it tells of every change.
            if *next.guard == *opened.plain.guard && (is_last || !outcome.is_evaluated()) {
                return Ok(Some(outcome));
            }
            let expected = Expected::Version(opened.version);
            if !is_last && self.swap(self.seal(id.clone(), expected, &next)?).await? == SwapOutcome::Swapped {
                return Ok(Some(outcome));
            }
        }
        Err(UpdateError::Contended)
    }

    async fn load(&self, id: &AccountId) -> Result<Option<SealedAccount>, UpdateError> {
        let loaded = self.store.load_many(vec![id.clone()]).await?;
        Ok(loaded.into_iter().next().flatten())
    }

    async fn swap(&self, swap: Swap) -> Result<SwapOutcome, UpdateError> {
        let outcomes = self.store.swap_many(vec![swap]).await?;
        let missing = || StoreError::Unavailable("no answer for a swap".to_owned());
        Ok(outcomes.into_iter().next().ok_or_else(missing)?)
    }

    fn open(&self, id: &AccountId, stored: &SealedAccount) -> Result<Opened, UpdateError> {
        let plain = Encoded {
            guard: self.keyring.open(Part::Guard, id, &stored.guard)?,
            vault: self.keyring.open(Part::Vault, id, &stored.vault)?,
        };
        let (account, vault_version) = decode(&plain)?;
        // An old vault put beside a newer guard would bring back spent codes and replaced secrets.
        if vault_version != stored.vault.version {
            return Err(UpdateError::Torn);
        }
        Ok(Opened { account, plain, version: stored.guard.version, vault_version })
    }

    /// What a changed account is to be written as; the same guard as before if nothing changed.
    fn encode(&self, opened: &Opened) -> Result<Unsealed, UpdateError> {
        let vault = encode_vault(&opened.account)?;
        let vault = (*vault != *opened.plain.vault).then_some(vault);
        let vault_version = if vault.is_some() { self.draw_version()? } else { opened.vault_version };
        Ok(Unsealed { guard: encode_guard(&opened.account, vault_version)?, vault, vault_version })
    }

    fn new_account(&self, id: AccountId, account: &Account) -> Result<Swap, UpdateError> {
        let vault_version = self.draw_version()?;
        let guard = encode_guard(account, vault_version)?;
        let unsealed = Unsealed { guard, vault: Some(encode_vault(account)?), vault_version };
        self.seal(id, Expected::Absent, &unsealed)
    }

    fn seal(&self, id: AccountId, expected: Expected, unsealed: &Unsealed) -> Result<Swap, UpdateError> {
        let seal =
            |part, version, plain: &[u8]| self.keyring.seal(part, &id, version, plain, self.entropy.as_ref());
        let guard = seal(Part::Guard, self.draw_version()?, &unsealed.guard)?;
        let vault = unsealed.vault.as_ref().map(|vault| seal(Part::Vault, unsealed.vault_version, vault));
        let vault = vault.transpose()?;
        Ok(Swap { id, expected, guard, vault })
    }

    fn draw_version(&self) -> Result<Version, EntropyError> {
        let mut bytes = [0; 8];
        self.entropy.fill(&mut bytes)?;
        Ok(Version::from_be_bytes(bytes))
    }
}
