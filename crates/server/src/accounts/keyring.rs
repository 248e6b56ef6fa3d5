//! The keys that seal accounts. The first one seals, all of them open.
//!
//! As text, one key a line (or separated by commas, for an environment variable): `ID:KEY`, an id of 8 hex
//! digits and 32 bytes in base64. Lines that start with `#` are comments.

use crate::store::KeyId;
use aws_lc_rs::aead::{AES_256_GCM_SIV, LessSafeKey, UnboundKey};
use data_encoding::BASE64;
use einmal_core::{Entropy, EntropyError};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;
use zeroize::Zeroizing;

pub struct Keyring {
    keys: Vec<(KeyId, LessSafeKey)>,
}

/// What is wrong with it; where it is, its reader knows.
#[derive(Debug, thiserror::Error)]
pub enum KeyringError {
    #[error("{0}; `einmal keys generate` makes one")]
    Unreadable(#[from] io::Error),
    #[error("group or others may read it (mode {0:04o}), expected mode 0600")]
    Exposed(u32),
    #[error("entry {0} is not ID:KEY with 8 hex digits and 32 bytes in base64")]
    Malformed(usize),
    #[error("the key id {0:08x} is there twice")]
    Twice(KeyId),
    #[error("no key in it")]
    Empty,
}

const KEY_BYTES: usize = 32;

impl Keyring {
    /// Reads a file that nobody but its owner may read.
    pub fn read(path: &Path) -> Result<Self, KeyringError> {
        let file = File::open(path)?;
        // Of what was opened: the file at the path may be another one by now.
        let mode = file.metadata()?.permissions().mode() & 0o7777;
        if mode & 0o077 != 0 {
            return Err(KeyringError::Exposed(mode));
        }
        Self::parse(&Zeroizing::new(io::read_to_string(file)?))
    }

    pub fn parse(text: &str) -> Result<Self, KeyringError> {
        let entries = text
            .lines()
            .filter(|line| !line.trim_start().starts_with('#'))
            .flat_map(|line| line.split(','))
            .map(str::trim)
            .filter(|entry| !entry.is_empty());
        let mut keys: Vec<(KeyId, LessSafeKey)> = Vec::new();
        for (number, entry) in (1..).zip(entries) {
            let (id, key) = parse_key(entry).ok_or(KeyringError::Malformed(number))?;
            if keys.iter().any(|(known, _)| *known == id) {
                return Err(KeyringError::Twice(id));
            }
            keys.push((id, key));
        }
        if keys.is_empty() { Err(KeyringError::Empty) } else { Ok(Self { keys }) }
    }

    /// Makes a file with one key, readable by its owner only. Never over one that exists, and never half of one:
    /// that would be taken for a broken keyring at the next start.
    pub fn create(path: &Path, entropy: &dyn Entropy) -> io::Result<()> {
        let text = Self::generate(entropy).map_err(io::Error::other)?;
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        let directory =
            path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_all());
        written.and_then(|()| File::open(directory)?.sync_all()).inspect_err(|_| {
            // The first error is the one to tell.
            let _ = fs::remove_file(path);
        })
    }

    /// The text of a new keyring with one key.
    pub fn generate(entropy: &dyn Entropy) -> Result<Zeroizing<String>, EntropyError> {
        let mut id = [0; 4];
        let mut key = Zeroizing::new([0; KEY_BYTES]);
        entropy.fill(&mut id)?;
        entropy.fill(key.as_mut_slice())?;
        let key = Zeroizing::new(BASE64.encode(key.as_slice()));
        Ok(Zeroizing::new(format!(
            "# einmal keyring: the first key seals, all of them open.\n\
             # Whoever loses it loses every secret in the store; whoever reads it can read them.\n\
             {:08x}:{}\n",
            KeyId::from_be_bytes(id),
            key.as_str()
        )))
    }

    pub(super) fn sealing(&self) -> Option<&(KeyId, LessSafeKey)> {
        self.keys.first()
    }

    pub(super) fn opening(&self, id: KeyId) -> Option<&LessSafeKey> {
        self.keys.iter().find(|(known, _)| *known == id).map(|(_, key)| key)
    }
}

fn parse_key(entry: &str) -> Option<(KeyId, LessSafeKey)> {
    let (id, key) = entry.split_once(':')?;
    let is_id = id.len() == 8 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    let id = is_id.then(|| KeyId::from_str_radix(id, 16).ok()).flatten()?;
    let key = Zeroizing::new(BASE64.decode(key.as_bytes()).ok()?);
    // The algorithm takes 32 bytes and refuses any other number.
    Some((id, LessSafeKey::new(UnboundKey::new(&AES_256_GCM_SIV, &key).ok()?)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entropy::SystemEntropy;

    #[test]
    fn a_generated_keyring_is_read_back() {
        let text = Keyring::generate(&SystemEntropy).unwrap();
        let one_line = text.lines().last().unwrap();
        assert!(Keyring::parse(&text).is_ok());
        assert!(
            Keyring::parse(&format!("{one_line},{}", one_line.replacen(&one_line[..8], "00000001", 1)))
                .is_ok()
        );
    }

    #[test]
    fn a_bad_keyring_says_which_entry() {
        let key = BASE64.encode(&[7; 32]);
        let refused = |text: &str| Keyring::parse(text).map(|_| ()).unwrap_err().to_string();
        assert_eq!(refused("# only a comment"), "no key in it");
        assert!(refused(&format!("0000000a:{key}\nxyz")).starts_with("entry 2 is not ID:KEY"));
        assert!(refused(&format!("+000000a:{key}")).starts_with("entry 1"));
        assert!(refused(&format!("0000000a:{}", BASE64.encode(&[7; 31]))).starts_with("entry 1"));
        assert_eq!(refused(&format!("0000000a:{key},0000000A:{key}")), "the key id 0000000a is there twice");
    }
}
