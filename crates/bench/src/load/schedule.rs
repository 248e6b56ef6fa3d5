//! When requests of an open loop should be sent. It never waits for anybody: who comes late is late.

use std::time::{Duration, Instant};

pub(super) struct Schedule {
    started: Instant,
    interval_seconds: f64,
    number: u64,
}

impl Schedule {
    pub(super) fn new(started: Instant, per_second: f64) -> Self {
        Self { started, interval_seconds: 1.0 / per_second.max(0.001), number: 0 }
    }

    /// From the beginning on and not from the last one, so that errors do not add up.
    #[expect(clippy::cast_precision_loss, reason = "a run has fewer than 2^52 requests")]
    pub(super) fn next(&self) -> Instant {
        self.started + Duration::from_secs_f64(self.interval_seconds * self.number as f64)
    }

    pub(super) fn advance(&mut self) {
        self.number += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_kept_however_long_it_goes_on() {
        let started = Instant::now();
        let mut schedule = Schedule::new(started, 3_000.0);
        assert_eq!(schedule.next(), started);
        for _ in 0..9_000 {
            schedule.advance();
        }
        let error = schedule.next().duration_since(started).abs_diff(Duration::from_secs(3));
        assert!(error < Duration::from_micros(1), "{error:?}");
    }
}
