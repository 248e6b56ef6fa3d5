//! `einmal store migrate`: brings the schema of the store up to date. Opens no account and needs no keyring.

use super::{ConfigFile, Failure, refused, say};
use crate::store::sqlite::{Migration, SqliteStore};
use clap::Args;

/// Bring the schema of the store up to date, and make the store if there is none
///
/// Every command that opens the store does the same, unless `store.migrate` is false. A schema that is newer than this
/// program is refused and left as it is, with exit code 1: go back to the version that wrote it, or to a backup.
#[derive(Args)]
pub(super) struct MigrateCommand {
    #[command(flatten)]
    config: ConfigFile,
}

impl MigrateCommand {
    pub(super) fn run(&self) -> Result<(), Failure> {
        let path = self.config.open()?.store()?.sqlite_path;
        let was_there = path.exists();
        let store = SqliteStore::open_with(&path, Migration::Apply).map_err(refused)?;
        let (schema, path) = (store.schema(), path.display());
        let (found, known) = (schema.found, schema.known);
        match found {
            _ if !was_there => say(format_args!("{path}: made, with schema {known}")),
            _ if found == known => say(format_args!("{path}: has schema {known}, nothing to do")),
            _ => say(format_args!("{path}: brought from schema {found} to {known}")),
        }
    }
}
