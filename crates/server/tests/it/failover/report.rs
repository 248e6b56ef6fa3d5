//! What a drill has shown, as a table for people.

use super::cluster::Loss;
use crate::harness::history::{Answer, Attempt, Outage, Violation};
use std::collections::HashMap;
use std::fmt::Write;
use std::mem::{Discriminant, discriminant};
use std::time::Duration;

/// Violations of each kind that are told in full.
const SHOWN: usize = 20;

pub(super) struct Failover {
    pub(super) loss: Loss,
    pub(super) machine: usize,
    pub(super) from: Duration,
    /// When there was a new primary.
    pub(super) promoted: Duration,
    pub(super) end: Duration,
    /// Without a 204 from anywhere.
    pub(super) gap: Duration,
    /// So often a code was tried again within its window and refused.
    pub(super) replayed: usize,
    pub(super) outages: Vec<Outage>,
    /// Why it did not go through.
    pub(super) fault: Option<String>,
}

impl Failover {
    /// One that begins.
    pub(super) fn new(loss: Loss, from: Duration) -> Self {
        Self {
            loss,
            machine: 0,
            from,
            promoted: from,
            end: from,
            gap: Duration::ZERO,
            replayed: 0,
            outages: Vec::new(),
            fault: None,
        }
    }

    pub(super) fn progress(&self) -> String {
        let (gap, promoted) = (self.gap.as_secs_f64(), self.promoted.saturating_sub(self.from).as_secs_f64());
        let Self { loss, machine, replayed, fault, .. } = self;
        let fault = fault.as_deref().unwrap_or("fine");
        format!(
            "{loss:?} of machine {machine}: {gap:.1} s without a 204, new primary after {promoted:.1} s, {replayed} \
             replays refused: {fault}"
        )
    }
}

pub(super) struct Report<'a> {
    pub(super) attempts: &'a [Attempt],
    pub(super) failovers: &'a [Failover],
    pub(super) violations: &'a [Violation],
}

impl Report<'_> {
    pub(super) fn markdown(&self) -> String {
        let mut text = "\n| # | loss | new primary after | without a 204 | requests | 204 | 404 | 503 | broken | replays refused |\n\
                        | ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n"
            .to_owned();
        for (number, failover) in (1..).zip(self.failovers) {
            let Failover { loss, from, promoted, end, gap, replayed, .. } = failover;
            let during = |attempt: &&Attempt| (from..=end).contains(&&attempt.started);
            let counts = Counts::of(self.attempts.iter().filter(during));
            let (promoted, gap) = (promoted.saturating_sub(*from).as_secs_f64(), gap.as_secs_f64());
            writeln!(text, "| {number} | {loss:?} | {promoted:.1} s | {gap:.1} s | {counts} | {replayed} |")
                .unwrap();
        }
        let all = Counts::of(self.attempts.iter());
        writeln!(text, "| all | with the time between | | | {all} | |").unwrap();
        let violations = self.violations.len();
        let mut gaps: Vec<_> = self.failovers.iter().map(|failover| failover.gap.as_secs_f64()).collect();
        gaps.sort_by(f64::total_cmp);
        if let (Some(shortest), Some(longest)) = (gaps.first(), gaps.last()) {
            let median = gaps[gaps.len() / 2];
            writeln!(
                text,
                "\nGap: {shortest:.1} s to {longest:.1} s, median {median:.1} s. Violations: {violations}."
            )
            .unwrap();
        }
        for violations in self.violations_by_kind().values() {
            writeln!(text, "\n{} times:", violations.len()).unwrap();
            for violation in violations.iter().take(SHOWN) {
                writeln!(text, "- {violation}").unwrap();
            }
        }
        text
    }

    /// A cause in common shows as thousands of one kind, which must not hide the others.
    fn violations_by_kind(&self) -> HashMap<Discriminant<Violation>, Vec<&Violation>> {
        let mut kinds: HashMap<_, Vec<_>> = HashMap::new();
        for violation in self.violations {
            kinds.entry(discriminant(violation)).or_default().push(violation);
        }
        kinds
    }
}

#[derive(Default)]
struct Counts {
    requests: usize,
    accepted: usize,
    refused: usize,
    unavailable: usize,
    broken: usize,
}

impl Counts {
    fn of<'a>(attempts: impl Iterator<Item = &'a Attempt>) -> Self {
        let mut counts = Self::default();
        for attempt in attempts {
            counts.requests += 1;
            match attempt.answer {
                Answer::Accepted => counts.accepted += 1,
                Answer::Refused | Answer::Throttled => counts.refused += 1,
                Answer::Unavailable => counts.unavailable += 1,
                Answer::Broken => counts.broken += 1,
                Answer::Other(_) => {}
            }
        }
        counts
    }
}

impl std::fmt::Display for Counts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { requests, accepted, refused, unavailable, broken } = self;
        write!(f, "{requests} | {accepted} | {refused} | {unavailable} | {broken}")
    }
}
