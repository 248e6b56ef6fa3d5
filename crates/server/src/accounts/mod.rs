//! Accounts as values over a store that only sees sealed parts: encode, seal, update. Nothing below `api` and
//! `cli` may read or write an account in another way.

mod administer;
mod check;
mod encode;
mod export;
mod import;
mod keyring;
pub mod password_hash;
mod prove;
mod record;
mod replace;
mod restore;
mod seal;
mod turns;
mod update;

pub use check::{Checked, Finding};
pub use export::{Secrets, rfc_3339, write_record};
pub use import::{Import, ImportError, Notice, Report};
pub use keyring::{Keyring, KeyringError};
pub use prove::{Offered, Proof};
pub use record::{IssuerNames, Provisioned, Reading, RecordError, read_record};
pub use restore::RestoreReport;
pub use seal::SealError;
pub use update::{Accounts, OpenError, Outcome, UpdateError};
