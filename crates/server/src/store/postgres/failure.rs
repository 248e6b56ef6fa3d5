//! What can go wrong on a connection, told apart by what it means for a write. Must never show a value that was sent.

use super::super::StoreError;
use std::error::Error as _;
use std::time::Duration;
use tokio_postgres::Error;
use tokio_postgres::error::SqlState;

/// `object_not_in_prerequisite_state`: what a closed store answers to a write.
const FENCED: SqlState = SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE;

#[derive(Clone, Debug)]
pub(super) enum Failure {
    /// The server refused, by an error of SQL: its transaction is void.
    Refused { code: SqlState, message: String },
    /// The connection ended, or too much time went by: whatever was asked for may have happened.
    Lost(String),
    /// The server answered and added a warning, as where a commit was not waited for as it should have been: the write
    /// may not outlive the server.
    Warned(String),
    /// Whoever is between here and there has changed what this connection was told to be.
    Unsettled(String),
    /// What is stored is not what this version writes.
    Damaged(String),
}

impl Failure {
    pub(super) fn deadline(after: Duration) -> Self {
        let seconds = (after.as_secs_f32() * 10.0).round() / 10.0;
        Self::Lost(format!("no answer within {seconds} s"))
    }

    /// Whether the same can be asked once more on the same connection: others were in the way and nothing was written.
    pub(super) fn is_collision(&self) -> bool {
        matches!(self, Self::Refused { code, .. }
            if [SqlState::T_R_SERIALIZATION_FAILURE, SqlState::T_R_DEADLOCK_DETECTED].contains(code))
    }

    /// Whether a statement was given up on, for others held what it wanted.
    pub(super) fn is_lost_wait(&self) -> bool {
        self.is_collision() || self.is_refused_with(&[SqlState::LOCK_NOT_AVAILABLE, SqlState::QUERY_CANCELED])
    }

    /// Whether the connection is as good as before.
    pub(super) fn leaves_connection(&self) -> bool {
        self.is_lost_wait() || self.is_refused_with(&[FENCED])
    }

    pub(super) fn is_refused_with(&self, codes: &[SqlState]) -> bool {
        matches!(self, Self::Refused { code, .. } if codes.contains(code))
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error.as_db_error() {
            // Without its detail, which can have values of rows.
            Some(refusal) => Self::Refused {
                code: refusal.code().clone(),
                message: format!(
                    "{}: {} (SQLSTATE {})",
                    refusal.severity(),
                    refusal.message(),
                    refusal.code().code()
                ),
            },
            None => Self::Lost(chain(&error)),
        }
    }
}

/// An error with its causes.
pub(super) fn chain(error: &Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = error.source();
    }
    text
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Refused { message, .. } | Self::Lost(message) | Self::Damaged(message) => {
                f.write_str(message)
            }
            Self::Warned(warning) => {
                write!(f, "answered with a warning, so that nobody knows what it is worth: {warning}")
            }
            Self::Unsettled(settings) => write!(
                f,
                "this connection no longer has its settings ({settings}); a pooler must give each client a connection \
                 of its own (session mode)"
            ),
        }
    }
}

impl Failure {
    /// For whoever asked.
    pub(super) fn of_store(&self, store: &str) -> StoreError {
        let damaged = [SqlState::DATA_CORRUPTED, SqlState::INDEX_CORRUPTED];
        if matches!(self, Self::Damaged(_)) || self.is_refused_with(&damaged) {
            StoreError::Damaged(format!("{store}: {self}"))
        } else {
            StoreError::Unavailable(format!("{store}: {self}"))
        }
    }
}
