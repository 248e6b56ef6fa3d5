//! What was done to an account, as its owner and support may see it: the last few changes, each in the commit that made
//! it. Must hold nothing that is secret. Attempts are not in it: they write the guard alone, and there are many of them.

use crate::Timestamp;
use uuid::Uuid;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum HistoryKind {
    /// Under an id that was free.
    DeviceEnrolled,
    /// In the place of another secret.
    DeviceReplaced,
    DeviceDeleted,
    AuthenticatorBegun,
    AuthenticatorConfirmed,
    /// A pending one that took all its wrong codes.
    AuthenticatorDropped,
    AuthenticatorDeleted,
    PinSet,
    /// Against PIN or password.
    CodeCreated,
    CodeMailed,
    /// By support.
    CodeTold,
    Unlocked,
    /// By an operator's record.
    AccountReplaced,
    /// Somebody of support looked at what codes its secrets give.
    Diagnosed,
}

/// Something that was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HistoryEntry {
    /// One more than that of the one before, which may be gone.
    pub number: u32,
    pub kind: HistoryKind,
    pub at: Timestamp,
    /// The device or authenticator that it was done to.
    pub credential: Option<Uuid>,
}

/// The last entries, the latest at the end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct History(pub Vec<HistoryEntry>);

impl HistoryKind {
    pub const ALL: [Self; 14] = [
        Self::DeviceEnrolled,
        Self::DeviceReplaced,
        Self::DeviceDeleted,
        Self::AuthenticatorBegun,
        Self::AuthenticatorConfirmed,
        Self::AuthenticatorDropped,
        Self::AuthenticatorDeleted,
        Self::PinSet,
        Self::CodeCreated,
        Self::CodeMailed,
        Self::CodeTold,
        Self::Unlocked,
        Self::AccountReplaced,
        Self::Diagnosed,
    ];

    /// As it is written wherever somebody reads it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::DeviceEnrolled => "device_enrolled",
            Self::DeviceReplaced => "device_replaced",
            Self::DeviceDeleted => "device_deleted",
            Self::AuthenticatorBegun => "authenticator_begun",
            Self::AuthenticatorConfirmed => "authenticator_confirmed",
            Self::AuthenticatorDropped => "authenticator_dropped",
            Self::AuthenticatorDeleted => "authenticator_deleted",
            Self::PinSet => "pin_set",
            Self::CodeCreated => "code_created",
            Self::CodeMailed => "code_mailed",
            Self::CodeTold => "code_told",
            Self::Unlocked => "unlocked",
            Self::AccountReplaced => "account_replaced",
            Self::Diagnosed => "diagnosed",
        }
    }

    /// About codes, or what support does beside: it leaves everything as it is enrolled, and may happen often.
    const fn is_frequent(self) -> bool {
        matches!(
            self,
            Self::CodeCreated | Self::CodeMailed | Self::CodeTold | Self::Unlocked | Self::Diagnosed
        )
    }
}

impl History {
    /// Entries that are kept.
    pub const KEPT: usize = 20;
    /// Of these, those about codes and support. For a mail a token is enough, and support diagnoses and unlocks as often
    /// as it likes: nobody must be able to wash out by that what was enrolled or deleted, and who logs in by mail every
    /// day wants to see that, too.
    pub const FREQUENT_KEPT: usize = 10;

    pub fn add(&mut self, kind: HistoryKind, credential: Option<Uuid>, at: Timestamp) {
        let number = self.last_number().saturating_add(1);
        let frequent = self.0.iter().filter(|entry| entry.kind.is_frequent()).count();
        let goes = if kind.is_frequent() && frequent >= Self::FREQUENT_KEPT {
            self.0.iter().position(|entry| entry.kind.is_frequent())
        } else {
            (self.0.len() >= Self::KEPT).then_some(0)
        };
        if let Some(goes) = goes {
            self.0.remove(goes);
        }
        self.0.push(HistoryEntry { number, kind, at, credential });
    }

    /// Of the latest entry; 0 if there is none.
    pub fn last_number(&self) -> u32 {
        self.0.last().map_or(0, |entry| entry.number)
    }

    /// Those that were added after the one of this number.
    pub fn since(&self, number: u32) -> &[HistoryEntry] {
        let earlier = self.0.iter().take_while(|entry| entry.number <= number).count();
        self.0.get(earlier..).unwrap_or_default()
    }

    /// The latest first.
    pub fn latest_first(&self) -> impl Iterator<Item = &HistoryEntry> {
        self.0.iter().rev()
    }
}
