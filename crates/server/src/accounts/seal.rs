//! Sealing and opening of an account's parts: AES-256-GCM-SIV, bound to the part's kind, account and version, so
//! that no box can be moved to another place or time.

use super::keyring::{Keyring, SealingKey};
use crate::store::{KeyId, SealedPart, Version};
use aws_lc_rs::aead::{Aad, NONCE_LEN, Nonce};
use einmal_core::account::AccountId;
use einmal_core::{Entropy, EntropyError};
use zeroize::Zeroizing;

/// Which box it is; part of the associated data.
#[derive(Clone, Copy)]
pub(super) enum Part {
    Guard,
    Vault,
    /// The store's check value.
    Check,
}

#[derive(Debug, thiserror::Error)]
pub enum SealError {
    #[error("the keyring has no key {0:08x}")]
    UnknownKey(KeyId),
    #[error("a sealed part does not open: it was changed, moved, or sealed with another key")]
    DoesNotOpen,
    #[error("an account was written by a newer version of einmal (encoding {0})")]
    NewerEncoding(u8),
    #[error("a sealed part opened but does not hold an account")]
    Encoding,
    #[error("sealing failed")]
    Sealing,
    #[error(transparent)]
    Entropy(#[from] EntropyError),
}

impl SealingKey {
    pub(super) fn seal(
        &self,
        part: Part,
        id: &AccountId,
        version: Version,
        plain: &[u8],
        entropy: &dyn Entropy,
    ) -> Result<SealedPart, SealError> {
        let mut nonce = [0; NONCE_LEN];
        entropy.fill(&mut nonce)?;
        let mut sealed = Vec::with_capacity(NONCE_LEN + plain.len() + self.key.algorithm().tag_len());
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(plain);
        let aad = Aad::from(associated_data(part, id, version));
        let place = sealed.get_mut(NONCE_LEN..).ok_or(SealError::Sealing)?;
        let tag = self
            .key
            .seal_in_place_separate_tag(Nonce::assume_unique_for_key(nonce), aad, place)
            .map_err(|_| SealError::Sealing)?;
        sealed.extend_from_slice(tag.as_ref());
        Ok(SealedPart { version, key_id: self.id, sealed })
    }
}

impl Keyring {
    pub(super) fn open(
        &self,
        part: Part,
        id: &AccountId,
        sealed: &SealedPart,
    ) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let key = self.opening(sealed.key_id).ok_or(SealError::UnknownKey(sealed.key_id))?;
        let (nonce, boxed) = sealed.sealed.split_first_chunk::<NONCE_LEN>().ok_or(SealError::DoesNotOpen)?;
        let mut plain = Zeroizing::new(boxed.to_vec());
        let aad = Aad::from(associated_data(part, id, sealed.version));
        let length = key
            .open_in_place(Nonce::assume_unique_for_key(*nonce), aad, &mut plain)
            .map_err(|_| SealError::DoesNotOpen)?
            .len();
        plain.truncate(length);
        Ok(plain)
    }
}

/// What a store keeps to tell whether a keyring is its own: a sealed constant, after its key's id.
impl Keyring {
    pub(super) fn check_value(&self, entropy: &dyn Entropy) -> Result<Vec<u8>, SealError> {
        let part = self.sealing().seal(Part::Check, &check_id(), 0, b"einmal", entropy)?;
        Ok([&part.key_id.to_be_bytes(), part.sealed.as_slice()].concat())
    }

    pub(super) fn open_check_value(&self, value: &[u8]) -> Result<(), SealError> {
        self.open(Part::Check, &check_id(), &check_part(value)?).map(drop)
    }

    /// In the place of `value`; `None` if that is as new as it can be.
    pub(super) fn resealed_check_value(
        &self,
        value: &[u8],
        entropy: &dyn Entropy,
    ) -> Result<Option<Vec<u8>>, SealError> {
        self.open_check_value(value)?;
        let found = check_value_key(value)?;
        if self.sealing_after(found).id == found { Ok(None) } else { self.check_value(entropy).map(Some) }
    }
}

/// Which key a check value needs.
pub(super) fn check_value_key(value: &[u8]) -> Result<KeyId, SealError> {
    check_part(value).map(|part| part.key_id)
}

fn check_part(value: &[u8]) -> Result<SealedPart, SealError> {
    let (key_id, sealed) = value.split_first_chunk().ok_or(SealError::DoesNotOpen)?;
    Ok(SealedPart { version: 0, key_id: KeyId::from_be_bytes(*key_id), sealed: sealed.to_vec() })
}

fn check_id() -> AccountId {
    AccountId::new("", "")
}

/// Lengths go in front, so that no two different accounts give the same bytes.
fn associated_data(part: Part, id: &AccountId, version: Version) -> Vec<u8> {
    let name: &[u8] = match part {
        Part::Guard => b"guard",
        Part::Vault => b"vault",
        Part::Check => b"check",
    };
    let (issuer, subject) = (id.issuer().as_bytes(), id.subject().as_bytes());
    let mut data = Vec::with_capacity(name.len() + issuer.len() + subject.len() + 24);
    data.extend_from_slice(name);
    for text in [issuer, subject] {
        data.extend_from_slice(&(text.len() as u64).to_be_bytes());
        data.extend_from_slice(text);
    }
    data.extend_from_slice(&version.to_be_bytes());
    data
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entropy::SystemEntropy;

    fn keyring() -> Keyring {
        Keyring::parse(&Keyring::generate(&SystemEntropy).unwrap()).unwrap()
    }

    #[test]
    fn a_box_opens_only_in_its_own_place_146() {
        let keyring = keyring();
        let id = AccountId::new("main", "alice");
        let sealed = keyring.sealing().seal(Part::Guard, &id, 7, b"state", &SystemEntropy).unwrap();
        assert_eq!(keyring.open(Part::Guard, &id, &sealed).unwrap().as_slice(), b"state");

        let moved = |part, id: AccountId, sealed: SealedPart| keyring.open(part, &id, &sealed).is_err();
        assert!(moved(Part::Vault, id.clone(), sealed.clone()), "another part");
        assert!(moved(Part::Guard, AccountId::new("main", "bob"), sealed.clone()), "another subject");
        assert!(
            moved(Part::Guard, AccountId::new("maina", "lice"), sealed.clone()),
            "another split of the same bytes"
        );
        assert!(
            moved(Part::Guard, id.clone(), SealedPart { version: 8, ..sealed.clone() }),
            "another version"
        );
        for place in 0..sealed.sealed.len() {
            let mut changed = sealed.clone();
            changed.sealed[place] ^= 1;
            assert!(moved(Part::Guard, id.clone(), changed), "byte {place}");
        }
    }

    #[test]
    fn another_keyring_does_not_open_it_and_says_which_key_is_missing() {
        let id = AccountId::new("main", "alice");
        let sealed = keyring().sealing().seal(Part::Vault, &id, 7, b"state", &SystemEntropy).unwrap();
        let error = keyring().open(Part::Vault, &id, &sealed).unwrap_err();
        assert_eq!(error.to_string(), format!("the keyring has no key {:08x}", sealed.key_id));
    }
}
