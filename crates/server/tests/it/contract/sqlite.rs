//! The suite on `SQLite`, and what only a file can go through.

use super::Place;
use einmal::store::Store;
use einmal::store::sqlite::SqliteStore;
use std::path::PathBuf;
use std::sync::Arc;

struct SqlitePlace(tempfile::TempDir);

impl SqlitePlace {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn file(&self) -> PathBuf {
        self.0.path().join("einmal.db")
    }
}

impl Place for SqlitePlace {
    fn open(&self) -> Arc<dyn Store> {
        Arc::new(SqliteStore::open(&self.file()).unwrap())
    }
}

super::suite!(SqlitePlace::new());
