//! What clients asked and what they were answered, and whether a service that accepts a code once can have answered
//! so. The one judge of all that is done to the service under load: crashes, cuts of the power, faults of the disk,
//! failovers, leaping clocks, races. It is pure: it knows no service, no clock and no digits.

use einmal_core::policy::Settings;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Mutex;
use std::time::Duration;
use tokio::time::Instant;

/// A code by what it is, and not by its digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct CodeId {
    pub(crate) account: usize,
    pub(crate) step: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// A code that is in its window for as long as the answer can take.
    Right(CodeId),
    /// A code that may have left its window, or whose clock leaps: that it is refused says nothing.
    Stale(CodeId),
    /// Digits that are no code of this account.
    Wrong { account: usize },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// 204
    Accepted,
    /// 404
    Refused,
    /// 404 with `Retry-After`: nothing was looked at.
    Throttled,
    /// 503: it may have happened, or not.
    Unavailable,
    /// The connection broke, or the client had enough of waiting; the same.
    Broken,
    Other(u16),
}

impl Answer {
    /// `must_wait`: whether it said when to come back.
    pub(crate) fn of(status: u16, must_wait: bool) -> Self {
        match status {
            204 => Self::Accepted,
            404 if must_wait => Self::Throttled,
            404 => Self::Refused,
            503 => Self::Unavailable,
            _ => Self::Other(status),
        }
    }

    pub(crate) fn of_response(response: &reqwest::Response) -> Self {
        Self::of(response.status().as_u16(), response.headers().contains_key("retry-after"))
    }

    /// Whether nobody but the service can know what became of the request.
    pub(crate) fn is_unknown(self) -> bool {
        matches!(self, Self::Unavailable | Self::Broken)
    }
}

/// Times are since the history began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Attempt {
    pub(crate) asked: Asked,
    /// The einmal, or what is in front of it.
    pub(crate) target: usize,
    pub(crate) started: Duration,
    pub(crate) ended: Duration,
    pub(crate) answer: Answer,
}

/// When a target may be out of order, by what has been done to it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Outage {
    pub(crate) target: usize,
    pub(crate) from: Duration,
    pub(crate) until: Duration,
}

impl Outage {
    fn touches(&self, attempt: &Attempt) -> bool {
        attempt.target == self.target && attempt.started <= self.until && attempt.ended >= self.from
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Violation {
    /// Two requests with one code were answered 204.
    AcceptedTwice(Attempt, Attempt),
    /// A code was accepted after a later one of the account had been: its steps went backwards.
    WentBack {
        later: Attempt,
        earlier: Attempt,
    },
    AcceptedWrong(Attempt),
    /// A right code was refused, and nothing that was asked before can have spent it.
    RefusedForNothing(Attempt),
    /// A request was not looked at, and there had not been enough wrong ones before it.
    ThrottledForNothing(Attempt),
    /// More wrong codes of an account were looked at than its throttle allows: counts were forgotten.
    TooManyGuesses {
        account: usize,
        evaluated: usize,
        allowed: usize,
    },
    /// Neither 204 nor 404 nor 503.
    Unexpected(Attempt),
    /// An unknown outcome while nothing was wrong.
    NoOutage(Attempt),
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AcceptedTwice(first, second) => write!(f, "accepted twice: {first}, and {second}"),
            Self::WentBack { later, earlier } => {
                write!(f, "accepted after a later one: {later}, then {earlier}")
            }
            Self::AcceptedWrong(attempt) => write!(f, "a wrong code accepted: {attempt}"),
            Self::RefusedForNothing(attempt) => write!(f, "a right code refused: {attempt}"),
            Self::ThrottledForNothing(attempt) => write!(f, "not looked at for no reason: {attempt}"),
            Self::TooManyGuesses { account, evaluated, allowed } => {
                write!(f, "{evaluated} wrong codes of account {account} looked at, {allowed} are allowed")
            }
            Self::Unexpected(attempt) => write!(f, "an unexpected answer: {attempt}"),
            Self::NoOutage(attempt) => write!(f, "unavailable for no reason: {attempt}"),
        }
    }
}

impl fmt::Display for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { asked, target, started, ended, answer } = self;
        let (started, ended) = (started.as_secs_f64(), ended.as_secs_f64());
        write!(f, "{asked:?} at target {target}, {started:.3} s to {ended:.3} s: {answer:?}")
    }
}

pub(crate) struct History {
    began: Instant,
    attempts: Mutex<Vec<Attempt>>,
}

impl History {
    pub(crate) fn new() -> Self {
        Self { began: Instant::now(), attempts: Mutex::default() }
    }

    pub(crate) fn now(&self) -> Duration {
        self.began.elapsed()
    }

    pub(crate) fn since(&self, then: Duration) -> Duration {
        self.now().saturating_sub(then)
    }

    /// Runs a request and writes down what it was answered.
    pub(crate) async fn record(
        &self,
        asked: Asked,
        target: usize,
        request: impl Future<Output = Answer>,
    ) -> Answer {
        let started = self.now();
        let answer = request.await;
        self.note(asked, target, started, answer);
        answer
    }

    /// Writes down what a request was answered that has been sent then and is answered now.
    pub(crate) fn note(&self, asked: Asked, target: usize, started: Duration, answer: Answer) {
        let attempt = Attempt { asked, target, started, ended: self.now(), answer };
        self.attempts.lock().unwrap().push(attempt);
    }

    /// What has been answered so far.
    pub(crate) fn attempts(&self) -> Vec<Attempt> {
        self.attempts.lock().unwrap().clone()
    }
}

/// What was tried at one account, in the order in which it began.
#[derive(Default)]
struct Tried {
    codes: Vec<(CodeId, Attempt)>,
    wrong: Vec<Attempt>,
}

/// That nothing of the kind was found.
pub(crate) fn assert_lawful(attempts: &[Attempt], outages: &[Outage], what: &str) {
    let violations = judge(attempts, outages);
    let told: Vec<_> = violations.iter().take(20).map(Violation::to_string).collect();
    assert!(violations.is_empty(), "{what}: {} violations:\n{}", violations.len(), told.join("\n"));
}

/// Everything that cannot be, in the order of the requests.
pub(crate) fn judge(attempts: &[Attempt], outages: &[Outage]) -> Vec<Violation> {
    let mut violations = Vec::new();
    let mut accounts: BTreeMap<usize, Tried> = BTreeMap::new();
    for attempt in attempts {
        match (attempt.asked, attempt.answer) {
            (_, Answer::Other(_)) => violations.push(Violation::Unexpected(*attempt)),
            (_, Answer::Unavailable | Answer::Broken)
                if !outages.iter().any(|outage| outage.touches(attempt)) =>
            {
                violations.push(Violation::NoOutage(*attempt));
            }
            (Asked::Wrong { .. }, Answer::Accepted) => violations.push(Violation::AcceptedWrong(*attempt)),
            _ => {}
        }
        match attempt.asked {
            Asked::Right(code) | Asked::Stale(code) => {
                accounts.entry(code.account).or_default().codes.push((code, *attempt));
            }
            Asked::Wrong { account } => accounts.entry(account).or_default().wrong.push(*attempt),
        }
    }
    for (account, tried) in &mut accounts {
        tried.codes.sort_by_key(|(_, attempt)| attempt.started);
        tried.wrong.sort_by_key(|attempt| attempt.started);
        // An account is judged by itself: no other one can have spent its codes.
        judge_codes(&tried.codes, &mut violations);
        judge_guesses(*account, tried, &mut violations);
    }
    violations
}

fn judge_codes(attempts: &[(CodeId, Attempt)], violations: &mut Vec<Violation>) {
    for (index, (code, attempt)) in attempts.iter().enumerate() {
        match (attempt.answer, attempt.asked) {
            (Answer::Accepted, _) => {
                let before = attempts[..index].iter().filter(|(_, other)| other.answer == Answer::Accepted);
                violations.extend(before.filter_map(|(other_code, other)| {
                    if other_code == code {
                        Some(Violation::AcceptedTwice(*other, *attempt))
                    } else if other_code.step > code.step && other.ended < attempt.started {
                        Some(Violation::WentBack { later: *other, earlier: *attempt })
                    } else {
                        None
                    }
                }));
            }
            (Answer::Refused, Asked::Right(_)) => {
                // Whatever was on its way before the refusal was there may have come first.
                let can_have_spent = |(other_code, other): &(CodeId, Attempt)| {
                    other_code.step >= code.step
                        && other.started < attempt.ended
                        && (other.answer == Answer::Accepted || other.answer.is_unknown())
                };
                if !attempts.iter().any(can_have_spent) {
                    violations.push(Violation::RefusedForNothing(*attempt));
                }
            }
            _ => {}
        }
    }
}

/// By the policy that is the default, which all of the service under test have.
fn judge_guesses(account: usize, tried: &Tried, violations: &mut Vec<Violation>) {
    let policy = Settings::default();
    let free = usize::try_from(policy.free_failures).unwrap();
    let refused = |attempt: &&Attempt| attempt.answer == Answer::Refused;
    // A code that left its window is one more failure; one that was answered by nobody may be.
    let stale = tried.codes.iter().map(|(_, attempt)| attempt);
    let stale = stale.filter(|attempt| matches!(attempt.asked, Asked::Stale(_)));
    let failures: Vec<_> = tried.wrong.iter().chain(stale).collect();
    let codes = tried.codes.iter().map(|(_, attempt)| attempt);
    for throttled in tried.wrong.iter().chain(codes).filter(|attempt| attempt.answer == Answer::Throttled) {
        let before = failures.iter().filter(|other| other.answer != Answer::Throttled);
        if before.filter(|other| other.started < throttled.ended).count() < free {
            violations.push(Violation::ThrottledForNothing(*throttled));
        }
    }
    let (Some(first), Some(last)) = (tried.wrong.first(), tried.wrong.iter().max_by_key(|one| one.ended))
    else {
        return;
    };
    // Each wait that can have passed is one more guess, and each success that can have been is a new beginning.
    let mut left = last.ended.saturating_sub(first.started).as_secs();
    let (mut allowed, mut wait) = (free, policy.first_wait_seconds);
    while let Some(rest) = left.checked_sub(wait) {
        (allowed, left, wait) = (allowed + 1, rest, (wait * 2).min(policy.longest_wait_seconds));
    }
    let successes: BTreeSet<_> = tried
        .codes
        .iter()
        .filter(|(_, attempt)| attempt.answer == Answer::Accepted || attempt.answer.is_unknown())
        .map(|(code, _)| code)
        .collect();
    let allowed = allowed * (1 + successes.len());
    let evaluated = tried.wrong.iter().filter(refused).count();
    if evaluated > allowed {
        violations.push(Violation::TooManyGuesses { account, evaluated, allowed });
    }
}
