//! `einmal store migrate`: brings the schema of the store up to date. Opens no account and needs no keyring.

use super::{ConfigFile, Failure, refused, say};
use crate::metrics::Metrics;
use crate::store::{self, Migration, Schema};
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
        let engine = self.config.open()?.store()?.engine;
        let runtime = tokio::runtime::Runtime::new().map_err(refused)?;
        let metrics = Metrics::default();
        let was_there = runtime.block_on(store::is_there(&engine, &metrics.store)).map_err(refused)?;
        let opened = runtime.block_on(store::open(&engine, Migration::Apply, &metrics.store));
        let Schema { found, known } = opened.map_err(refused)?.schema;
        match found {
            _ if !was_there => say(format_args!("{engine}: made, with schema {known}")),
            _ if found == known => say(format_args!("{engine}: has schema {known}, nothing to do")),
            _ => say(format_args!("{engine}: brought from schema {found} to {known}")),
        }
    }
}
