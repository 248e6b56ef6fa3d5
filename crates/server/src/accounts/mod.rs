//! Accounts as values over a store that only sees sealed parts: encode, seal, update. Nothing below `api` and
//! `cli` may read or write an account in another way.

mod access;
mod administer;
mod change_pin;
mod check;
mod copy;
mod description;
mod detached;
mod diagnosis;
mod encode;
mod enrol_first;
mod envelope;
mod export;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
mod import;
mod key_use;
mod keyring;
mod mail_code;
mod moving;
mod outcome;
pub mod password_hash;
mod prove;
mod put;
mod record;
mod reseal;
mod restore;
mod rows;
mod seal;
mod turns;
mod update;

pub use access::{Accounts, OpenError};
pub use change_pin::{NewPin, PinChange};
pub use check::{Checked, Finding};
pub use copy::{Copy, CopyError, CopyNotice, CopyReport, Side, reopen_without_target};
pub use description::{
    CodeDescription, CredentialDescription, Description, FailureCount, Failures, HashState,
    HistoryDescription, PendingDescription,
};
pub use diagnosis::{DiagnosisDescription, UseDescription};
pub use export::{Secrets, rfc_3339, write_record};
pub use import::{Import, ImportError, Lines, Notice, Report, Source, Target};
pub use key_use::{KeyUse, RowCount};
pub use keyring::{
    Keyring, KeyringChangeError, KeyringError, KeyringFile, LiveKeyring, Promotion, RetiredKey, Role,
};
pub use mail_code::{Mailed, Unsent};
pub use moving::{Choices, Format, Kind, SubjectSource, Translation, Unreadable, translate};
pub use outcome::Outcome;
pub use prove::{Deed, Judged, Judging, Offered, Password, Proof};
pub use put::Put;
pub use record::{IssuerNames, Provisioned, Reading, RecordError, is_subject, read_record, read_record_of};
pub use reseal::{ResealNotice, ResealReport};
pub use restore::RestoreReport;
pub use seal::SealError;
pub use update::UpdateError;
