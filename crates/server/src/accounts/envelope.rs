//! An account between its two forms: sealed, as a store has it, and open, as decisions see it. Waits for nothing and
//! asks no store.

use super::encode::{Encoded, decode, encode_guard, encode_vault};
use super::keyring::{Keyring, SealingKey};
use super::seal::Part;
use super::update::UpdateError;
use crate::entropy::random_number;
use crate::store::{Expected, KeyId, SealedAccount, Swap, Version};
use einmal_core::Entropy;
use einmal_core::account::{Account, AccountId};
use std::sync::Arc;
use zeroize::Zeroizing;

/// An account as it was loaded.
pub(super) struct Opened {
    /// What opened it also seals what follows: one round sees one keyring.
    keyring: Arc<Keyring>,
    pub(super) account: Account,
    plain: Encoded,
    version: Version,
    vault_version: Version,
    guard_key: KeyId,
}

/// An account as it is to be written, before the seals.
pub(super) struct Unsealed {
    guard: Zeroizing<Vec<u8>>,
    /// Only if it changed.
    vault: Option<Zeroizing<Vec<u8>>>,
    /// Of the vault that the guard belongs to: the one above, or the one that is there.
    vault_version: Version,
}

impl Opened {
    pub(super) fn open(
        keyring: Arc<Keyring>,
        id: &AccountId,
        stored: &SealedAccount,
    ) -> Result<Self, UpdateError> {
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
        Ok(Self { keyring, account, plain, version, vault_version, guard_key })
    }

    /// What the account, changed or not, is to be written as.
    pub(super) fn next(&self, entropy: &dyn Entropy) -> Result<Unsealed, UpdateError> {
        let vault = encode_vault(&self.account)?;
        let vault = (*vault != *self.plain.vault).then_some(vault);
        let vault_version = if vault.is_some() { random_number(entropy)? } else { self.vault_version };
        Ok(Unsealed { guard: encode_guard(&self.account, vault_version)?, vault, vault_version })
    }

    /// Whether nothing changed. The guard holds the version of the vault, so that it tells of every change.
    pub(super) fn is(&self, next: &Unsealed) -> bool {
        *next.guard == *self.plain.guard
    }

    /// Puts `next` in the place of what was loaded.
    pub(super) fn swap(
        &self,
        id: AccountId,
        next: &Unsealed,
        entropy: &dyn Entropy,
    ) -> Result<Swap, UpdateError> {
        next.seal(self.keyring.sealing_after(self.guard_key), id, Expected::Version(self.version), entropy)
    }
}

impl Unsealed {
    fn seal(
        &self,
        key: &SealingKey,
        id: AccountId,
        expected: Expected,
        entropy: &dyn Entropy,
    ) -> Result<Swap, UpdateError> {
        let seal = |part, version, plain: &[u8]| key.seal(part, &id, version, plain, entropy);
        let guard = seal(Part::Guard, random_number(entropy)?, &self.guard)?;
        let vault = self.vault.as_ref().map(|vault| seal(Part::Vault, self.vault_version, vault));
        let vault = vault.transpose()?;
        Ok(Swap { id, expected, guard, vault })
    }
}

/// An account that is not there yet.
pub(super) fn new_account(
    keyring: &Keyring,
    id: AccountId,
    account: &Account,
    entropy: &dyn Entropy,
) -> Result<Swap, UpdateError> {
    let vault_version = random_number(entropy)?;
    let guard = encode_guard(account, vault_version)?;
    let unsealed = Unsealed { guard, vault: Some(encode_vault(account)?), vault_version };
    unsealed.seal(keyring.sealing(), id, Expected::Absent, entropy)
}

/// The same account sealed by the key that seals now, both parts with versions that were never there before; `None` if
/// it is so already.
pub(super) fn resealed(
    keyring: Arc<Keyring>,
    id: &AccountId,
    stored: &SealedAccount,
    entropy: &dyn Entropy,
) -> Result<Option<Swap>, UpdateError> {
    let seals = keyring.sealing_after(stored.guard.key_id).id;
    if (stored.guard.key_id, stored.vault.key_id) == (seals, seals) {
        return Ok(None);
    }
    let opened = Opened::open(keyring, id, stored)?;
    let vault_version = random_number(entropy)?;
    let guard = encode_guard(&opened.account, vault_version)?;
    let vault = Some(encode_vault(&opened.account)?);
    opened.swap(id.clone(), &Unsealed { guard, vault, vault_version }, entropy).map(Some)
}
