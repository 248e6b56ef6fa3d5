//! How long the stages of a request take, for the histograms, and for the request's trace if it has one.

use super::labels::{durations, histograms};
use crate::trace::{self, Trace};
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use std::time::Instant;

/// What a request spends its time on. A round of the update loop is one of load, decide and commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Checking the token, which may wait for its issuer.
    Token,
    /// Waiting for others at the same account; those who need not wait have none.
    Turn,
    Load,
    /// Opening the seals, deciding and sealing.
    Decide,
    Commit,
    /// Comparing a password or PIN, with the wait for a thread.
    Compare,
    /// Asking an issuer about a password, with the wait for a turn.
    Grant,
    /// Until the mail server has taken a mail.
    Mail,
}

impl Stage {
    const ALL: [Self; 8] = [
        Self::Token,
        Self::Turn,
        Self::Load,
        Self::Decide,
        Self::Commit,
        Self::Compare,
        Self::Grant,
        Self::Mail,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::Turn => "turn",
            Self::Load => "load",
            Self::Decide => "decide",
            Self::Commit => "commit",
            Self::Compare => "compare",
            Self::Grant => "grant",
            Self::Mail => "mail",
        }
    }
}

pub struct Stages([Histogram; Stage::ALL.len()]);

impl Stages {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let help = "How long the stages of requests took";
        let family = histograms(registry, "stage_duration_seconds", help, durations);
        Self(Stage::ALL.map(|stage| family.get_or_create_owned(&vec![("stage", stage.name().to_owned())])))
    }

    /// Runs until it is dropped.
    pub fn time(&self, stage: Stage) -> Timer<'_> {
        Timer { histogram: self.histogram(stage), stage, started: Instant::now() }
    }

    /// For whoever goes from stage to stage elsewhere than in the task of the request, whose trace this is.
    pub fn record(&self, stage: Stage, started: Instant, ended: Instant, trace: Option<&Trace>) {
        self.histogram(stage).observe((ended - started).as_secs_f64());
        if let Some(trace) = trace {
            trace.record(stage.name(), started, ended);
        }
    }

    fn histogram(&self, stage: Stage) -> &Histogram {
        let [token, turn, load, decide, commit, compare, grant, mail] = &self.0;
        match stage {
            Stage::Token => token,
            Stage::Turn => turn,
            Stage::Load => load,
            Stage::Decide => decide,
            Stage::Commit => commit,
            Stage::Compare => compare,
            Stage::Grant => grant,
            Stage::Mail => mail,
        }
    }
}

pub struct Timer<'a> {
    histogram: &'a Histogram,
    stage: Stage,
    started: Instant,
}

impl Drop for Timer<'_> {
    fn drop(&mut self) {
        let ended = Instant::now();
        self.histogram.observe((ended - self.started).as_secs_f64());
        trace::record(self.stage.name(), self.started, ended);
    }
}
