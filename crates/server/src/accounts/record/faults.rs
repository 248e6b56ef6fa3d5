//! Everything that is wrong with a record, by member and what was expected there. Never the value: it may be a
//! secret.

use crate::accounts::password_hash::HashingError;
use einmal_core::EntropyError;

#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    #[error("not a JSON object (column {0})")]
    Syntax(usize),
    #[error("longer than {0} bytes")]
    TooLong(usize),
    #[error("not UTF-8")]
    NotUtf8,
    #[error("{0}")]
    Members(String),
    #[error("{member}: {fault}")]
    Member {
        /// Such as `deviceTotps[0].secret`.
        member: String,
        fault: String,
    },
    /// In the order of the record.
    #[error("{}", joined(.0))]
    Several(Vec<Self>),
    #[error(transparent)]
    Entropy(#[from] EntropyError),
    #[error(transparent)]
    Hashing(#[from] HashingError),
}

impl RecordError {
    pub(in crate::accounts) fn at(member: impl Into<String>, fault: impl Into<String>) -> Self {
        Self::Member { member: member.into(), fault: fault.into() }
    }
}

fn joined(faults: &[RecordError]) -> String {
    faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

/// Collects them, so that whoever wrote the record learns of all at once.
#[derive(Default)]
pub(super) struct Faults(Vec<RecordError>);

impl Faults {
    pub(super) fn push(&mut self, fault: RecordError) {
        match fault {
            RecordError::Several(faults) => self.0.extend(faults),
            one => self.0.push(one),
        }
    }

    pub(super) fn note<T>(&mut self, result: Result<T, RecordError>) -> Option<T> {
        result.map_err(|fault| self.push(fault)).ok()
    }

    pub(super) fn finish(mut self) -> Result<(), RecordError> {
        match (self.0.pop(), self.0.is_empty()) {
            (None, _) => Ok(()),
            (Some(only), true) => Err(only),
            (Some(last), false) => {
                self.0.push(last);
                Err(RecordError::Several(self.0))
            }
        }
    }
}
