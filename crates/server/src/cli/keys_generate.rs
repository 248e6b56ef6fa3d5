//! `einmal keys generate`: a new keyring, where the configuration says that it is. Never over an old one.

use super::{ConfigFile, Failure, complain, say};
use crate::accounts::Keyring;
use crate::config::KeyringLocation;
use crate::entropy::SystemEntropy;
use clap::Args;
use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Make a new keyring where the configuration says that it is
///
/// With `keyring.file` the file is made, readable by its owner only (mode 0600). With `keyring.env` the text for the
/// environment variable goes to standard output. An existing keyring is never overwritten.
#[derive(Args)]
pub(super) struct GenerateCommand {
    #[command(flatten)]
    config: ConfigFile,
}

impl GenerateCommand {
    pub(super) fn run(&self) -> Result<(), Failure> {
        let location = self.config.open()?.keyring_location()?;
        let text = Keyring::generate(&SystemEntropy).map_err(|error| Failure::Refused(error.to_string()))?;
        match location {
            KeyringLocation::File(path) => {
                create(&path, text.as_bytes())?;
                complain(format_args!("made the keyring {}", path.display()));
            }
            KeyringLocation::Environment { name } => {
                complain(format_args!("set the environment variable {name} to the last line"));
                say(text.trim_end())?;
            }
        }
        complain("keep a copy in a safe place, away from the store: losing the keyring loses every secret");
        Ok(())
    }
}

/// Writes a file that must not exist, readable by its owner only, and leaves nothing half written.
pub(crate) fn create(path: &Path, text: &[u8]) -> Result<(), Failure> {
    let refused = |error: std::io::Error| {
        let reason = match error.kind() {
            ErrorKind::AlreadyExists => "exists, and a keyring is never overwritten".to_owned(),
            _ => error.to_string(),
        };
        Failure::Refused(format!("keyring {}: {reason}", path.display()))
    };
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(refused)?;
    let written = file.write_all(text).and_then(|()| file.sync_all());
    written.map_err(|error| {
        // Half a keyring would be taken for a broken one at the next start.
        let _ = std::fs::remove_file(path);
        refused(error)
    })
}
