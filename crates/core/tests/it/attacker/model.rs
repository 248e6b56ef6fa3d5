//! Thirty days in the life of an account whose token somebody else has, played on the rules themselves. What is counted is
//! exact: a guess that is looked at hits with as many codes as would be accepted at that moment, of all that there are.
//! Must never work out by itself what is accepted: it asks the rules, on a copy of the account.

use crate::build::{NOON, code_of};
use einmal_core::Timestamp;
use einmal_core::account::{Account, IssuedCode, OtpType, OtpTypes, Refusal, Verification};
use einmal_core::otp::Code;
use einmal_core::policy::Policy;
use std::collections::BTreeSet;

pub(super) const DAY: u64 = 86_400;
pub(super) const DAYS: u64 = 30;

/// What the attacker does with the token.
#[derive(Clone, Copy, Debug)]
pub(super) enum Attacker {
    /// Guesses whenever a guess is looked at, at everything.
    Greedy,
    /// Guesses only as often as costs no wait, after each success of the owner, who notices nothing.
    Quiet,
    /// Greedy, at one type after the other.
    OneTypeAtATime,
    /// Greedy, with so many tokens that ask at once.
    Crowd(usize),
    /// Greedy, at three replicas whose clocks are so many seconds behind, right and ahead.
    Replicas(u64),
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Owner {
    pub(super) sign_ins_a_day: u64,
    /// With each credential in turn, or always with the first.
    pub(super) in_turn: bool,
    /// How many steps the owner's clocks are off.
    pub(super) drift: i64,
}

impl Owner {
    pub(super) const AWAY: Self = Self { sign_ins_a_day: 0, in_turn: false, drift: 0 };
}

/// What it came to.
#[derive(Debug, Default)]
pub(super) struct Measured {
    /// Guesses that were looked at.
    pub(super) guesses: u64,
    /// That one of them was right at all.
    pub(super) at_any: f64,
    /// The greatest chance at one secret between two successes of its owner.
    pub(super) at_one_secret: f64,
    /// The greatest chance at mailed codes within a day.
    pub(super) at_mailed_codes_a_day: f64,
    /// Times that the owner signed in.
    pub(super) sign_ins: u64,
}

/// The most that anybody's chance at one secret of six digits between two successes of its owner may be: what the budget
/// leaves, or the failures at the widest window, whichever is less.
pub(super) fn promised(policy: &Policy) -> f64 {
    let widest_window = 2 * u64::from(policy.skew_steps) + 1 + 2;
    let by_failures = u64::from(policy.failures) * widest_window * 100;
    chance(policy.guess_units().min(by_failures))
}

/// At mailed codes in a day: five wrong ones kill a code, and there are no more than so many.
pub(super) fn promised_of_mailed_codes() -> f64 {
    chance(Policy::MAILS_A_DAY as u64 * u64::from(Policy::CODE_FAILURES) * 100)
}

/// Of units of 10⁻⁸.
fn chance(units: u64) -> f64 {
    f64::from(u32::try_from(units).unwrap()) * 1e-8
}

pub(super) struct World {
    pub(super) account: Account,
    pub(super) policy: Policy,
    pub(super) owner: Owner,
    pub(super) attacker: Attacker,
    /// A mail is asked for whenever there is no living code and one may be sent.
    pub(super) mails: bool,
    pub(super) now: Timestamp,
    measured: Measured,
    /// That no guess so far was right.
    missed: f64,
    /// Since the last success, by the place of the secret.
    at_secrets: Vec<f64>,
    at_mailed_codes: f64,
    mailed: Vec<Timestamp>,
    next_type: usize,
    /// Credentials with which the owner was refused at this sign-in.
    refused: usize,
    /// What was asked last about each secret, with the answer.
    known: Vec<Option<(Asked, BTreeSet<String>)>>,
}

/// All that the rules' answer depends on.
#[derive(PartialEq)]
struct Asked {
    step: u64,
    last_step: Option<u64>,
    drift: i8,
    is_suspended: bool,
    types: OtpTypes,
}

impl World {
    pub(super) fn new(account: Account, policy: Policy, owner: Owner, attacker: Attacker) -> Self {
        let secrets = account.credentials().count();
        Self {
            account,
            policy,
            owner,
            attacker,
            mails: false,
            now: NOON,
            measured: Measured::default(),
            missed: 1.0,
            at_secrets: vec![0.0; secrets],
            at_mailed_codes: 0.0,
            mailed: Vec::new(),
            next_type: 0,
            refused: 0,
            known: (0..secrets).map(|_| None).collect(),
        }
    }

    /// Plays it. `guess` says what is sent, given what is right or was; it must not be right if chances are to be counted.
    pub(super) fn play(mut self, mut guess: impl FnMut(&World, Timestamp) -> Code) -> Option<Measured> {
        let end = NOON.plus_seconds(DAYS * DAY);
        let mut attacks_at = NOON;
        let mut signs_in_at = self.next_sign_in();
        let mut day_ends = NOON.plus_seconds(DAY);
        loop {
            // The owner goes first, which is what gives most guesses back.
            self.now = signs_in_at.map_or(attacks_at, |at| at.min(attacks_at));
            if self.now >= end {
                break;
            }
            if self.now >= day_ends {
                self.at_mailed_codes = 0.0;
                day_ends = day_ends.plus_seconds(DAY);
            }
            if signs_in_at == Some(self.now) {
                if let Some(wait) = self.sign_in() {
                    // Whoever wants more guesses lets the owner in.
                    signs_in_at = Some(self.now.plus_seconds(wait));
                    attacks_at = attacks_at.max(self.now.plus_seconds(wait));
                } else {
                    signs_in_at = self.next_sign_in();
                    attacks_at = self.now;
                }
                continue;
            }
            attacks_at = self.now.plus_seconds(self.attack(&mut guess)?);
        }
        self.measured.at_any = 1.0 - self.missed;
        Some(self.measured)
    }

    /// Evenly over the day, however late the one before was.
    fn next_sign_in(&self) -> Option<Timestamp> {
        let pause = DAY.checked_div(self.owner.sign_ins_a_day)?;
        let earlier = self.now.seconds_since(NOON) / pause;
        Some(NOON.plus_seconds((earlier + 1) * pause))
    }

    /// How long the owner has to wait. One who is refused, as the credential is suspended, takes the next one.
    fn sign_in(&mut self) -> Option<u64> {
        let credentials: Vec<_> = self.account.credentials().map(|(_, one)| one.clone()).collect();
        let first = if self.owner.in_turn { usize::try_from(self.measured.sign_ins).unwrap() } else { 0 };
        while self.refused < credentials.len() {
            let place = (first + self.refused) % credentials.len();
            let code = code_of(&credentials[place], self.now, self.owner.drift);
            match self.account.verify(&code, OtpTypes::ALL, self.now, &self.policy) {
                Verification::Accepted => {
                    self.at_secrets[place] = 0.0;
                    break;
                }
                Verification::Throttled(wait) => return Some(wait.seconds),
                Verification::Refused(_) => self.refused += 1,
            }
        }
        self.refused = 0;
        self.measured.sign_ins += 1;
        None
    }

    /// In how many seconds the next attack is. `None` once a guess was right.
    fn attack(&mut self, guess: &mut impl FnMut(&World, Timestamp) -> Code) -> Option<u64> {
        let off = if let Attacker::Replicas(off) = self.attacker { off } else { 0 };
        let behind = Timestamp::from_seconds(self.now.seconds() - off);
        let clocks = [behind, self.now, self.now.plus_seconds(off)];
        let clocks = if off == 0 { &clocks[1..2] } else { &clocks[..] };
        let at_once = match self.attacker {
            Attacker::Crowd(tokens) => tokens,
            Attacker::OneTypeAtATime => OtpType::ALL.len(),
            _ => 1,
        };
        let mut shortest = 600;
        for clock in clocks {
            for _ in 0..at_once {
                self.ask_for_a_mail();
                if let Attacker::Quiet = self.attacker
                    && self.account.otp_throttle.failures + 1 >= self.policy.free_failures
                {
                    continue;
                }
                match self.guess_once(*clock, guess) {
                    Verification::Accepted => return None,
                    Verification::Throttled(wait) => shortest = shortest.min(wait.seconds),
                    Verification::Refused(Refusal::Wrong) => shortest = 0,
                    Verification::Refused(_) => {}
                }
            }
        }
        // After one that was looked at, the next one at once: whether that is throttled, the rules say.
        Some(shortest)
    }

    fn guess_once(
        &mut self,
        clock: Timestamp,
        guess: &mut impl FnMut(&World, Timestamp) -> Code,
    ) -> Verification {
        let types = self.types();
        let before = self.account.clone();
        let sent = guess(self, clock);
        let verification = self.account.verify(&sent, types, clock, &self.policy);
        if verification == Verification::Refused(Refusal::Wrong) {
            self.count(&before, types, clock);
        }
        verification
    }

    fn types(&mut self) -> OtpTypes {
        let Attacker::OneTypeAtATime = self.attacker else { return OtpTypes::ALL };
        self.next_type += 1;
        OtpTypes::NONE.with(OtpType::ALL[self.next_type % OtpType::ALL.len()])
    }

    /// The chance that this guess had.
    fn count(&mut self, before: &Account, types: OtpTypes, clock: Timestamp) {
        let mut right = BTreeSet::new();
        for place in 0..self.at_secrets.len() {
            let accepted = self.accepted(before, place, types, clock);
            self.at_secrets[place] += chance(accepted.len() as u64 * 100);
            self.measured.at_one_secret = self.measured.at_one_secret.max(self.at_secrets[place]);
            right.extend(accepted);
        }
        let takes = |issued: &IssuedCode| {
            before.clone().verify(&issued.code, types, clock, &self.policy) == Verification::Accepted
        };
        if let Some(issued) = before.login_code.as_ref().filter(|issued| takes(issued)) {
            self.at_mailed_codes += chance(100);
            self.measured.at_mailed_codes_a_day =
                self.measured.at_mailed_codes_a_day.max(self.at_mailed_codes);
            right.insert(text(&issued.code));
        }
        self.measured.guesses += 1;
        self.missed *= 1.0 - chance(right.len() as u64 * 100);
    }

    /// The codes that one secret takes: what the rules say of an account that has no other.
    fn accepted(
        &mut self,
        before: &Account,
        place: usize,
        types: OtpTypes,
        clock: Timestamp,
    ) -> BTreeSet<String> {
        let mut alone = Account::default();
        let (kind, credential) = before.credentials().nth(place).unwrap();
        let home = if kind == OtpType::Totp { &mut alone.authenticators } else { &mut alone.devices };
        home.push(credential.clone());
        // A twin of another type takes the same codes.
        let twins = before.credentials().filter(|(_, twin)| twin.totp == credential.totp);
        let types = if twins.map(|(kind, _)| kind).any(|kind| types.contains(kind)) {
            OtpTypes::NONE.with(kind)
        } else {
            OtpTypes::NONE
        };
        let asked = Asked {
            step: credential.totp.step_at(clock),
            last_step: credential.progress.last_step,
            drift: credential.progress.drift,
            is_suspended: credential.is_suspended(clock, &self.policy),
            types,
        };
        if let Some((known, accepted)) = &self.known[place]
            && *known == asked
        {
            return accepted.clone();
        }
        let takes =
            |code: &Code| alone.clone().verify(code, types, clock, &self.policy) == Verification::Accepted;
        let codes = self.around().map(|offset| code_of(credential, clock, offset));
        let accepted: BTreeSet<_> = codes.filter(takes).map(|code| text(&code)).collect();
        self.known[place] = Some((asked, accepted.clone()));
        accepted
    }

    /// Steps from the clock, to beyond every window: that of the skew, and 2 of drift.
    fn around(&self) -> std::ops::RangeInclusive<i64> {
        let far = i64::from(self.policy.skew_steps) + 3;
        -far..=far
    }

    fn ask_for_a_mail(&mut self) {
        let now = self.now;
        let is_dead = |issued: &IssuedCode| {
            issued.state != einmal_core::account::CodeState::Live || issued.expires_at <= now
        };
        let within = |seconds: u64| self.mailed.iter().filter(|at| now.seconds_since(**at) < seconds).count();
        if self.mails
            && self.account.login_code.as_ref().is_none_or(is_dead)
            && within(self.policy.login_resend_after_seconds) == 0
            && within(3_600) < Policy::MAILS_AN_HOUR
            && within(DAY) < Policy::MAILS_A_DAY
        {
            let code = Code::from_number(u32::try_from(self.mailed.len()).unwrap() * 7_919, 6);
            self.account.issue_login_code(code, now, &self.policy);
            self.mailed.push(now);
        }
    }
}

pub(super) fn text(code: &Code) -> String {
    code.as_str().to_owned()
}

/// One that nothing takes, at any clock that is asked.
pub(super) fn wrong(world: &World, clock: Timestamp) -> Code {
    let near: BTreeSet<_> = world
        .account
        .credentials()
        .flat_map(|(_, credential)| world.around().map(|offset| text(&code_of(credential, clock, offset))))
        .chain(world.account.login_code.iter().map(|issued| text(&issued.code)))
        .collect();
    (0..1_000).map(|number| Code::from_number(number, 6)).find(|code| !near.contains(code.as_str())).unwrap()
}
