//! An account as bytes: the *guard*, written by every attempt and therefore small, and the *vault*, written
//! when something is issued or enrolled. Only the files in here know which member is in which.
//!
//! The first byte is the version of the encoding. What a version has never changes: version 2 is version 1 and what was
//! added after it, version 3, which only vaults have, is version 2 and the history. Each is written only where there is
//! something of it, so that what the server of yesterday can read it goes on reading.

mod guard;
mod history;
mod request;
#[cfg(test)]
mod tests;
mod vault;

use super::seal::SealError;
use crate::store::Version;
use einmal_core::account::{Account, History};
use guard::{Guard, GuardAddition};
use serde::Serialize;
use serde::de::DeserializeOwned;
use vault::{Vault, VaultAddition};
use zeroize::Zeroizing;

const FIRST: u8 = 1;
const WITH_ADDITION: u8 = 2;
const WITH_HISTORY: u8 = 3;

pub(super) struct Encoded {
    pub(super) guard: Zeroizing<Vec<u8>>,
    pub(super) vault: Zeroizing<Vec<u8>>,
}

pub(super) fn encode_vault(account: &Account) -> Result<Zeroizing<Vec<u8>>, SealError> {
    to_bytes(&Vault::of(account), &VaultAddition::of(account), &account.history)
}

pub(super) fn encode_guard(account: &Account, vault: Version) -> Result<Zeroizing<Vec<u8>>, SealError> {
    to_bytes(&Guard::of(account, vault), &GuardAddition::of(account), &History::default())
}

/// The account, and the version of the vault that the guard was written for.
pub(super) fn decode(encoded: &Encoded) -> Result<(Account, Version), SealError> {
    let (guard, guard_addition, _): (Guard, GuardAddition, _) = from_bytes(&encoded.guard, WITH_ADDITION)?;
    let (vault, vault_addition, history): (Vault, VaultAddition, _) =
        from_bytes(&encoded.vault, WITH_HISTORY)?;
    let version = guard.vault_version();
    let mut account = vault.into_account()?;
    vault_addition.add_to(&mut account)?;
    if let Some(history) = history {
        account.history = history::read(history).ok_or(SealError::Encoding)?;
    }
    guard.apply_to(&mut account).ok_or(SealError::Encoding)?;
    guard_addition.apply_to(&mut account).ok_or(SealError::Encoding)?;
    Ok((account, version))
}

fn to_bytes<T: Serialize, A: Serialize + Default + PartialEq>(
    first: &T,
    addition: &A,
    history: &History,
) -> Result<Zeroizing<Vec<u8>>, SealError> {
    let size_of_addition = postcard::experimental::serialized_size(addition);
    let size = postcard::experimental::serialized_size(first)
        .and_then(|first| size_of_addition.map(|addition| 1 + first + addition));
    let size = size.map_err(|_| SealError::Encoding)? + history::size(history);
    // All the room at once: a buffer that moves while it grows would leave copies of secrets behind.
    let mut bytes = Vec::with_capacity(size);
    let version = if !history.0.is_empty() {
        WITH_HISTORY
    } else if *addition != A::default() {
        WITH_ADDITION
    } else {
        FIRST
    };
    bytes.push(version);
    let mut bytes = postcard::to_extend(first, bytes);
    if version > FIRST {
        bytes = bytes.and_then(|bytes| postcard::to_extend(addition, bytes));
    }
    let mut bytes = bytes.map(Zeroizing::new).map_err(|_| SealError::Encoding)?;
    if version == WITH_HISTORY {
        history::write(history, &mut bytes);
    }
    Ok(bytes)
}

/// With the bytes of the history, if there is one. `newest`: the last version that there is.
fn from_bytes<T: DeserializeOwned, A: DeserializeOwned + Default>(
    bytes: &[u8],
    newest: u8,
) -> Result<(T, A, Option<&[u8]>), SealError> {
    let (&version, rest) = bytes.split_first().ok_or(SealError::Encoding)?;
    if !(FIRST..=newest).contains(&version) {
        return Err(SealError::NewerEncoding(version));
    }
    let (first, rest) = postcard::take_from_bytes(rest).map_err(|_| SealError::Encoding)?;
    let (addition, rest) = match version {
        FIRST => (A::default(), rest),
        _ => postcard::take_from_bytes(rest).map_err(|_| SealError::Encoding)?,
    };
    match version {
        WITH_HISTORY => Ok((first, addition, Some(rest))),
        _ if rest.is_empty() => Ok((first, addition, None)),
        _ => Err(SealError::Encoding),
    }
}
