//! An account as bytes: the *guard*, written by every attempt and therefore small, and the *vault*, written
//! when something is issued or enrolled. Only the files in here know which member is in which.
//!
//! The first byte is the version of the encoding. What a version has never changes: version 2 is version 1 and what was
//! added after it, version 3 (of the vault alone) is version 2 and what was added after that. Each is written only where
//! there is something of it, so that what the server of yesterday can read it goes on reading.

mod diagnoses;
mod guard;
mod request;
#[cfg(test)]
mod tests;
mod vault;

use super::seal::SealError;
use crate::store::Version;
use diagnoses::DiagnosesAddition;
use einmal_core::account::Account;
use guard::{Guard, GuardAddition};
use postcard::experimental::serialized_size as size;
use serde::Serialize;
use serde::de::DeserializeOwned;
use vault::{Vault, VaultAddition};
use zeroize::Zeroizing;

const FIRST: u8 = 1;
const WITH_ADDITION: u8 = 2;
const WITH_DIAGNOSES: u8 = 3;

pub(super) struct Encoded {
    pub(super) guard: Zeroizing<Vec<u8>>,
    pub(super) vault: Zeroizing<Vec<u8>>,
}

pub(super) fn encode_vault(account: &Account) -> Result<Zeroizing<Vec<u8>>, SealError> {
    to_bytes(&Vault::of(account), &VaultAddition::of(account), &DiagnosesAddition::of(account))
}

pub(super) fn encode_guard(account: &Account, vault: Version) -> Result<Zeroizing<Vec<u8>>, SealError> {
    to_bytes(&Guard::of(account, vault), &GuardAddition::of(account), &())
}

/// The account, and the version of the vault that the guard was written for.
pub(super) fn decode(encoded: &Encoded) -> Result<(Account, Version), SealError> {
    let guard = from_bytes(&encoded.guard, WITH_ADDITION)?;
    let (guard, guard_addition, ()): (Guard, GuardAddition, ()) = guard;
    let vault = from_bytes(&encoded.vault, WITH_DIAGNOSES)?;
    let (vault, vault_addition, diagnoses): (Vault, VaultAddition, DiagnosesAddition) = vault;
    let version = guard.vault_version();
    let mut account = vault.into_account()?;
    vault_addition.add_to(&mut account)?;
    diagnoses.add_to(&mut account);
    guard.apply_to(&mut account).ok_or(SealError::Encoding)?;
    guard_addition.apply_to(&mut account).ok_or(SealError::Encoding)?;
    Ok((account, version))
}

/// What is added by a version, which is nothing where nothing of it is in use.
trait Addition: Serialize + DeserializeOwned + Default + PartialEq {
    fn is_in_use(&self) -> bool {
        *self != Self::default()
    }
}

impl<A: Serialize + DeserializeOwned + Default + PartialEq> Addition for A {}

fn to_bytes<T: Serialize>(
    first: &T,
    second: &impl Addition,
    third: &impl Addition,
) -> Result<Zeroizing<Vec<u8>>, SealError> {
    let version = match (second.is_in_use(), third.is_in_use()) {
        (_, true) => WITH_DIAGNOSES,
        (true, false) => WITH_ADDITION,
        (false, false) => FIRST,
    };
    let write = || -> Result<_, postcard::Error> {
        let size_of_all = 1 + size(first)? + size(second)? + size(third)?;
        // All the room at once: a buffer that moves while it grows would leave copies of secrets behind.
        let mut bytes = Vec::with_capacity(size_of_all);
        bytes.push(version);
        bytes = postcard::to_extend(first, bytes)?;
        if version >= WITH_ADDITION {
            bytes = postcard::to_extend(second, bytes)?;
        }
        if version >= WITH_DIAGNOSES {
            bytes = postcard::to_extend(third, bytes)?;
        }
        Ok(Zeroizing::new(bytes))
    };
    write().map_err(|_| SealError::Encoding)
}

/// `newest`: of the versions that this part has.
fn from_bytes<T: DeserializeOwned, A: Addition, B: Addition>(
    bytes: &[u8],
    newest: u8,
) -> Result<(T, A, B), SealError> {
    let (version, rest) = bytes.split_first().ok_or(SealError::Encoding)?;
    if *version > newest || *version < FIRST {
        return Err(SealError::NewerEncoding(*version));
    }
    let (first, rest) = take(rest)?;
    let (second, rest) = if *version >= WITH_ADDITION { take(rest)? } else { (A::default(), rest) };
    let (third, rest) = if *version >= WITH_DIAGNOSES { take(rest)? } else { (B::default(), rest) };
    if rest.is_empty() { Ok((first, second, third)) } else { Err(SealError::Encoding) }
}

fn take<T: DeserializeOwned>(bytes: &[u8]) -> Result<(T, &[u8]), SealError> {
    postcard::take_from_bytes(bytes).map_err(|_| SealError::Encoding)
}
