//! The one judge of histories, asked about a simulated one.

use crate::harness::history::{Asked, Attempt, Outage, Violation, judge};
use std::time::Duration;

/// Everything that cannot be. Where clocks leap or codes are made, the time says nothing of how many guesses there may be.
pub(crate) fn violations(attempts: &[Attempt], is_plain: bool) -> Vec<String> {
    // Something may be wrong at any time.
    let mut targets: Vec<_> = attempts.iter().map(|attempt| attempt.target).collect();
    targets.sort_unstable();
    targets.dedup();
    let always = |target| Outage { target, from: Duration::ZERO, until: Duration::MAX };
    let outages: Vec<_> = targets.into_iter().map(always).collect();
    let attempts: Vec<_> = attempts.iter().copied().map(by_the_clock).collect();
    let is_of_time =
        |one: &Violation| matches!(one, Violation::TooManyGuesses { .. } | Violation::ThrottledForNothing(_));
    let found = judge(&attempts, &outages).into_iter().filter(|one| is_plain || !is_of_time(one));
    found.map(|one| one.to_string()).collect()
}

/// A clock tells whole seconds: a guess may have begun up to one before it seems to have.
fn by_the_clock(attempt: Attempt) -> Attempt {
    let started = match attempt.asked {
        Asked::Wrong { .. } => attempt.started.saturating_sub(Duration::from_secs(1)),
        Asked::Right(_) | Asked::Stale(_) => attempt.started,
    };
    Attempt { started, ..attempt }
}
