//! An account as bytes: the *guard*, written by every attempt and therefore small, and the *vault*, written
//! when something is issued or enrolled. Only the files in here know which member is in which.
//!
//! The first byte is the version of the encoding. What a version has never changes: version 2 is version 1 and what was
//! added after it, and is written only where there is something of that, so that what the server of yesterday can read it
//! goes on reading.

mod guard;
mod request;
#[cfg(test)]
mod tests;
mod vault;

use super::seal::SealError;
use crate::store::Version;
use einmal_core::account::Account;
use guard::{Guard, GuardAddition};
use serde::Serialize;
use serde::de::DeserializeOwned;
use vault::{Vault, VaultAddition};
use zeroize::Zeroizing;

const FIRST: u8 = 1;
const WITH_ADDITION: u8 = 2;

pub(super) struct Encoded {
    pub(super) guard: Zeroizing<Vec<u8>>,
    pub(super) vault: Zeroizing<Vec<u8>>,
}

pub(super) fn encode_vault(account: &Account) -> Result<Zeroizing<Vec<u8>>, SealError> {
    to_bytes(&Vault::of(account), &VaultAddition::of(account))
}

pub(super) fn encode_guard(account: &Account, vault: Version) -> Result<Zeroizing<Vec<u8>>, SealError> {
    to_bytes(&Guard::of(account, vault), &GuardAddition::of(account))
}

/// The account, and the version of the vault that the guard was written for.
pub(super) fn decode(encoded: &Encoded) -> Result<(Account, Version), SealError> {
    let (guard, guard_addition): (Guard, GuardAddition) = from_bytes(&encoded.guard)?;
    let (vault, vault_addition): (Vault, VaultAddition) = from_bytes(&encoded.vault)?;
    let version = guard.vault_version();
    let mut account = vault.into_account()?;
    vault_addition.add_to(&mut account)?;
    guard.apply_to(&mut account).ok_or(SealError::Encoding)?;
    guard_addition.apply_to(&mut account).ok_or(SealError::Encoding)?;
    Ok((account, version))
}

fn to_bytes<T: Serialize, A: Serialize + Default + PartialEq>(
    first: &T,
    addition: &A,
) -> Result<Zeroizing<Vec<u8>>, SealError> {
    let size_of_addition = postcard::experimental::serialized_size(addition);
    let size = postcard::experimental::serialized_size(first)
        .and_then(|first| size_of_addition.map(|addition| 1 + first + addition));
    // All the room at once: a buffer that moves while it grows would leave copies of secrets behind.
    let mut bytes = Vec::with_capacity(size.map_err(|_| SealError::Encoding)?);
    let has_addition = *addition != A::default();
    bytes.push(if has_addition { WITH_ADDITION } else { FIRST });
    let mut bytes = postcard::to_extend(first, bytes);
    if has_addition {
        bytes = bytes.and_then(|bytes| postcard::to_extend(addition, bytes));
    }
    bytes.map(Zeroizing::new).map_err(|_| SealError::Encoding)
}

fn from_bytes<T: DeserializeOwned, A: DeserializeOwned + Default>(bytes: &[u8]) -> Result<(T, A), SealError> {
    let (version, rest) = bytes.split_first().ok_or(SealError::Encoding)?;
    let (first, rest) = match *version {
        FIRST | WITH_ADDITION => postcard::take_from_bytes(rest).map_err(|_| SealError::Encoding)?,
        newer => return Err(SealError::NewerEncoding(newer)),
    };
    let (addition, rest) = match *version {
        WITH_ADDITION => postcard::take_from_bytes(rest).map_err(|_| SealError::Encoding)?,
        _ => (A::default(), rest),
    };
    if rest.is_empty() { Ok((first, addition)) } else { Err(SealError::Encoding) }
}
