//! Why a database file cannot be used, in words for whoever has to put it right.

use super::super::StoreError;
use rusqlite::ErrorCode;
use std::io;
use std::path::{Path, PathBuf};

#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("{}: the directory is not there; create it, or correct store.url", .0.display())]
    NoDirectory(PathBuf),
    #[error("{}: there is no store; `einmal store migrate` makes an empty one", .0.display())]
    Absent(PathBuf),
    #[error("{}: not a file", .0.display())]
    NotAFile(PathBuf),
    #[error("{}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("{}: not an einmal database; it was left as it is", .0.display())]
    NotADatabase(PathBuf),
    #[error("{}: damaged ({detail}); it was left as it is; restore a backup", path.display())]
    Damaged { path: PathBuf, detail: String },
    #[error(
        "{}: written by a newer einmal (schema {found}; this one knows up to {known}); use that version", path.display()
    )]
    Newer { path: PathBuf, found: i64, known: i64 },
    #[error(
        "{}: its schema is {found} and {known} is needed; run `einmal store migrate`", path.display()
    )]
    Behind { path: PathBuf, found: i64, known: i64 },
    #[error("{}: read-only; einmal must be able to write it, and to create files beside it", .0.display())]
    ReadOnly(PathBuf),
    #[error(
        "{}: this file system cannot hold a write-ahead log (journal mode is {mode}); use a local one", path.display()
    )]
    NoLog { path: PathBuf, mode: String },
    #[error("{}: {source}", path.display())]
    Sqlite { path: PathBuf, source: rusqlite::Error },
    #[error("cannot start a thread for the store: {0}")]
    Thread(io::Error),
}

impl OpenError {
    pub(super) fn io(path: &Path, source: io::Error) -> Self {
        Self::Io { path: path.to_owned(), source }
    }

    pub(super) fn sqlite(path: &Path, source: rusqlite::Error) -> Self {
        let path = path.to_owned();
        match source.sqlite_error_code() {
            Some(ErrorCode::NotADatabase) => Self::NotADatabase(path),
            Some(ErrorCode::DatabaseCorrupt) => Self::Damaged { path, detail: source.to_string() },
            Some(ErrorCode::ReadOnly) => Self::ReadOnly(path),
            _ => Self::Sqlite { path, source },
        }
    }
}

/// What a caller of the running store is told when the file can no longer be opened.
impl From<OpenError> for StoreError {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::NotADatabase(_) | OpenError::Damaged { .. } => Self::Damaged(error.to_string()),
            _ => Self::Unavailable(error.to_string()),
        }
    }
}
