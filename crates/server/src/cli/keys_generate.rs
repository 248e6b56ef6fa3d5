//! `einmal keys generate`: a new keyring, where the configuration says that it is. Never over an old one.

use super::keyring_file::KEEP_A_COPY;
use super::{ConfigFile, Failure, complain, say};
use crate::accounts::Keyring;
use crate::config::KeyringLocation;
use crate::entropy::SystemEntropy;
use clap::Args;
use std::io::{self, ErrorKind};
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
        match location {
            KeyringLocation::File(file) => {
                file.create(&SystemEntropy).map_err(|error| refused(&file.path, &error))?;
                complain(format_args!("made the keyring {}", file.path.display()));
            }
            KeyringLocation::Environment { name } => {
                let text =
                    Keyring::generate(&SystemEntropy).map_err(|error| Failure::Refused(error.to_string()))?;
                complain(format_args!("set the environment variable {name} to the last line"));
                say(text.trim_end())?;
            }
        }
        complain(KEEP_A_COPY);
        Ok(())
    }
}

fn refused(path: &Path, error: &io::Error) -> Failure {
    let reason = match error.kind() {
        ErrorKind::AlreadyExists => "exists, and a keyring is never overwritten".to_owned(),
        _ => error.to_string(),
    };
    Failure::Refused(format!("keyring {}: {reason}", path.display()))
}
