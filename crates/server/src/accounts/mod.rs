//! Accounts as values over a store that only sees sealed parts: encode, seal, update. Nothing below `api` and
//! `cli` may read or write an account in another way.

mod administer;
mod description;
mod encode;
mod export;
mod import;
mod keyring;
pub mod password_hash;
mod prove;
mod put;
mod record;
mod seal;
mod turns;
mod update;

pub use description::{
    CodeDescription, CredentialDescription, Description, FailureCount, Failures, HashState,
};
pub use export::{Secrets, rfc_3339, write_record};
pub use import::{Import, ImportError, Notice, Report};
pub use keyring::{Keyring, KeyringError};
pub use prove::{Offered, Proof};
pub use put::Put;
pub use record::{IssuerNames, Provisioned, Reading, RecordError, is_subject, read_record, read_record_of};
pub use seal::SealError;
pub use update::{Accounts, OpenError, Outcome, UpdateError};
