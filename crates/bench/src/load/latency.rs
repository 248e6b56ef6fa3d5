//! How long answers took, in microseconds, with three digits kept.

use hdrhistogram::{CreationError, Histogram};
use serde::Serialize;
use std::time::Duration;

/// Longer ones are counted as this.
const LONGEST_MICROS: u64 = 60_000_000;

pub struct Latency(Histogram<u64>);

/// In milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Percentiles {
    pub p50: f64,
    pub p90: f64,
    pub p99: f64,
    pub p999: f64,
    pub longest: f64,
}

impl Latency {
    pub fn new() -> Result<Self, CreationError> {
        Histogram::new_with_bounds(1, LONGEST_MICROS, 3).map(Self)
    }

    pub fn record(&mut self, took: Duration) {
        self.0.saturating_record(u64::try_from(took.as_micros()).unwrap_or(LONGEST_MICROS).max(1));
    }

    pub fn percentiles(&self) -> Percentiles {
        let at = |quantile| millis(self.0.value_at_quantile(quantile));
        Percentiles {
            p50: at(0.5),
            p90: at(0.9),
            p99: at(0.99),
            p999: at(0.999),
            longest: millis(self.0.max()),
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "a minute of microseconds")]
fn millis(micros: u64) -> f64 {
    micros as f64 / 1_000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_those_of_what_was_recorded() {
        let mut latency = Latency::new().unwrap();
        for micros in 1..=10_000 {
            latency.record(Duration::from_micros(micros));
        }
        let found = latency.percentiles();
        for (found, expected) in [(found.p50, 5.0), (found.p90, 9.0), (found.p99, 9.9), (found.p999, 9.99)] {
            assert!((found - expected).abs() / expected < 0.002, "{found} for {expected}");
        }
    }

    #[test]
    fn the_longest_is_seen_and_what_is_beyond_bounds_is_counted() {
        let mut latency = Latency::new().unwrap();
        latency.record(Duration::ZERO);
        latency.record(Duration::from_secs(1_000));
        assert!(latency.percentiles().longest >= 59_000.0);
    }
}
