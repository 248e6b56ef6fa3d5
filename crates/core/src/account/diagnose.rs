//! Why a code that a user reads out would be refused, for whoever helps them. It neither consumes nor counts: the one thing
//! it changes is how often it was asked. That is bounded, for whoever may ask may try codes.

mod finding;

pub use finding::{About, Enrolled, Finding, Reason};

use super::caps::{self, DAY, TEN_MINUTES};
use super::credential::Match;
use super::{Account, CodeState, Credential, HistoryKind, IssuedCode, OtpType, OtpTypes, Verification, Wait};
use crate::Timestamp;
use crate::otp::Code;
use crate::policy::{MAX_DRIFT_STEPS, Policy};

/// What can be told about a code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnosis {
    /// Whether it would be accepted now.
    pub is_good: bool,
    /// What helps most comes first. Never empty.
    pub findings: Vec<Finding>,
}

/// A look at an account, which was counted. To be taken when that is durable and nobody waits for it: it computes a
/// hundred codes and more of each secret.
pub struct Look(Account);

impl Account {
    /// The only way to a diagnosis, or how long to wait for one, as it was asked too often. Nothing may be told of it before
    /// the change is durable.
    pub fn count_look(&mut self, now: Timestamp) -> Result<Look, Wait> {
        caps::forget(&mut self.diagnosed_at, now);
        let wait = |most, period| caps::wait(&self.diagnosed_at, now, most, period);
        let wait =
            wait(Policy::DIAGNOSES_IN_TEN_MINUTES, TEN_MINUTES).max(wait(Policy::DIAGNOSES_A_DAY, DAY));
        if let Some(wait) = wait {
            return Err(wait);
        }
        caps::add(&mut self.diagnosed_at, now);
        self.history.add(HistoryKind::Diagnosed, None, now);
        Ok(Look(self.clone()))
    }
}

impl Diagnosis {
    /// Of what is no code, for which no account is looked at.
    pub fn of_no_code() -> Self {
        Self { is_good: false, findings: vec![Finding { about: None, reason: Reason::NotACode }] }
    }
}

impl Look {
    /// What would become of `code`, offered for one of the `wanted` types.
    pub fn at(&self, code: &Code, wanted: OtpTypes, now: Timestamp, policy: &Policy) -> Diagnosis {
        self.0.diagnosis(code, wanted, now, policy)
    }
}

impl Account {
    fn diagnosis(&self, code: &Code, wanted: OtpTypes, now: Timestamp, policy: &Policy) -> Diagnosis {
        // What verification says is what is told, whatever the findings are.
        let is_good = self.clone().verify(code, wanted, now, policy) == Verification::Accepted;
        let mut findings = Vec::new();
        for (kind, credential) in self.credentials() {
            let about = About::of(kind, credential);
            let mut reasons = reasons_of(credential, code, now, policy);
            if !reasons.is_empty() {
                if credential.is_suspended(now, policy) {
                    reasons.push(Reason::Suspended);
                }
                if !self.wants(credential, wanted) {
                    reasons.push(Reason::TypeNotAskedFor);
                }
                // Right is what nothing stands in the way of.
                if reasons.len() > 1 {
                    reasons.retain(|reason| *reason != Reason::Right);
                }
            }
            findings.extend(about.with(reasons));
        }
        for pending in self.pending_authenticators(now) {
            let mut reasons = reasons_of(&pending.credential, code, now, policy);
            if !reasons.is_empty() {
                // Its way of using the secret is taken as it is, once the clock is right.
                let is_taken = |reason: &Reason| match reason {
                    Reason::Right => true,
                    Reason::OtherParameters { .. } => policy.accept_other_parameters,
                    _ => false,
                };
                reasons.retain(|reason| !is_taken(reason));
                reasons.push(Reason::NotConfirmed { expires_at: pending.expires_at() });
            }
            findings.extend(About::of(OtpType::Totp, &pending.credential).with(reasons));
        }
        for (kind, issued) in self.issued_codes().filter(|(_, issued)| issued.equals(code)) {
            let reason = reason_of_issued(kind, issued, wanted, now);
            findings.push(Finding { about: Some(About::Issued(kind)), reason });
        }
        if findings.is_empty() {
            findings.push(Finding { about: None, reason: self.what_is_enrolled(code, now) });
        }
        // To ask for a wait corrects it, and this is only a look.
        if let Some(wait) = self.otp_throttle.clone().wait(now, policy) {
            findings.push(Finding { about: None, reason: Reason::Waiting(wait) });
        }
        findings.sort_by_key(|finding| finding.reason.rank());
        Diagnosis { is_good, findings }
    }

    fn what_is_enrolled(&self, code: &Code, now: Timestamp) -> Reason {
        let pending = self.pending_authenticators(now).map(|pending| &pending.credential);
        let mut secrets = self.credentials().map(|(_, credential)| credential).chain(pending);
        let has_this_length =
            secrets.any(|one| one.takes(code)) || self.issued_codes().any(|(_, one)| one.takes(code));
        let enrolled = Enrolled {
            devices: self.devices.len(),
            authenticators: self.authenticators.len(),
            pending: self.pending_authenticators(now).count(),
            account_codes: self.account_code.iter().count(),
            login_codes: self.login_code.iter().count(),
        };
        if enrolled == Enrolled::default() {
            Reason::NothingEnrolled
        } else {
            Reason::NoMatch { enrolled, has_this_length }
        }
    }
}

/// How the code stands to one secret. Empty if it has nothing to do with it.
fn reasons_of(credential: &Credential, code: &Code, now: Timestamp, policy: &Policy) -> Vec<Reason> {
    let found = credential.use_of(code, now);
    let Some(found) = found else { return Vec::new() };
    if let Match::Live(_) = credential.compare(code, now, policy) {
        return vec![Reason::Right];
    }
    let near = credential.near_miss(&found, policy);
    if let Some(app) = near.parameters {
        let clock = (near.clock_seconds != 0).then_some(Reason::Clock { seconds: near.clock_seconds });
        let stored = credential.totp.parameters();
        return std::iter::once(Reason::OtherParameters { stored, app }).chain(clock).collect();
    }
    if credential.progress.last_step.is_some_and(|last| found.step <= last) {
        return vec![spent(credential, found.step, now, policy)];
    }
    vec![Reason::Clock { seconds: near.clock_seconds }]
}

fn spent(credential: &Credential, step: u64, now: Timestamp, policy: &Policy) -> Reason {
    let (totp, progress) = (&credential.totp, &credential.progress);
    let last = progress.last_step.unwrap_or(step);
    // A step is also spent by a code of another type, an import or a restored backup, which are no use of this secret.
    let reach = u64::from(policy.skew_steps) + u64::from(MAX_DRIFT_STEPS.unsigned_abs());
    let used_at = progress.last_used_at.filter(|at| totp.step_at(*at).abs_diff(last) <= reach);
    // By the phone's clock, not by ours: it shows a step as many steps early as it is ahead.
    let shown_in = last.saturating_add(1).saturating_add_signed(-i64::from(progress.drift));
    let next = Timestamp::from_seconds(shown_in.saturating_mul(totp.period().into()));
    let next_in_seconds = next.seconds_since(now);
    if step == last {
        Reason::Used { at: used_at, next_in_seconds: Some(next_in_seconds) }
    } else {
        Reason::OlderThanUsed { used_at, next_in_seconds }
    }
}

fn reason_of_issued(kind: OtpType, issued: &IssuedCode, wanted: OtpTypes, now: Timestamp) -> Reason {
    match issued.state {
        CodeState::Spent => Reason::Used { at: None, next_in_seconds: None },
        _ if issued.expires_at <= now => Reason::Expired { at: issued.expires_at },
        CodeState::Dead => Reason::Dead,
        CodeState::Live if wanted.contains(kind) => Reason::Right,
        CodeState::Live => Reason::TypeNotAskedFor,
    }
}
