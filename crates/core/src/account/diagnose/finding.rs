//! What a diagnosis is made of. No code and no secret is in it.

use crate::Timestamp;
use crate::account::{Credential, OtpType, Wait};
use crate::otp::Parameters;
use uuid::Uuid;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// `None` if it is about the whole account, or the code alone.
    pub about: Option<About>,
    pub reason: Reason,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum About {
    /// An enrolled secret, or one that waits for its first code.
    Credential { kind: OtpType, id: Uuid, label: Option<String> },
    /// A code that the server made.
    Issued(OtpType),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Unused, of a type that was asked for, and in its time.
    Right,
    /// Nothing is looked at for so long.
    Waiting(Wait),
    /// This very code; `at` is unknown where it was spent by something else. Of a secret's codes the next one is shown in
    /// so many seconds.
    Used {
        at: Option<Timestamp>,
        next_in_seconds: Option<u64>,
    },
    /// A later code of the secret is spent, and all before it with that one.
    OlderThanUsed {
        used_at: Option<Timestamp>,
        next_in_seconds: u64,
    },
    /// The secret took all its guesses.
    Suspended,
    /// What it is right for is not among the wanted types.
    TypeNotAskedFor,
    /// The app was shown its secret and no code of it has come yet.
    NotConfirmed {
        expires_at: Timestamp,
    },
    Expired {
        at: Timestamp,
    },
    /// Given up before its time.
    Dead,
    /// Right at another time: the clock that showed it is ahead by so much, or behind if it is less than 0.
    Clock {
        seconds: i64,
    },
    /// The app uses the secret in another way than is stored.
    OtherParameters {
        stored: Parameters,
        app: Parameters,
    },
    /// Right for nothing that there is. `has_this_length`: something there takes codes of as many digits.
    NoMatch {
        enrolled: Enrolled,
        has_this_length: bool,
    },
    /// There is nothing that has codes.
    NothingEnrolled,
    /// Not 6 to 8 digits.
    NotACode,
}

/// How many there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Enrolled {
    pub devices: usize,
    pub authenticators: usize,
    pub pending: usize,
    /// In whatever state.
    pub account_codes: usize,
    pub login_codes: usize,
}

impl About {
    pub(super) fn of(kind: OtpType, credential: &Credential) -> Self {
        Self::Credential { kind, id: credential.id, label: credential.label.clone() }
    }

    pub(super) fn with(self, reasons: Vec<Reason>) -> impl Iterator<Item = Finding> {
        reasons.into_iter().map(move |reason| Finding { about: Some(self.clone()), reason })
    }
}

impl Reason {
    /// What stands in the way of everything comes first, then what is certain, then what may be chance.
    pub(super) const fn rank(&self) -> u8 {
        match self {
            Self::Waiting(_) => 0,
            Self::Right => 1,
            Self::Used { .. } => 2,
            Self::Suspended => 3,
            Self::TypeNotAskedFor => 4,
            Self::NotConfirmed { .. } => 5,
            Self::Expired { .. } => 6,
            Self::Dead => 7,
            Self::OlderThanUsed { .. } => 8,
            Self::OtherParameters { .. } => 9,
            Self::Clock { .. } => 10,
            Self::NoMatch { .. } | Self::NothingEnrolled | Self::NotACode => 11,
        }
    }

    /// For programs: a name never changes its meaning.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Right => "right",
            Self::Waiting(_) => "waiting",
            Self::Used { .. } => "used",
            Self::OlderThanUsed { .. } => "older-than-used",
            Self::Suspended => "suspended",
            Self::TypeNotAskedFor => "type-not-asked-for",
            Self::NotConfirmed { .. } => "not-confirmed",
            Self::Expired { .. } => "expired",
            Self::Dead => "dead",
            Self::Clock { seconds: ..0 } => "clock-slow",
            Self::Clock { .. } => "clock-fast",
            Self::OtherParameters { .. } => "other-parameters",
            Self::NoMatch { .. } => "no-match",
            Self::NothingEnrolled => "nothing-enrolled",
            Self::NotACode => "not-a-code",
        }
    }
}
