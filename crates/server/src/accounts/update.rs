//! The one loop: load, open, decide, seal, swap if nobody was faster, answer. An outcome that changed the
//! account is believed only when its swap has returned.

use super::encode::{Encoded, decode, encode_guard, encode_vault};
use super::keyring::{Following, Keyring, LiveKeyring, SealingKey};
use super::seal::{Part, SealError};
use super::turns::Turns;
use crate::store::{
    Expected, KeyId, SealedAccount, Store, StoreError, Swap, SwapOutcome, Version, claim_property,
};
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
    keyring: Arc<LiveKeyring>,
    _following: Option<Following>,
    entropy: Arc<dyn Entropy>,
    turns: Arc<Turns>,
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
        let turns = Arc::default();
        Ok(Self { inner: Arc::new(Inner { store, keyring, _following: following, entropy, turns }) })
    }

    pub fn store(&self) -> &Arc<dyn Store> {
        &self.inner.store
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
        let inner = Arc::clone(&self.inner);
        let attempt = tokio::spawn(async move { inner.update(&id, decide).await });
        attempt.await.map_err(|_| UpdateError::Panicked)?
    }

    /// Writes new accounts, in one commit where the store can. `Conflict` marks those that exist.
    pub async fn insert(&self, accounts: &[(AccountId, Account)]) -> Result<Vec<SwapOutcome>, UpdateError> {
        let keyring = self.inner.keyring.current();
        let swaps =
            accounts.iter().map(|(id, account)| self.inner.new_account(&keyring, id.clone(), account));
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

    /// The same account sealed by the key that seals now, both parts with versions that were never there before; `None`
    /// if it is so already.
    pub(super) fn resealed(
        &self,
        keyring: Arc<Keyring>,
        id: &AccountId,
        stored: &SealedAccount,
    ) -> Result<Option<Swap>, UpdateError> {
        let seals = keyring.sealing_after(stored.guard.key_id).id;
        if (stored.guard.key_id, stored.vault.key_id) == (seals, seals) {
            return Ok(None);
        }
        let opened = open_with(keyring, id, stored)?;
        let vault_version = self.inner.draw_version()?;
        let guard = encode_guard(&opened.account, vault_version)?;
        let unsealed = Unsealed { guard, vault: Some(opened.plain.vault), vault_version };
        let key = opened.keyring.sealing_after(opened.guard_key);
        self.inner.seal(key, id.clone(), Expected::Version(opened.version), &unsealed).map(Some)
    }

    pub(super) fn entropy(&self) -> &dyn Entropy {
        self.inner.entropy.as_ref()
    }

    /// With the keys that are known: for whoever goes through many accounts and must not wait for each that needs a
    /// key that nobody has.
    pub(super) fn open_stored(&self, id: &AccountId, stored: &SealedAccount) -> Result<Account, UpdateError> {
        open_with(self.inner.keyring.current(), id, stored).map(|opened| opened.account)
    }
}

/// An account as it was loaded.
struct Opened {
    /// What opened it also seals what follows: one round sees one keyring.
    keyring: Arc<Keyring>,
    account: Account,
    plain: Encoded,
    version: Version,
    vault_version: Version,
    guard_key: KeyId,
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
        decide: impl Fn(&mut Account) -> T + Send + Sync,
    ) -> Result<Option<T>, UpdateError> {
        let _turn = self.turns.take(id).await.map_err(|_| UpdateError::Contended)?;
        for round in 0..=Accounts::MAX_ROUNDS {
            let Some(stored) = self.load(id).await? else { return Ok(None) };
            let mut opened = self.open(id, &stored).await?;
            let outcome = decide(&mut opened.account);
            let next = self.encode(&opened)?;
            let is_last = round == Accounts::MAX_ROUNDS;
            // The guard holds the version of the vault, so that it tells of every change.
            if *next.guard == *opened.plain.guard && (is_last || !outcome.is_evaluated()) {
                return Ok(Some(outcome));
            }
            if is_last {
                break;
            }
            let key = opened.keyring.sealing_after(opened.guard_key);
            let swap = self.seal(key, id.clone(), Expected::Version(opened.version), &next)?;
            if self.swap(swap).await? == SwapOutcome::Swapped {
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

    async fn open(&self, id: &AccountId, stored: &SealedAccount) -> Result<Opened, UpdateError> {
        match open_with(self.keyring.current(), id, stored) {
            Err(UpdateError::Seal(SealError::UnknownKey(_))) => {
                self.keyring.look_again().await;
                open_with(self.keyring.current(), id, stored)
            }
            opened => opened,
        }
    }

    /// What a changed account is to be written as; the same guard as before if nothing changed.
    fn encode(&self, opened: &Opened) -> Result<Unsealed, UpdateError> {
        let vault = encode_vault(&opened.account)?;
        let vault = (*vault != *opened.plain.vault).then_some(vault);
        let vault_version = if vault.is_some() { self.draw_version()? } else { opened.vault_version };
        Ok(Unsealed { guard: encode_guard(&opened.account, vault_version)?, vault, vault_version })
    }

    fn new_account(&self, keyring: &Keyring, id: AccountId, account: &Account) -> Result<Swap, UpdateError> {
        let vault_version = self.draw_version()?;
        let guard = encode_guard(account, vault_version)?;
        let unsealed = Unsealed { guard, vault: Some(encode_vault(account)?), vault_version };
        self.seal(keyring.sealing(), id, Expected::Absent, &unsealed)
    }

    fn seal(
        &self,
        key: &SealingKey,
        id: AccountId,
        expected: Expected,
        unsealed: &Unsealed,
    ) -> Result<Swap, UpdateError> {
        let seal = |part, version, plain: &[u8]| key.seal(part, &id, version, plain, self.entropy.as_ref());
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

fn open_with(keyring: Arc<Keyring>, id: &AccountId, stored: &SealedAccount) -> Result<Opened, UpdateError> {
    let plain = Encoded {
        guard: keyring.open(Part::Guard, id, &stored.guard)?,
        vault: keyring.open(Part::Vault, id, &stored.vault)?,
    };
    let (account, vault_version) = decode(&plain)?;
    // An old vault put beside a newer guard would bring back spent codes and replaced secrets.
    if vault_version != stored.vault.version {
        return Err(UpdateError::Torn);
    }
    let (version, guard_key) = (stored.guard.version, stored.guard.key_id);
    Ok(Opened { keyring, account, plain, version, vault_version, guard_key })
}
