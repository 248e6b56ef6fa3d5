//! What clients asked and what they were answered, and whether a service that accepts a code once can have answered
//! so. The judge is pure: it knows no service, no clock and no digits.

use std::collections::BTreeMap;
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
    /// Digits that are no code of this account.
    Wrong { account: usize },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// 204
    Accepted,
    /// 404
    Refused,
    /// 503: it may have happened, or not.
    Unavailable,
    /// The connection broke, or the client had enough of waiting; the same.
    Broken,
    Other(u16),
}

impl Answer {
    pub(crate) fn of_status(status: u16) -> Self {
        match status {
            204 => Self::Accepted,
            404 => Self::Refused,
            503 => Self::Unavailable,
            _ => Self::Other(status),
        }
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

    /// Runs a request and writes down what it was answered.
    pub(crate) async fn record(
        &self,
        asked: Asked,
        target: usize,
        request: impl Future<Output = Answer>,
    ) -> Answer {
        let started = self.now();
        let answer = request.await;
        let attempt = Attempt { asked, target, started, ended: self.now(), answer };
        self.attempts.lock().unwrap().push(attempt);
        answer
    }

    /// What has been answered so far.
    pub(crate) fn attempts(&self) -> Vec<Attempt> {
        self.attempts.lock().unwrap().clone()
    }
}

/// Everything that cannot be, in the order of the requests.
pub(crate) fn judge(attempts: &[Attempt], outages: &[Outage]) -> Vec<Violation> {
    let mut violations = Vec::new();
    let mut accounts: BTreeMap<usize, Vec<(CodeId, Attempt)>> = BTreeMap::new();
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
        if let Asked::Right(code) = attempt.asked {
            accounts.entry(code.account).or_default().push((code, *attempt));
        }
    }
    for attempts in accounts.values_mut() {
        attempts.sort_by_key(|(_, attempt)| attempt.started);
        judge_account(attempts, &mut violations);
    }
    violations
}

/// An account is judged by itself: no other one can have spent its codes.
fn judge_account(attempts: &[(CodeId, Attempt)], violations: &mut Vec<Violation>) {
    for (index, (code, attempt)) in attempts.iter().enumerate() {
        match attempt.answer {
            Answer::Accepted => {
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
            Answer::Refused => {
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
