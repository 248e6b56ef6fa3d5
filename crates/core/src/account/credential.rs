//! One enrolled TOTP secret and how far it has come.

use crate::Timestamp;
use crate::otp::{Code, Totp, Window};
use crate::policy::{MAX_DRIFT_STEPS, Policy};
use uuid::Uuid;

#[derive(Clone)]
pub struct Credential {
    pub id: Uuid,
    pub label: Option<String>,
    pub created_at: Timestamp,
    pub totp: Totp,
    pub progress: Progress,
}

/// What attempts leave behind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// The last accepted step: this one and all before it are spent (RFC 6238 section 5.2).
    pub last_step: Option<u64>,
    /// Steps by which the holder's clock was off at the last success (RFC 6238 section 6).
    pub drift: i8,
    /// Guess budget used since the last success, in units of 10⁻⁸.
    pub guess_units: u64,
    /// Failed attempts since the last success.
    pub failures: u32,
    pub last_used_at: Option<Timestamp>,
}

/// How a code stands to one credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Match {
    None,
    /// Right, but of a step that is spent.
    Spent,
    /// Right and unspent.
    Live(u64),
}

impl Progress {
    /// What both together know: no step comes back, no budget is forgotten, and a learned drift beats none.
    #[must_use]
    pub(super) fn united_with(&self, other: &Self) -> Self {
        Self {
            last_step: self.last_step.max(other.last_step),
            drift: if self.drift == 0 { other.drift } else { self.drift },
            guess_units: self.guess_units.max(other.guess_units),
            failures: self.failures.max(other.failures),
            last_used_at: self.last_used_at.max(other.last_used_at),
        }
    }
}

impl Credential {
    pub(super) fn compare(&self, code: &Code, now: Timestamp, policy: &Policy) -> Match {
        if !self.takes(code) {
            return Match::None;
        }
        match self.totp.matching_step(code, self.window(now, policy)) {
            None => Match::None,
            Some(step) if self.progress.last_step.is_some_and(|last| step <= last) => Match::Spent,
            Some(step) => Match::Live(step),
        }
    }

    /// The step that an unspent code is of.
    pub(super) fn live_step(&self, code: &Code, now: Timestamp, policy: &Policy) -> Option<u64> {
        match self.compare(code, now, policy) {
            Match::Live(step) => Some(step),
            Match::None | Match::Spent => None,
        }
    }

    /// Only a code of as many digits is a guess at this secret.
    pub(super) fn takes(&self, code: &Code) -> bool {
        code.digits() == self.totp.digits()
    }

    fn window(&self, now: Timestamp, policy: &Policy) -> Window {
        Window::around(self.totp.step_at(now), policy.skew_steps, self.progress.drift)
    }

    /// What one failed attempt costs: `steps tried ÷ 10^digits`, in units of 10⁻⁸.
    fn guess_cost(&self, now: Timestamp, policy: &Policy) -> u64 {
        let unit = 10_u64.pow(u32::from(Code::MAX_DIGITS - self.totp.digits()));
        self.window(now, policy).steps() * unit
    }

    /// Whether one more attempt could exceed the budget: then nothing is accepted until the secret is enrolled
    /// again or the account unlocked, which keeps the odds of guessing it below the stated number.
    pub fn is_suspended(&self, now: Timestamp, policy: &Policy) -> bool {
        let progress = &self.progress;
        progress.failures >= policy.failures
            || progress.guess_units.saturating_add(self.guess_cost(now, policy)) > policy.guess_units()
    }

    pub(super) fn count_failure(&mut self, now: Timestamp, policy: &Policy) {
        let cost = self.guess_cost(now, policy);
        self.progress.guess_units = self.progress.guess_units.saturating_add(cost);
        self.progress.failures = self.progress.failures.saturating_add(1);
    }

    /// The holder proved to have the secret: the budget starts again, and the clock's drift is learned.
    pub(super) fn succeed(&mut self, step: u64, now: Timestamp) {
        let offset = i128::from(step) - i128::from(self.totp.step_at(now));
        let limit = i128::from(MAX_DRIFT_STEPS);
        self.spend(step);
        self.progress.drift = i8::try_from(offset.clamp(-limit, limit)).unwrap_or_default();
        self.progress.guess_units = 0;
        self.progress.failures = 0;
        self.progress.last_used_at = Some(now);
    }

    /// Steps only go forward.
    pub(super) fn spend(&mut self, step: u64) {
        self.progress.last_step = self.progress.last_step.max(Some(step));
    }
}
