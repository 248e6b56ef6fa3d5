//! `einmal store backup`: a copy of the store, beside a running service. Opens no account and needs no keyring.

use super::{ConfigFile, Failure, progress, refused, say};
use crate::config::Engine;
use crate::store::Migration;
use crate::store::sqlite::SqliteStore;
use clap::Args;
use std::path::PathBuf;

/// Copy a SQLite store into a new file, also while the service runs
///
/// The copy is the store at one moment, whole and on the disk when this ends, and readable by its owner only. An
/// existing file is never overwritten: exit code 1. It is worth nothing without the keyring, which belongs elsewhere.
/// Whoever puts it in place runs `einmal store after-restore` before the service starts.
#[derive(Args)]
pub(super) struct BackupCommand {
    /// File to make
    file: PathBuf,
    #[command(flatten)]
    config: ConfigFile,
}

impl BackupCommand {
    pub(super) fn run(&self) -> Result<(), Failure> {
        let Engine::Sqlite(path) = self.config.open()?.store()?.engine else {
            return Err(refused(
                "copies SQLite stores only; a PostgreSQL database is copied by pg_dump or pg_basebackup, see docs/OPERATIONS.md",
            ));
        };
        let store = SqliteStore::open_with(&path, Migration::Keep).map_err(refused)?;
        let bar = progress::bar(0, progress::BYTES);
        let mut tell = |done: u64, total: u64| {
            bar.set_length(total);
            bar.set_position(done);
        };
        let made = store.back_up(&self.file, &mut tell);
        bar.finish_and_clear();
        made.map_err(refused)?;
        say(format_args!("{}: a copy of {}", self.file.display(), path.display()))
    }
}
