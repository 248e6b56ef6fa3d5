//! What a drill has shown, as a table for people.

use super::cluster::Loss;
use crate::harness::history::{Answer, Attempt, Violation};
use std::fmt::Write;
use std::time::Duration;

pub(super) struct Failover {
    pub(super) loss: Loss,
    pub(super) machine: usize,
    pub(super) from: Duration,
    /// When there was a new primary.
    pub(super) promoted: Duration,
    pub(super) end: Duration,
    /// Without a 204 from anywhere.
    pub(super) gap: Duration,
    /// So many codes were tried again within their windows and refused.
    pub(super) replayed: usize,
}

impl Failover {
    pub(super) fn progress(&self) -> String {
        let (gap, promoted) = (self.gap.as_secs_f64(), self.promoted.saturating_sub(self.from).as_secs_f64());
        let Self { loss, machine, replayed, .. } = self;
        format!(
            "{loss:?} of machine {machine}: {gap:.1} s without a 204, new primary after {promoted:.1} s, {replayed} replays refused"
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
        text
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
                Answer::Refused => counts.refused += 1,
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
