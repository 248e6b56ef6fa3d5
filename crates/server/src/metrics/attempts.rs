//! What became of attempts. It tells an attack from a bad day, and never whose account is attacked.

use super::labels::{Labels, labelled};
use einmal_core::account::{OtpType, OtpTypes, ProofKind, Refusal, Verdict, Verification};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;
use std::sync::OnceLock;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VerificationOutcome {
    Accepted,
    Wrong,
    Replayed,
    NothingEnrolled,
    UnknownAccount,
    NotACode,
    Throttled,
    /// Accepted before, and answered again.
    Repeated,
}

impl VerificationOutcome {
    const COUNT: usize = 8;

    pub const fn name(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Wrong => "wrong",
            Self::Replayed => "replayed",
            Self::NothingEnrolled => "nothing_enrolled",
            Self::UnknownAccount => "unknown_account",
            Self::NotACode => "not_a_code",
            Self::Throttled => "throttled",
            Self::Repeated => "repeated",
        }
    }
}

impl From<Refusal> for VerificationOutcome {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Wrong => Self::Wrong,
            Refusal::Replayed => Self::Replayed,
            Refusal::NothingEnrolled => Self::NothingEnrolled,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CodeOutcome {
    /// Against password or PIN.
    Created,
    /// By support, over the admin operations.
    Told,
    Wrong,
    Throttled,
}

/// What became of an authenticator app on its way to be live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EnrolmentOutcome {
    Begun,
    Confirmed,
    /// Confirmed, with how the app uses its secret stored in the place of what it was told.
    Adjusted,
    /// A code that did not confirm it.
    Wrong,
}

/// What waits protect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guarded {
    Code,
    Password,
    Pin,
}

impl From<ProofKind> for Guarded {
    fn from(kind: ProofKind) -> Self {
        match kind {
            ProofKind::Password | ProofKind::PasswordAtIssuer => Self::Password,
            ProofKind::Pin => Self::Pin,
        }
    }
}

const SETS: usize = 1 << OtpType::ALL.len();

pub struct Attempts {
    verifications: Family<Labels, Counter>,
    /// By set of types and outcome; made when they are first needed, as most of them never are.
    resolved: [[OnceLock<Counter>; VerificationOutcome::COUNT]; SETS],
    codes: [Counter; 4],
    enrolments: [Counter; 4],
    throttled: [Counter; 3],
    waits: [Counter; 3],
    suspended_secrets: Counter,
    dead_pins: Counter,
}

impl Attempts {
    pub(super) fn register(r: &mut Registry) -> Self {
        let verifications =
            labelled::<Counter>(r, "verifications", "Codes that were offered, by what came of them");
        let codes = labelled::<Counter>(r, "codes_created", "Codes that were asked for, by what came of it");
        let enrolments =
            labelled::<Counter>(r, "authenticators", "Authenticator apps on their way to be live");
        let throttled =
            labelled::<Counter>(r, "throttled", "Attempts that came within a wait and were not looked at");
        let waits = labelled::<Counter>(r, "waits_begun", "Waits that wrong attempts have brought on");
        let suspensions = labelled::<Counter>(r, "suspensions", "Secrets that took all of their guesses");
        let one = |family: &Family<Labels, Counter>, name, value: &str| {
            family.get_or_create_owned(&vec![(name, value.to_owned())])
        };
        let all = [Guarded::Code, Guarded::Password, Guarded::Pin];
        let guarded = |family| all.map(|of| one(family, "of", of.name()));
        let attempts = Self {
            resolved: std::array::from_fn(|_| std::array::from_fn(|_| OnceLock::new())),
            codes: ["created", "told", "wrong", "throttled"].map(|outcome| one(&codes, "outcome", outcome)),
            enrolments: ["begun", "confirmed", "adjusted", "wrong"]
                .map(|outcome| one(&enrolments, "outcome", outcome)),
            throttled: guarded(&throttled),
            waits: guarded(&waits),
            suspended_secrets: one(&suspensions, "of", "totp"),
            dead_pins: one(&suspensions, "of", "pin"),
            verifications,
        };
        // A series that begins with its first success would show no rate for it.
        for kind in OtpType::ALL {
            attempts.verification(OtpTypes::NONE.with(kind), VerificationOutcome::Accepted);
        }
        attempts.verification(OtpTypes::DEFAULT, VerificationOutcome::Wrong);
        attempts
    }

    /// A code that was offered for one of the `asked` types; `None` if there is no account.
    pub fn decided(&self, asked: OtpTypes, verdict: Option<&Verdict>) {
        let outcome = match verdict.map(|verdict| verdict.verification) {
            Some(Verification::Accepted) => VerificationOutcome::Accepted,
            Some(Verification::Refused(refusal)) => refusal.into(),
            Some(Verification::Throttled(_)) => VerificationOutcome::Throttled,
            None => VerificationOutcome::UnknownAccount,
        };
        let accepted_as = verdict.and_then(|verdict| verdict.accepted_as);
        self.verified(accepted_as.map_or(asked, |kind| OtpTypes::NONE.with(kind)), outcome);
        if let Some(verdict) = verdict {
            self.suspended_secrets.inc_by(verdict.suspends);
            if verdict.begins_wait {
                self.wait_begun(Guarded::Code);
            }
        }
    }

    /// `types`: the one that took the code, or else those that were asked for.
    pub fn verified(&self, types: OtpTypes, outcome: VerificationOutcome) {
        if let Some(counter) = self.verification(types, outcome) {
            counter.inc();
        }
        if outcome == VerificationOutcome::Throttled {
            self.throttled(Guarded::Code);
        }
    }

    fn verification(&self, types: OtpTypes, outcome: VerificationOutcome) -> Option<&Counter> {
        let set = types.iter();
        let index = set.clone().map(|kind| 1 << kind as usize).sum::<usize>();
        let counter = self.resolved.get(index)?.get(outcome as usize)?;
        Some(counter.get_or_init(|| {
            let types = set.map(OtpType::name).collect::<Vec<_>>().join("+");
            let labels = vec![("type", types), ("outcome", outcome.name().to_owned())];
            self.verifications.get_or_create_owned(&labels)
        }))
    }

    pub fn code(&self, outcome: CodeOutcome) {
        let [created, told, wrong, throttled] = &self.codes;
        match outcome {
            CodeOutcome::Created => created,
            CodeOutcome::Told => told,
            CodeOutcome::Wrong => wrong,
            CodeOutcome::Throttled => throttled,
        }
        .inc();
    }

    pub fn enrolment(&self, outcome: EnrolmentOutcome) {
        let [begun, confirmed, adjusted, wrong] = &self.enrolments;
        match outcome {
            EnrolmentOutcome::Begun => begun,
            EnrolmentOutcome::Confirmed => confirmed,
            EnrolmentOutcome::Adjusted => adjusted,
            EnrolmentOutcome::Wrong => wrong,
        }
        .inc();
    }

    pub fn throttled(&self, of: Guarded) {
        of.pick(&self.throttled).inc();
    }

    pub fn wait_begun(&self, of: Guarded) {
        of.pick(&self.waits).inc();
    }

    pub fn pin_died(&self) {
        self.dead_pins.inc();
    }
}

impl Guarded {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Code => "code",
            Self::Password => "password",
            Self::Pin => "pin",
        }
    }

    fn pick(self, [code, password, pin]: &[Counter; 3]) -> &Counter {
        match self {
            Self::Code => code,
            Self::Password => password,
            Self::Pin => pin,
        }
    }
}
