//! The keyring's file, for commands that change it. An environment variable no command can change.

use super::{ConfigFile, Failure, refused};
use crate::accounts::{KeyringChangeError, KeyringFile};
use crate::config::KeyringLocation;
use crate::store::KeyId;

/// Said wherever the keys change.
pub(super) const KEEP_A_COPY: &str =
    "keep a copy in a safe place, away from the store: losing the keyring loses every secret";

pub(super) fn keyring_file(config: &ConfigFile) -> Result<KeyringFile, Failure> {
    match config.open()?.keyring_location()? {
        KeyringLocation::File(file) => Ok(file),
        KeyringLocation::Environment { name } => Err(unchangeable(&name)),
    }
}

pub(super) fn unchangeable(name: &str) -> Failure {
    refused(format_args!(
        "the keyring is in the environment variable {name}, which no command can change. To rotate by hand, restart \
         `einmal serve` everywhere after each change: put a comma, the last line of `einmal keys generate` and `:new` behind \
         what {name} holds; then put that key in front of the others, without `:new`; run `einmal keys reseal`; and when \
         `einmal keys list` counts nothing for the old key, take it out"
    ))
}

/// What is wrong with it, and where it is.
pub(super) fn change_failed(file: &KeyringFile, error: &KeyringChangeError) -> Failure {
    refused(format_args!("keyring {}: {error}", file.path.display()))
}

/// As it stands in the file: 8 hex digits.
pub(super) fn parse_key_id(text: &str) -> Result<KeyId, Failure> {
    let is_id = text.len() == 8 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let id = is_id.then(|| KeyId::from_str_radix(text, 16).ok()).flatten();
    let expected =
        || format!("{text:?} is no key id, expected 8 hex digits, as `einmal keys list` shows them");
    id.ok_or_else(|| Failure::Usage(expected()))
}
