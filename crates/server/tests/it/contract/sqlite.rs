//! The suite on `SQLite`, and what only a file can go through.

mod backup;
mod faults;
mod log;
mod opening;
mod processes;

use super::{Place, is_damaged, is_unavailable};
use einmal::metrics::Metrics;
use einmal::store::sqlite::SqliteStore;
use einmal::store::{Migration, Store};
use std::path::{Path, PathBuf};
use std::sync::Arc;

struct SqlitePlace(tempfile::TempDir);

impl SqlitePlace {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn directory(&self) -> &Path {
        self.0.path()
    }

    /// In a directory of its own below, which a test may move.
    fn file(&self) -> PathBuf {
        let data = self.directory().join("data");
        if !data.exists() {
            std::fs::create_dir(&data).unwrap();
        }
        data.join("einmal.db")
    }
}

impl Place for SqlitePlace {
    fn open(&self) -> Arc<dyn Store> {
        Arc::new(SqliteStore::open(&self.file()).unwrap())
    }

    fn open_behind_fence(&self) -> Arc<dyn Store> {
        let metrics = Metrics::default();
        let opened = SqliteStore::open_behind_fence(&self.file(), Migration::Apply, &metrics.store);
        Arc::new(opened.unwrap())
    }
}

fn beside(file: &Path, suffix: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

super::suite!(Some(SqlitePlace::new()));
