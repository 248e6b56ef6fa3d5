//! Why a server cannot be used, in words for whoever has to put it right. Without passwords.

use super::failure::Failure;
use std::io;

#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("store.url: {0}")]
    Certificates(String),
    #[error("{store}: cannot be reached: {reason}")]
    Unreachable { store: String, reason: String },
    #[error("{store}: {reason}")]
    Failed { store: String, reason: String },
    #[error(
        "{0}: has tables named guard, vault or property that are not einmal's; they were left as they are; use another \
         database or, with options=-csearch_path=NAME, another schema"
    )]
    NotEmpty(String),
    #[error(
        "{store}: written by a newer einmal (schema {found}; this one knows up to {known}); use that version"
    )]
    Newer { store: String, found: i64, known: i64 },
    #[error("{store}: its schema is {found} and {known} is needed; run `einmal store migrate`")]
    Behind { store: String, found: i64, known: i64 },
    #[error("{store}: may lose what it has acknowledged, and store.require_synchronous is set: {reasons}")]
    NotSynchronous { store: String, reasons: String },
    #[error("cannot start a thread for the store: {0}")]
    Thread(io::Error),
}

impl OpenError {
    pub(super) fn failed(store: &str, failure: &Failure) -> Self {
        Self::Failed { store: store.to_owned(), reason: failure.to_string() }
    }
}
