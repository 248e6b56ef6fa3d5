//! What can happen, by the names and members that docs/EVENTS.md promises. They are for programs: what is there keeps its
//! name and its meaning.

use crate::metrics::{Guarded, VerificationOutcome};
use einmal_core::account::{HistoryKind, OtpType, OtpTypes};
use uuid::Uuid;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A code was good, and is spent: as the type that took it.
    Verified(Option<OtpType>),
    /// A code was not: offered for one of these types, and why.
    Refused(OtpTypes, VerificationOutcome),
    /// Nothing was looked at: of a code, with the types that were asked for.
    Throttled {
        of: Throttled,
        types: Option<OtpTypes>,
        wait_seconds: u64,
    },
    /// An attempt was wrong once too often.
    WaitBegun(Guarded),
    /// So many enrolled secrets took all their guesses.
    Suspended(u64),
    PinDead,
    /// A PIN or password was right.
    ProofAccepted(Guarded),
    ProofRefused(Guarded),
    /// What was accepted before is answered again.
    Repeated,
    /// A code did not confirm this one.
    AuthenticatorRefused(Uuid, AuthenticatorFault),
    /// It is in the account's history, too.
    Changed(HistoryKind, Option<Uuid>),
    AccountCreated,
    AccountDeleted,
    KeysChanged {
        key: u32,
        keys: usize,
    },
}

/// What came too early, or too often.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Throttled {
    Attempt(Guarded),
    Diagnosis,
}

impl Throttled {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Attempt(of) => of.name(),
            Self::Diagnosis => "diagnosis",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthenticatorFault {
    Wrong,
    NotACode,
}

impl AuthenticatorFault {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Wrong => "wrong",
            Self::NotACode => "not_a_code",
        }
    }
}

/// Each event once, but those that are named like what is in a history.
const OWN: [Event; 13] = [
    Event::Verified(None),
    Event::Refused(OtpTypes::ALL, VerificationOutcome::NotACode),
    Event::Throttled { of: Throttled::Diagnosis, types: None, wait_seconds: 0 },
    Event::WaitBegun(Guarded::Code),
    Event::Suspended(0),
    Event::PinDead,
    Event::ProofAccepted(Guarded::Pin),
    Event::ProofRefused(Guarded::Pin),
    Event::Repeated,
    Event::AuthenticatorRefused(Uuid::nil(), AuthenticatorFault::Wrong),
    Event::AccountCreated,
    Event::AccountDeleted,
    Event::KeysChanged { key: 0, keys: 0 },
];

/// Of all events.
pub fn names() -> impl Iterator<Item = &'static str> {
    OWN.into_iter().map(|event| event.name()).chain(HistoryKind::ALL.map(HistoryKind::name))
}

impl Event {
    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::Verified(_) => "verified",
            Self::Refused(..) => "refused",
            Self::Throttled { .. } => "throttled",
            Self::WaitBegun(_) => "wait_begun",
            Self::Suspended(_) => "suspended",
            Self::PinDead => "pin_dead",
            Self::ProofAccepted(_) => "proof_accepted",
            Self::ProofRefused(_) => "proof_refused",
            Self::Repeated => "repeated",
            Self::AuthenticatorRefused(..) => "authenticator_refused",
            Self::Changed(kind, _) => kind.name(),
            Self::AccountCreated => "account_created",
            Self::AccountDeleted => "account_deleted",
            Self::KeysChanged { .. } => "keys_changed",
        }
    }
}
