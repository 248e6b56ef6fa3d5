//! Contestants that take turns, A B A B, so that whatever else the machine does falls on all of them; medians, and
//! ratios within each turn.

use crate::load::Percentiles;
use crate::peers::Peer;
use crate::progress;
use crate::sample::{self, Sample, Server, Workload};
use crate::workbench::Workbench;
use anyhow::{Context, Result};
use serde::Serialize;

/// Who is measured.
#[derive(Clone, Copy, Debug)]
pub enum Contestant {
    Server(Server, Workload),
    Peer(Peer),
}

/// What the ratios are of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Measure {
    /// Closed loop: answers a second.
    Throughput,
    /// Open loop at half of what this contestant reaches in a closed one: the 99th percentile.
    Latency { half_of: usize },
}

pub struct Experiment {
    pub name: &'static str,
    pub title: &'static str,
    pub measure: Measure,
    /// The first one is what the others are compared with.
    pub contestants: Vec<(&'static str, Contestant)>,
}

#[derive(Serialize)]
pub struct Outcome {
    pub name: &'static str,
    pub title: &'static str,
    pub measure: Measure,
    /// Requests a second, if that was set.
    pub rate: Option<f64>,
    pub rows: Vec<Row>,
}

#[derive(Serialize)]
pub struct Row {
    pub label: &'static str,
    pub median: Sample,
    pub slowest: f64,
    pub fastest: f64,
    /// To the first contestant, round by round.
    pub ratio: Ratio,
    pub samples: Vec<Sample>,
    /// Why there is nothing.
    pub not_run: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Ratio {
    pub median: f64,
    pub least: f64,
    pub most: f64,
}

impl Experiment {
    /// The same with fewer accounts, where there are more.
    #[must_use]
    pub fn with_at_most(mut self, accounts: u64) -> Self {
        for (_, contestant) in &mut self.contestants {
            if let Contestant::Server(_, workload) = contestant {
                workload.accounts = workload.accounts.min(accounts);
            }
        }
        self
    }

    pub fn run(&self, bench: &mut Workbench) -> Result<Outcome> {
        let rounds = bench.scale.rounds;
        let mut samples: Vec<Vec<Sample>> = self.contestants.iter().map(|_| Vec::new()).collect();
        let reasons: Vec<_> = self.contestants.iter().map(|(_, one)| prepare(bench, one).err()).collect();
        let rate = self.rate(bench, &reasons)?;
        for round in 1..=rounds {
            for ((label, contestant), (samples, reason)) in
                self.contestants.iter().zip(samples.iter_mut().zip(&reasons))
            {
                if reason.is_some() {
                    continue;
                }
                let sample =
                    take(bench, contestant, rate).with_context(|| format!("{}: {label}", self.name))?;
                let (per_second, p99) = (sample.per_second, sample.latency_ms.p99);
                progress::tell(format_args!(
                    "{} {round}/{rounds} {label}: {per_second:.0}/s, p99 {p99:.2} ms",
                    self.name
                ));
                samples.push(sample);
            }
        }
        let value = |sample: &Sample| match self.measure {
            Measure::Throughput => sample.per_second,
            Measure::Latency { .. } => sample.latency_ms.p99,
        };
        let first: Vec<f64> = samples.first().into_iter().flatten().map(value).collect();
        let rows =
            self.contestants.iter().zip(samples).zip(reasons).map(|(((label, _), samples), reason)| {
                let values: Vec<f64> = samples.iter().map(value).collect();
                Row {
                    label,
                    median: median_sample(&samples),
                    slowest: values.iter().copied().fold(f64::INFINITY, f64::min),
                    fastest: values.iter().copied().fold(0.0, f64::max),
                    ratio: ratio(&values, &first),
                    samples,
                    not_run: reason.map(|reason| format!("{reason:#}")),
                }
            });
        Ok(Outcome { name: self.name, title: self.title, measure: self.measure, rate, rows: rows.collect() })
    }

    fn rate(&self, bench: &mut Workbench, reasons: &[Option<anyhow::Error>]) -> Result<Option<f64>> {
        let Measure::Latency { half_of } = self.measure else { return Ok(None) };
        let Some((label, contestant)) = self.contestants.get(half_of) else { return Ok(None) };
        if reasons.get(half_of).is_some_and(Option::is_some) {
            return Ok(None);
        }
        let most = take(bench, contestant, None)?.per_second;
        let rate = (most / 2.0 / 100.0).round().max(1.0) * 100.0;
        progress::tell(format_args!("{}: {label} reaches {most:.0}/s, going on with {rate:.0}/s", self.name));
        Ok(Some(rate))
    }
}

/// What can be missing on a machine is found out before; then a contestant is left out, and the report says why.
fn prepare(bench: &mut Workbench, contestant: &Contestant) -> Result<()> {
    match contestant {
        Contestant::Server(Server::Einmal { backend, .. }, workload) => {
            bench.population(*backend, workload.accounts).map(|_| ())
        }
        Contestant::Server(..) => Ok(()),
        Contestant::Peer(peer) => peer.prepare(bench),
    }
}

fn take(bench: &mut Workbench, contestant: &Contestant, rate: Option<f64>) -> Result<Sample> {
    match contestant {
        Contestant::Server(server, workload) => sample::take(bench, *server, workload, rate),
        Contestant::Peer(peer) => peer.take(bench),
    }
}

/// Of an even number the lower one of the middle.
fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<_> = values.into_iter().collect();
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len().saturating_sub(1) / 2).copied().unwrap_or_default()
}

/// Each figure's own median.
fn median_sample(samples: &[Sample]) -> Sample {
    let of = |figure: fn(&Sample) -> f64| median(samples.iter().map(figure));
    let mut resident: Vec<_> = samples.iter().map(|sample| sample.resident_bytes).collect();
    resident.sort_unstable();
    let mut answered: Vec<_> = samples.iter().map(|sample| sample.answered).collect();
    answered.sort_unstable();
    let middle = samples.len().saturating_sub(1) / 2;
    Sample {
        per_second: of(|sample| sample.per_second),
        answered: answered.get(middle).copied().unwrap_or_default(),
        seconds: of(|sample| sample.seconds),
        latency_ms: Percentiles {
            p50: of(|sample| sample.latency_ms.p50),
            p90: of(|sample| sample.latency_ms.p90),
            p99: of(|sample| sample.latency_ms.p99),
            p999: of(|sample| sample.latency_ms.p999),
            longest: of(|sample| sample.latency_ms.longest),
        },
        server_cpu_us: of(|sample| sample.server_cpu_us),
        load_cpu_us: of(|sample| sample.load_cpu_us),
        resident_bytes: resident.get(middle).copied().unwrap_or_default(),
        beside_per_second: of(|sample| sample.beside_per_second),
    }
}

fn ratio(values: &[f64], first: &[f64]) -> Ratio {
    let ratios: Vec<_> = values.iter().zip(first).map(|(value, first)| value / first).collect();
    Ratio {
        median: median(ratios.iter().copied()),
        least: ratios.iter().copied().fold(f64::INFINITY, f64::min),
        most: ratios.iter().copied().fold(0.0, f64::max),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_are_taken_round_by_round() {
        // The machine became half as fast after the first round: the ratio is the same.
        let found = ratio(&[80.0, 40.0, 44.0], &[100.0, 50.0, 50.0]);
        for (found, expected) in [(found.median, 0.8), (found.least, 0.8), (found.most, 0.88)] {
            assert!((found - expected).abs() < 1e-9, "{found} for {expected}");
        }
    }

    #[test]
    fn the_median_is_the_one_in_the_middle() {
        for (values, expected) in [(vec![3.0, 1.0, 2.0], 2.0), (vec![4.0, 1.0, 2.0, 3.0], 2.0), (vec![], 0.0)]
        {
            assert!((median(values.clone()) - expected).abs() < 1e-9, "{values:?}");
        }
    }
}
