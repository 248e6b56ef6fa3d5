//! `[keyring]`: where the keys are that seal accounts. Reading and checking them is the keyring's own business.

use super::keys::Key;
use super::secret::Secret;
use super::section::Section;
use crate::accounts::KeyringFile;

pub(super) const KEYS: &[Key] = &[Key::value("file"), Key::value("env"), Key::value("group_readable")];

/// The keyring for whoever opens it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyringSource {
    File(KeyringFile),
    Environment { name: String, value: Secret },
}

/// The keyring for whoever makes it: it need not be there yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyringLocation {
    File(KeyringFile),
    Environment { name: String },
}

const MISSING: &str = "missing, expected file = \"PATH\" or env = \"NAME\" \
     (`einmal keys generate --config FILE` makes the file; to try einmal without one, run `einmal dev`)";

pub(super) fn read_location(section: &mut Section<'_>) -> Option<KeyringLocation> {
    let group_readable = section.boolean("group_readable").unwrap_or_default();
    match (section.has("file"), section.has("env")) {
        (true, false) => {
            section.path("file").map(|path| KeyringLocation::File(KeyringFile { path, group_readable }))
        }
        (false, true) if group_readable => {
            section.refuse("group_readable", "is about keyring.file, and there is keyring.env");
            None
        }
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
        KeyringLocation::File(file) => Some(KeyringSource::File(file)),
        KeyringLocation::Environment { name } => {
            let value = section.variable("env", &name)?;
            Some(KeyringSource::Environment { name, value })
        }
    }
}
