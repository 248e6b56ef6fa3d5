//! Tells what comes of one request: whose account it is about, and who asks. Where events are off it is nothing.

use super::event::{AuthenticatorFault, Event, Throttled};
use super::writer::{Pending, Queue};
use crate::clock;
use crate::metrics::{Attempts, Guarded, VerificationOutcome};
use einmal_core::account::{AccountId, HistoryEntry, OtpTypes, ProofKind, Verdict, Verification, Wait};
use std::sync::Arc;
use uuid::Uuid;

/// By which request something happens.
pub struct Origin {
    pub account: AccountId,
    pub by: By,
    pub request_id: Box<str>,
}

/// Whose token the request had.
pub enum By {
    /// The account's own: by this client.
    Owner {
        client: Option<Box<str>>,
    },
    Administrator {
        client: Option<Box<str>>,
        subject: Box<str>,
    },
}

/// Goes along with a request, to wherever it is known what came of it.
#[derive(Clone, Default)]
pub struct Reporter(Option<(Arc<Queue>, Arc<Origin>)>);

impl Reporter {
    pub(super) fn new(queue: Option<&Arc<Queue>>, origin: impl FnOnce() -> Origin) -> Self {
        Self(queue.map(|queue| (Arc::clone(queue), Arc::new(origin()))))
    }

    pub fn is_on(&self) -> bool {
        self.0.is_some()
    }

    pub fn tell(&self, event: Event) {
        if let Some((queue, origin)) = &self.0 {
            let origin = Some(Arc::clone(origin));
            queue.put(Pending { nanos: clock::unix_nanos(), event, origin });
        }
    }

    /// Counts and tells what became of a code that was offered for one of the `asked` types; `None` if there is no
    /// account.
    pub fn decided(&self, attempts: &Attempts, asked: OtpTypes, verdict: Option<&Verdict>) {
        attempts.decided(asked, verdict);
        if !self.is_on() {
            return;
        }
        let Some(verdict) = verdict else {
            return self.tell(Event::Refused(asked, VerificationOutcome::UnknownAccount));
        };
        self.tell(match verdict.verification {
            Verification::Accepted => Event::Verified(verdict.accepted_as),
            Verification::Refused(refusal) => Event::Refused(asked, refusal.into()),
            Verification::Throttled(wait) => {
                let of = Throttled::Attempt(Guarded::Code);
                Event::Throttled { of, types: Some(asked), wait_seconds: wait.seconds }
            }
        });
        if verdict.begins_wait {
            self.tell(Event::WaitBegun(Guarded::Code));
        }
        if verdict.suspends > 0 {
            self.tell(Event::Suspended(verdict.suspends));
        }
    }

    /// Counts and tells of what cannot be anybody's code.
    pub fn not_a_code(&self, attempts: &Attempts, asked: OtpTypes) {
        attempts.verified(asked, VerificationOutcome::NotACode);
        self.tell(Event::Refused(asked, VerificationOutcome::NotACode));
    }

    pub fn proof_throttled(&self, kind: ProofKind, wait: Wait) {
        let of = Throttled::Attempt(kind.into());
        self.tell(Event::Throttled { of, types: None, wait_seconds: wait.seconds });
    }

    pub fn diagnosis_throttled(&self, wait: Wait) {
        let of = Throttled::Diagnosis;
        self.tell(Event::Throttled { of, types: None, wait_seconds: wait.seconds });
    }

    pub fn authenticator_refused(&self, id: Uuid, fault: AuthenticatorFault) {
        self.tell(Event::AuthenticatorRefused(id, fault));
    }

    /// What was added to the account's history.
    pub fn changed(&self, entries: &[HistoryEntry]) {
        for entry in entries {
            self.tell(Event::Changed(entry.kind, entry.credential));
        }
    }
}
