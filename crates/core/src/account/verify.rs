//! Verification of a one-time password: the decision that einmal exists for.

use super::credential::Match;
use super::{Account, CodeState, Credential, IssuedCode, OtpType, OtpTypes, Wait};
use crate::Timestamp;
use crate::otp::Code;
use crate::policy::Policy;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verification {
    /// The code was good, and is spent on every credential it matches.
    Accepted,
    Refused(Refusal),
    /// The code was not looked at.
    Throttled(Wait),
}

/// A verification, and what beside it an operator should know of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    pub verification: Verification,
    /// Of what was accepted: the type that took the code, the first one if several did.
    pub accepted_as: Option<OtpType>,
    /// The attempt was wrong once too often.
    pub begins_wait: bool,
    /// Enrolled secrets for which it was the last guess.
    pub suspends: u64,
}

impl From<Verification> for Verdict {
    fn from(verification: Verification) -> Self {
        Self { verification, accepted_as: None, begins_wait: false, suspends: 0 }
    }
}

/// Why, for the operator's eyes only: on the wire all of them are one answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Counted.
    Wrong,
    /// A right code that is spent. Not counted, so that whoever captured one cannot lock its owner out.
    Replayed,
    /// Nothing of the wanted types can accept a code now, so nothing was guessed at. Not counted.
    NothingEnrolled,
}

impl Refusal {
    /// For the operator's log.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Wrong => "wrong",
            Self::Replayed => "used before",
            Self::NothingEnrolled => "nothing of these types enrolled",
        }
    }
}

impl Account {
    /// Whether `code` is good for one of the `wanted` types. Everything is compared before anything is decided,
    /// and in the same time whatever matches.
    pub fn verify(&mut self, code: &Code, wanted: OtpTypes, now: Timestamp, policy: &Policy) -> Verification {
        self.verify_telling(code, wanted, now, policy).verification
    }

    /// The same, and tells more of it.
    pub fn verify_telling(
        &mut self,
        code: &Code,
        wanted: OtpTypes,
        now: Timestamp,
        policy: &Policy,
    ) -> Verdict {
        if let Some(wait) = self.otp_throttle.wait(now, policy) {
            return Verification::Throttled(wait).into();
        }
        for (_, issued) in self.issued_codes_mut() {
            issued.bury_if_expired(now);
        }
        let tries = self.tries(code, wanted, now, policy);
        let seen = self.look(code, &tries, wanted);
        if seen.live {
            let accepted_as = self.accepts_as(code, &tries, wanted);
            self.spend(code, &tries, now);
            self.otp_throttle.clear();
            return Verdict { accepted_as, ..Verification::Accepted.into() };
        }
        if seen.spent {
            return Verification::Refused(Refusal::Replayed).into();
        }
        if !seen.enrolled {
            return Verification::Refused(Refusal::NothingEnrolled).into();
        }
        let suspends = self.count_failure(code, &tries, wanted, now, policy);
        // None was on, or nothing would have been looked at.
        let begins_wait = self.otp_throttle.waits_until.is_some_and(|until| now < until);
        Verdict { begins_wait, suspends, ..Verification::Refused(Refusal::Wrong).into() }
    }

    fn accepts_as(&self, code: &Code, tries: &[Try], wanted: OtpTypes) -> Option<OtpType> {
        let is_live = |one: &Try| one.counts && matches!(one.found, Match::Live(_));
        let credential = self.credentials().zip(tries).find(|(_, one)| is_live(one));
        let mut issued = self.issued_codes();
        credential.map(|((kind, _), _)| kind).or_else(|| {
            let takes =
                |kind, issued: &IssuedCode| wanted.contains(kind) && issued.is_live() && issued.equals(code);
            issued.find(|(kind, issued)| takes(*kind, issued)).map(|(kind, _)| kind)
        })
    }

    /// What becomes of the code at each TOTP credential, in their order.
    fn tries(&self, code: &Code, wanted: OtpTypes, now: Timestamp, policy: &Policy) -> Vec<Try> {
        let try_one = |(_, credential): (_, &Credential)| Try {
            found: credential.compare(code, now, policy),
            counts: self.wants(credential, wanted) && !credential.is_suspended(now, policy),
            is_wanted: self.wants(credential, wanted),
        };
        self.credentials().map(try_one).collect()
    }

    /// One secret may be enrolled as two types: a guess at it is a guess at both.
    pub(super) fn wants(&self, credential: &Credential, wanted: OtpTypes) -> bool {
        self.credentials().any(|(kind, twin)| wanted.contains(kind) && twin.totp == credential.totp)
    }

    /// What of the wanted types the code could be, and is.
    fn look(&self, code: &Code, tries: &[Try], wanted: OtpTypes) -> Seen {
        let mut seen = Seen::default();
        for one in tries {
            seen.enrolled |= one.counts;
            seen.live |= one.counts & matches!(one.found, Match::Live(_));
            seen.spent |= one.is_wanted && one.found == Match::Spent;
        }
        for (kind, issued) in self.issued_codes() {
            let equal = issued.equals(code);
            if wanted.contains(kind) {
                seen.enrolled |= issued.is_live();
                seen.live |= issued.is_live() & equal;
                seen.spent |= issued.state == CodeState::Spent && equal;
            }
        }
        seen
    }

    /// What is `wanted` learns of the success; the rest only forgets the code.
    pub(super) fn spend_everywhere(
        &mut self,
        code: &Code,
        wanted: OtpTypes,
        now: Timestamp,
        policy: &Policy,
    ) {
        let tries = self.tries(code, wanted, now, policy);
        self.spend(code, &tries, now);
    }

    /// Spends the code everywhere it matches, wanted or not.
    fn spend(&mut self, code: &Code, tries: &[Try], now: Timestamp) {
        for ((_, credential), one) in self.credentials_mut().zip(tries) {
            match one.found {
                Match::Live(step) if one.counts => credential.succeed(step, now),
                Match::Live(step) => credential.spend(step),
                Match::None | Match::Spent => {}
            }
        }
        for (_, issued) in self.issued_codes_mut() {
            if issued.is_live() && issued.equals(code) {
                issued.state = CodeState::Spent;
            }
        }
    }

    /// One failed request is one failure, whatever was tried; each candidate keeps its own budget besides. Tells how many
    /// used theirs up.
    fn count_failure(
        &mut self,
        code: &Code,
        tries: &[Try],
        wanted: OtpTypes,
        now: Timestamp,
        policy: &Policy,
    ) -> u64 {
        let mut suspended = 0;
        self.otp_throttle.fail(now, policy);
        for ((_, credential), one) in self.credentials_mut().zip(tries) {
            if one.counts && credential.takes(code) {
                credential.count_failure(now, policy);
                suspended += u64::from(credential.is_suspended(now, policy));
            }
        }
        for (kind, issued) in self.issued_codes_mut() {
            if wanted.contains(kind) && issued.takes(code) && issued.is_live() {
                issued.count_failure();
            }
        }
        suspended
    }

    /// Every TOTP credential with its type: devices, then authenticators.
    pub fn credentials(&self) -> impl Iterator<Item = (OtpType, &Credential)> {
        let devices = self.devices.iter().map(|credential| (OtpType::DeviceTotp, credential));
        devices.chain(self.authenticators.iter().map(|credential| (OtpType::Totp, credential)))
    }

    pub fn credentials_mut(&mut self) -> impl Iterator<Item = (OtpType, &mut Credential)> {
        let devices = self.devices.iter_mut().map(|credential| (OtpType::DeviceTotp, credential));
        devices.chain(self.authenticators.iter_mut().map(|credential| (OtpType::Totp, credential)))
    }

    pub(super) fn issued_codes(&self) -> impl Iterator<Item = (OtpType, &IssuedCode)> {
        let account = self.account_code.iter().map(|issued| (OtpType::Account, issued));
        account.chain(self.login_code.iter().map(|issued| (OtpType::Login, issued)))
    }

    pub(super) fn issued_codes_mut(&mut self) -> impl Iterator<Item = (OtpType, &mut IssuedCode)> {
        let account = self.account_code.iter_mut().map(|issued| (OtpType::Account, issued));
        account.chain(self.login_code.iter_mut().map(|issued| (OtpType::Login, issued)))
    }
}

/// One credential's part in an attempt.
struct Try {
    found: Match,
    is_wanted: bool,
    /// Wanted and not suspended: it can accept the code, and a wrong one is charged to it.
    counts: bool,
}

#[derive(Default)]
struct Seen {
    /// A wanted credential could accept a code.
    enrolled: bool,
    /// A wanted credential accepts this one.
    live: bool,
    /// A wanted credential has accepted this one before.
    spent: bool,
}
