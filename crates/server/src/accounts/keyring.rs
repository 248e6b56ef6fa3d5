//! The keys that seal accounts. The first one seals, all of them open. Must never show a key, but its id.

mod file;
mod live;
mod text;

pub use file::{KeyringChangeError, KeyringFile, Promotion, RetiredKey};
pub(super) use live::Following;
pub use live::LiveKeyring;

use crate::store::KeyId;
use aws_lc_rs::aead::{AES_256_GCM_SIV, LessSafeKey, UnboundKey};
use einmal_core::{Entropy, EntropyError};
use std::io;
use text::{KeyringText, Line};
use zeroize::Zeroizing;

/// Never empty.
pub struct Keyring {
    sealing: SealingKey,
    /// In the order in which they were added.
    others: Vec<(SealingKey, Role)>,
}

pub(super) struct SealingKey {
    pub(super) id: KeyId,
    pub(super) key: LessSafeKey,
}

/// What a key is there for; each of them opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    Seals,
    /// Opens what servers seal that know of its promotion already.
    New,
    /// Opens what it sealed before another key was promoted.
    Old,
}

/// What is wrong with it; where it is, its reader knows.
#[derive(Debug, thiserror::Error)]
pub enum KeyringError {
    #[error("{0}; `einmal keys generate` makes one")]
    Unreadable(#[from] io::Error),
    #[error("group or others may read it (mode {0:04o}), expected mode 0600")]
    Exposed(u32),
    #[error("others may read it, or the group write it (mode {0:04o}), expected mode 0440 or stricter")]
    ExposedToOthers(u32),
    #[error("its group {0} is none of this process's, so keyring.group_readable does not hold for it")]
    ForeignGroup(u32),
    #[error("entry {0} is not ID:KEY with 8 hex digits and 32 bytes in base64")]
    Malformed(usize),
    #[error("the key id {0:08x} is there twice")]
    Twice(KeyId),
    #[error("no key in it")]
    Empty,
}

impl Keyring {
    pub fn parse(text: &str) -> Result<Self, KeyringError> {
        let text = KeyringText::parse(text)?;
        let mut keys = (1..).zip(text.keys()).map(|(number, line)| {
            let key = SealingKey::new(line).ok_or(KeyringError::Malformed(number))?;
            Ok((key, if line.is_new { Role::New } else { Role::Old }))
        });
        let (sealing, _) = keys.next().ok_or(KeyringError::Empty)??;
        Ok(Self { sealing, others: keys.collect::<Result<_, KeyringError>>()? })
    }

    /// The text of a new keyring with one key.
    pub fn generate(entropy: &dyn Entropy) -> Result<Zeroizing<String>, EntropyError> {
        Ok(KeyringText::generate(entropy)?.to_text())
    }

    /// Ids and roles, in the order of the file; the first one seals.
    pub fn keys(&self) -> impl Iterator<Item = (KeyId, Role)> {
        let others = self.others.iter().map(|(key, role)| (key.id, *role));
        std::iter::once((self.sealing.id, Role::Seals)).chain(others)
    }

    pub(super) fn has(&self, id: KeyId) -> bool {
        self.opening(id).is_some()
    }

    /// For what has no row yet.
    pub(super) fn sealing(&self) -> &SealingKey {
        &self.sealing
    }

    /// For the successor of a row whose guard `id` sealed. If that is a new key, it was promoted, and this keyring does
    /// not say so yet: an account never goes back to an older key, so that what was resealed stays so.
    pub(super) fn sealing_after(&self, id: KeyId) -> &SealingKey {
        let is_new = |(key, role): &&(SealingKey, Role)| key.id == id && *role == Role::New;
        self.others.iter().find(is_new).map_or(&self.sealing, |(key, _)| key)
    }

    pub(super) fn opening(&self, id: KeyId) -> Option<&LessSafeKey> {
        let mut keys = std::iter::once(&self.sealing).chain(self.others.iter().map(|(key, _)| key));
        keys.find(|key| key.id == id).map(|key| &key.key)
    }
}

impl SealingKey {
    /// The algorithm takes 32 bytes and refuses any other number.
    fn new(line: &Line) -> Option<Self> {
        let bytes = line.key_bytes()?;
        Some(Self { id: line.id, key: LessSafeKey::new(UnboundKey::new(&AES_256_GCM_SIV, &bytes).ok()?) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entropy::SystemEntropy;
    use data_encoding::BASE64;

    #[test]
    fn a_generated_keyring_is_read_back() {
        let text = Keyring::generate(&SystemEntropy).unwrap();
        let one_line = text.lines().last().unwrap();
        assert!(Keyring::parse(&text).is_ok());
        let two = format!("{one_line},{}", one_line.replacen(&one_line[..8], "00000001", 1));
        assert_eq!(Keyring::parse(&two).unwrap().keys().count(), 2);
    }

    #[test]
    fn a_bad_keyring_says_which_entry() {
        let key = BASE64.encode(&[7; 32]);
        let refused = |text: &str| Keyring::parse(text).map(|_| ()).unwrap_err().to_string();
        assert_eq!(refused("# only a comment"), "no key in it");
        assert!(refused(&format!("0000000a:{key}\nxyz")).starts_with("entry 2 is not ID:KEY"));
        assert!(refused(&format!("+000000a:{key}")).starts_with("entry 1"));
        assert!(refused(&format!("0000000a:{}", BASE64.encode(&[7; 31]))).starts_with("entry 1"));
        assert!(refused(&format!("0000000a:{key}:old")).starts_with("entry 1"));
        assert_eq!(refused(&format!("0000000a:{key},0000000A:{key}")), "the key id 0000000a is there twice");
    }

    #[test]
    fn a_row_of_a_new_key_is_the_sign_that_it_was_promoted() {
        let key = BASE64.encode(&[7; 32]);
        let keyring = format!("0000000a:{key}\n0000000b:{key}\n0000000c:{key}:new");
        let keyring = Keyring::parse(&keyring).unwrap();
        let roles: Vec<_> = keyring.keys().collect();
        assert_eq!(roles, [(10, Role::Seals), (11, Role::Old), (12, Role::New)]);
        for (found, seals) in [(10, 10), (11, 10), (12, 12), (13, 10)] {
            assert_eq!(keyring.sealing_after(found).id, seals, "after {found}");
        }
    }
}
