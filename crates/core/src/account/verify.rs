//! Verification of a one-time password: the decision that einmal exists for.

use super::credential::Match;
use super::{Account, CodeState, Credential, IssuedCode, OtpType, OtpTypes, Wait};
use crate::Timestamp;
use crate::otp::{Code, Totp};
use crate::policy::Policy;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verification {
    /// The code was good, and is spent on every credential it matches.
    Accepted,
    Refused(Refusal),
    /// The code was not looked at.
    Throttled(Wait),
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

impl Account {
    /// Whether `code` is good for one of the `wanted` types. Everything is compared before anything is decided,
    /// and in the same time whatever matches.
    pub fn verify(&mut self, code: &Code, wanted: OtpTypes, now: Timestamp, policy: &Policy) -> Verification {
        if let Some(wait) = self.otp_throttle.wait(now, policy) {
            return Verification::Throttled(wait);
        }
        for (_, issued) in self.issued_codes_mut() {
            issued.bury_if_expired(now);
        }
        let compare = |(_, credential): (_, &Credential)| {
            credential.compare(code, self.last_step_of(&credential.totp), now, policy)
        };
        let matches: Vec<Match> = self.credentials().map(compare).collect();
        let seen = self.look(code, &matches, wanted, now, policy);
        if seen.live {
            self.spend(code, &matches, wanted, now, policy);
            self.otp_throttle.clear();
            return Verification::Accepted;
        }
        if seen.spent {
            return Verification::Refused(Refusal::Replayed);
        }
        if !seen.enrolled {
            return Verification::Refused(Refusal::NothingEnrolled);
        }
        self.count_failure(code, wanted, now, policy);
        Verification::Refused(Refusal::Wrong)
    }

    /// What of the wanted types the code could be, and is.
    fn look(
        &self,
        code: &Code,
        matches: &[Match],
        wanted: OtpTypes,
        now: Timestamp,
        policy: &Policy,
    ) -> Seen {
        let mut seen = Seen::default();
        for ((kind, credential), found) in self.credentials().zip(matches) {
            if wanted.contains(kind) {
                let usable = !credential.is_suspended(now, policy);
                seen.enrolled |= usable;
                seen.live |= usable & matches!(found, Match::Live(_));
                seen.spent |= *found == Match::Spent;
            }
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

    /// Spends the code everywhere it matches, wanted or not, and wherever else its secret is enrolled: with
    /// another drift the same step may not match there yet, and would a minute later.
    fn spend(&mut self, code: &Code, matches: &[Match], wanted: OtpTypes, now: Timestamp, policy: &Policy) {
        let best = |totp: &Totp, counts: &dyn Fn(OtpType, &Credential) -> bool| {
            let twins = self.credentials().zip(matches).filter(|((_, twin), _)| twin.totp == *totp);
            twins
                .filter(|((kind, twin), _)| counts(*kind, twin))
                .filter_map(|(_, found)| found.live_step())
                .max()
        };
        let accepts = |kind, twin: &Credential| wanted.contains(kind) && !twin.is_suspended(now, policy);
        let steps: Vec<_> = self
            .credentials()
            .map(|(_, credential)| (best(&credential.totp, &accepts), best(&credential.totp, &|_, _| true)))
            .collect();
        for ((_, credential), (accepted, matched)) in self.credentials_mut().zip(steps) {
            if let Some(step) = accepted
                && !credential.is_suspended(now, policy)
            {
                credential.succeed(step, now);
            }
            credential.spend(matched);
        }
        for (_, issued) in self.issued_codes_mut() {
            if issued.is_live() && issued.equals(code) {
                issued.state = CodeState::Spent;
            }
        }
    }

    /// One failed request is one failure, whatever was tried; each candidate keeps its own budget besides. A guess
    /// at a secret counts wherever that is enrolled, or each enrolment would add a budget to it.
    fn count_failure(&mut self, code: &Code, wanted: OtpTypes, now: Timestamp, policy: &Policy) {
        self.otp_throttle.fail(now, policy);
        let cost = |totp: &Totp| {
            let twins = self.credentials().filter(|(_, twin)| twin.totp == *totp);
            let tried = twins.filter(|(kind, twin)| {
                wanted.contains(*kind) && twin.takes(code) && !twin.is_suspended(now, policy)
            });
            tried.map(|(_, twin)| twin.guess_cost(now, policy)).max()
        };
        let costs: Vec<_> = self.credentials().map(|(_, credential)| cost(&credential.totp)).collect();
        for ((_, credential), cost) in self.credentials_mut().zip(costs) {
            if let Some(cost) = cost {
                credential.count_failure(cost);
            }
        }
        for (kind, issued) in self.issued_codes_mut() {
            if wanted.contains(kind) && issued.takes(code) && issued.is_live() {
                issued.count_failure();
            }
        }
    }

    /// The last accepted step of a secret, wherever it is enrolled.
    fn last_step_of(&self, totp: &Totp) -> Option<u64> {
        let twins = self.credentials().filter(|(_, twin)| twin.totp == *totp);
        twins.filter_map(|(_, twin)| twin.progress.last_step).max()
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

    fn issued_codes(&self) -> impl Iterator<Item = (OtpType, &IssuedCode)> {
        let account = self.account_code.iter().map(|issued| (OtpType::Account, issued));
        account.chain(self.login_code.iter().map(|issued| (OtpType::Login, issued)))
    }

    fn issued_codes_mut(&mut self) -> impl Iterator<Item = (OtpType, &mut IssuedCode)> {
        let account = self.account_code.iter_mut().map(|issued| (OtpType::Account, issued));
        account.chain(self.login_code.iter_mut().map(|issued| (OtpType::Login, issued)))
    }
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
