//! An account as bytes: the *guard*, written by every attempt and therefore small, and the *vault*, written
//! when something is issued or enrolled. Only the files in here know which member is in which.
//!
//! The first byte is the version of the encoding. What a version has never changes: version 2 is version 1 and what was
//! added after it, version 3 (of the vault alone) is version 2, when the account was diagnosed, and its history. Each is
//! written only where there is something of it, so that what the server of yesterday can read it goes on reading.

mod diagnoses;
mod guard;
mod history;
mod request;
#[cfg(test)]
mod tests;
mod vault;

use super::seal::SealError;
use crate::store::Version;
use diagnoses::DiagnosesAddition;
use einmal_core::account::{Account, History};
use guard::{Guard, GuardAddition};
use postcard::experimental::serialized_size as size;
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
    let diagnoses = DiagnosesAddition::of(account);
    to_bytes(&Vault::of(account), &VaultAddition::of(account), &diagnoses, &account.history)
}

pub(super) fn encode_guard(account: &Account, vault: Version) -> Result<Zeroizing<Vec<u8>>, SealError> {
    to_bytes(&Guard::of(account, vault), &GuardAddition::of(account), &(), &History::default())
}

/// The account, and the version of the vault that the guard was written for.
pub(super) fn decode(encoded: &Encoded) -> Result<(Account, Version), SealError> {
    let guard: Parts<'_, Guard, GuardAddition, ()> = from_bytes(&encoded.guard, WITH_ADDITION)?;
    let vault: Parts<'_, Vault, VaultAddition, DiagnosesAddition> = from_bytes(&encoded.vault, WITH_HISTORY)?;
    let version = guard.first.vault_version();
    let mut account = vault.first.into_account()?;
    vault.second.add_to(&mut account)?;
    vault.third.add_to(&mut account);
    if let Some(history) = vault.history {
        account.history = history::read(history)?;
    }
    guard.first.apply_to(&mut account).ok_or(SealError::Encoding)?;
    guard.second.apply_to(&mut account).ok_or(SealError::Encoding)?;
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
    history: &History,
) -> Result<Zeroizing<Vec<u8>>, SealError> {
    let version = if third.is_in_use() || !history.0.is_empty() {
        WITH_HISTORY
    } else if second.is_in_use() {
        WITH_ADDITION
    } else {
        FIRST
    };
    let write = || -> Result<_, postcard::Error> {
        let size_of_all = 1 + size(first)? + size(second)? + size(third)? + history::size(history);
        // All the room at once: a buffer that moves while it grows would leave copies of secrets behind.
        let mut bytes = Vec::with_capacity(size_of_all);
        bytes.push(version);
        bytes = postcard::to_extend(first, bytes)?;
        if version >= WITH_ADDITION {
            bytes = postcard::to_extend(second, bytes)?;
        }
        if version >= WITH_HISTORY {
            bytes = postcard::to_extend(third, bytes)?;
            history::write(history, &mut bytes);
        }
        Ok(Zeroizing::new(bytes))
    };
    write().map_err(|_| SealError::Encoding)
}

/// What versions have added to each other.
struct Parts<'a, T, A, B> {
    first: T,
    second: A,
    third: B,
    /// Its bytes, if there is one.
    history: Option<&'a [u8]>,
}

/// `newest`: of the versions that this part has.
fn from_bytes<T: DeserializeOwned, A: Addition, B: Addition>(
    bytes: &[u8],
    newest: u8,
) -> Result<Parts<'_, T, A, B>, SealError> {
    let (version, rest) = bytes.split_first().ok_or(SealError::Encoding)?;
    if *version > newest || *version < FIRST {
        return Err(SealError::NewerEncoding(*version));
    }
    let (first, rest) = take(rest)?;
    let (second, rest) = if *version >= WITH_ADDITION { take(rest)? } else { (A::default(), rest) };
    let (third, rest) = if *version >= WITH_HISTORY { take(rest)? } else { (B::default(), rest) };
    let history = match *version {
        WITH_HISTORY => Some(rest),
        _ if rest.is_empty() => None,
        _ => return Err(SealError::Encoding),
    };
    Ok(Parts { first, second, third, history })
}

fn take<T: DeserializeOwned>(bytes: &[u8]) -> Result<(T, &[u8]), SealError> {
    postcard::take_from_bytes(bytes).map_err(|_| SealError::Encoding)
}
