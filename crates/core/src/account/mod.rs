//! The account: everything that decides whether a code is good, as one value.

mod authenticators;
mod caps;
mod codes;
mod credential;
mod devices;
mod diagnose;
mod history;
mod id;
mod idempotency;
mod mail;
mod near_miss;
mod otp_types;
mod pin;
mod probe;
mod proof;
mod provision;
mod restore;
mod throttle;
mod unlock;
mod verify;

pub use authenticators::{AuthenticatorState, Confirmation, PendingAuthenticator};
pub use codes::{CodeState, IssuedCode};
pub use credential::{Credential, Progress};
pub use diagnose::{About, Diagnosis, Enrolled, Finding, Look, Reason};
pub use history::{History, HistoryEntry, HistoryKind};
pub use id::AccountId;
pub use idempotency::{AcceptedRequest, AcceptedRequests, Earlier, Keyed, KeyedRequest};
pub use mail::{MailOutcome, MailReservation, Mailing, ReservedMail, Sending};
pub use near_miss::NearMiss;
pub use otp_types::{OtpType, OtpTypes};
pub use pin::{PinFault, check_pin};
pub use proof::{ProofKind, Reservation, Reserved};
pub use restore::Restored;
pub use throttle::{Throttle, Wait};
pub use verify::{Refusal, Verdict, Verification};

use crate::Timestamp;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// One user's state. Its methods are the only code that changes it, and they neither wait, read a clock nor
/// draw randomness.
#[derive(Clone, Default)]
pub struct Account {
    /// A verified address.
    pub email: Option<String>,
    pub registered_at: Option<Timestamp>,
    pub pin: Option<StoredHash>,
    pub password: Option<StoredHash>,
    /// Secrets held by a mobile app or a car (`device-totp`).
    pub devices: Vec<Credential>,
    /// Secrets held by the user's authenticator apps (`totp`).
    pub authenticators: Vec<Credential>,
    /// Shown to the user, and not confirmed by a code yet.
    pub pending_authenticators: Vec<PendingAuthenticator>,
    /// The code created on demand against PIN or password (`account`).
    pub account_code: Option<IssuedCode>,
    /// The code that was mailed, or told by support (`login`).
    pub login_code: Option<IssuedCode>,
    pub mailing: Mailing,
    /// Failed one-time passwords, failed PINs and failed passwords count apart.
    pub otp_throttle: Throttle,
    pub pin_throttle: Throttle,
    pub password_throttle: Throttle,
    /// Requests that came with an idempotency key and were accepted: to verify a code, and to set or enrol something.
    pub accepted_verifications: AcceptedRequests,
    pub accepted_changes: AcceptedRequests,
    /// When support asked what was wrong with a code, within the last day, the latest at the end.
    pub diagnosed_at: Vec<Timestamp>,
    pub history: History,
}

/// A PIN's or password's hash in PHC or modular-crypt form. Core keeps it; hashing is slow work, done elsewhere.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct StoredHash(String);

impl StoredHash {
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}
