//! Codes that the server made: created on demand (`account`) or mailed (`login`).

use super::{Account, HistoryKind};
use crate::Timestamp;
use crate::otp::Code;
use crate::policy::Policy;
use subtle::ConstantTimeEq;

#[derive(Clone)]
pub struct IssuedCode {
    pub code: Code,
    /// The code is good before this moment, and not at it.
    pub expires_at: Timestamp,
    pub state: CodeState,
    /// Failed attempts for which this code was a candidate.
    pub failures: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CodeState {
    Live,
    Spent,
    /// Expired, or guessed at too often. For good: a clock that goes back does not revive it.
    Dead,
}

impl Account {
    /// Puts a new `account` code in the place of an earlier one. Returns when it expires.
    pub fn issue_account_code(&mut self, code: Code, now: Timestamp, policy: &Policy) -> Timestamp {
        let expires_at = now.plus_seconds(policy.account_code_ttl_seconds);
        self.account_code = Some(IssuedCode::new(code, expires_at));
        self.history.add(HistoryKind::CodeCreated, None, now);
        expires_at
    }

    /// Puts a new `login` code, which support tells, in the place of an earlier one. Returns when it expires. A wait stays on: whoever
    /// guesses must not be let on by making support issue a code.
    pub fn issue_login_code(&mut self, code: Code, now: Timestamp, policy: &Policy) -> Timestamp {
        let expires_at = now.plus_seconds(policy.login_code_ttl_seconds);
        self.login_code = Some(IssuedCode::new(code, expires_at));
        self.history.add(HistoryKind::CodeTold, None, now);
        expires_at
    }
}

impl IssuedCode {
    pub fn new(code: Code, expires_at: Timestamp) -> Self {
        Self { code, expires_at, state: CodeState::Live, failures: 0 }
    }

    pub(super) fn is_live(&self) -> bool {
        self.state == CodeState::Live
    }

    /// Only a code of as many digits is a guess at this one.
    pub(super) fn takes(&self, code: &Code) -> bool {
        code.digits() == self.code.digits()
    }

    pub(super) fn equals(&self, code: &Code) -> bool {
        self.code.ct_eq(code).into()
    }

    pub(super) fn bury_if_expired(&mut self, now: Timestamp) {
        if self.expires_at <= now {
            self.bury();
        }
    }

    pub(super) fn bury(&mut self) {
        self.state = CodeState::Dead;
    }

    pub(super) fn count_failure(&mut self) {
        self.failures = self.failures.saturating_add(1);
        if self.failures >= Policy::CODE_FAILURES {
            self.bury();
        }
    }
}
