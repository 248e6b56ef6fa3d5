//! `[keyring]`: where the keys are that seal accounts. Reading and checking them is the keyring's own business.

use super::keys::Key;
use super::secret::Secret;
use super::section::Section;
use std::path::PathBuf;

pub(super) const KEYS: &[Key] = &[Key::value("file"), Key::value("env")];

/// The keyring for whoever opens it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyringSource {
    File(PathBuf),
    Environment { name: String, value: Secret },
}

/// The keyring for whoever makes it: it need not be there yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyringLocation {
    File(PathBuf),
    Environment { name: String },
}

const MISSING: &str = "missing, expected file = \"PATH\" or env = \"NAME\" \
     (`einmal keys generate --config FILE` makes the file; to try einmal without one, run `einmal dev`)";

pub(super) fn read_location(section: &mut Section<'_>) -> Option<KeyringLocation> {
    match (section.has("file"), section.has("env")) {
        (true, false) => section.path("file").map(KeyringLocation::File),
        (false, true) => section.variable_name("env").map(|name| KeyringLocation::Environment { name }),
        (true, true) => {
            section.refuse_whole("file and env are both given, expected one of them");
            None
        }
        (false, false) => {
            section.refuse_whole(MISSING);
            None
        }
    }
}

pub(super) fn read(section: &mut Section<'_>) -> Option<KeyringSource> {
    match read_location(section)? {
        KeyringLocation::File(path) => Some(KeyringSource::File(path)),
        KeyringLocation::Environment { name } => {
            let value = section.variable("env", &name)?;
            Some(KeyringSource::Environment { name, value })
        }
    }
}
