//! Waits after consecutive failures (RFC 4226 section 7.3). A state machine with the time as an argument.

use crate::Timestamp;
use crate::policy::Policy;

/// Consecutive failures, and until when nothing is looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Throttle {
    pub failures: u32,
    pub waits_until: Option<Timestamp>,
}

/// Nothing may be evaluated now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Wait {
    /// At least 1.
    pub seconds: u64,
}

impl Throttle {
    /// The wait that is still on. One that reaches further than the longest wait can only come from a clock
    /// that has since gone back: it is cut to the longest wait, or a clock's leap would lock the owner out.
    pub fn wait(&mut self, now: Timestamp, policy: &Policy) -> Option<Wait> {
        let latest = now.plus_seconds(policy.longest_wait_seconds);
        let until = self.waits_until?.min(latest);
        if until <= now {
            return None;
        }
        self.waits_until = Some(until);
        Some(Wait { seconds: until.seconds_since(now) })
    }

    /// Counts one failure; from the last free one on, each brings a wait twice as long as the one before.
    pub fn fail(&mut self, now: Timestamp, policy: &Policy) {
        self.failures = self.failures.saturating_add(1);
        if let Some(doublings) = self.failures.checked_sub(policy.free_failures) {
            let factor = 1_u64.checked_shl(doublings).unwrap_or(u64::MAX);
            let seconds = policy.first_wait_seconds.saturating_mul(factor).min(policy.longest_wait_seconds);
            self.waits_until = Some(now.plus_seconds(seconds));
        }
    }

    /// Takes the first `failures` back: what was counted up to an attempt that turned out right.
    pub fn forgive(&mut self, failures: u32, policy: &Policy) {
        self.failures = self.failures.saturating_sub(failures);
        if self.failures < policy.free_failures {
            self.waits_until = None;
        }
    }

    /// Takes the `nth` failure in a row back, as if it had never been counted.
    pub fn withdraw(&mut self, nth: u32, policy: &Policy) {
        // Nobody is let in during a wait: one that is on now was brought by the latest failure.
        if self.failures == nth {
            self.waits_until = None;
        }
        self.forgive(1, policy);
    }

    /// Only a success, an unlock or a new secret clears the count; time alone does not.
    pub fn clear(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(seconds: u64) -> Timestamp {
        Timestamp::from_seconds(seconds)
    }

    #[test]
    fn waits_double_from_30_seconds_to_an_hour_94() {
        let policy = Policy::default();
        let mut throttle = Throttle::default();
        let mut now = at(1_000_000);
        let mut waits = Vec::new();
        for _ in 0..16 {
            assert_eq!(throttle.wait(now, &policy), None);
            throttle.fail(now, &policy);
            let wait = throttle.wait(now, &policy).map_or(0, |wait| wait.seconds);
            waits.push(wait);
            now = now.plus_seconds(wait);
        }
        assert_eq!(waits, [0, 0, 0, 0, 30, 60, 120, 240, 480, 960, 1920, 3600, 3600, 3600, 3600, 3600]);
    }

    #[test]
    fn a_wait_that_a_leaping_clock_left_behind_is_cut_to_the_longest() {
        let policy = Policy::default();
        let mut throttle = Throttle::default();
        for _ in 0..5 {
            throttle.fail(at(10_000_000), &policy);
        }
        assert_eq!(throttle.wait(at(1_000_000), &policy), Some(Wait { seconds: 3_600 }));
        assert_eq!(throttle.wait(at(1_003_599), &policy), Some(Wait { seconds: 1 }));
        assert_eq!(throttle.wait(at(1_003_600), &policy), None);
    }

    #[test]
    fn no_count_overflows() {
        let policy = Policy::default();
        let mut throttle = Throttle { failures: u32::MAX, waits_until: None };
        throttle.fail(at(u64::MAX), &policy);
        throttle.failures = 200;
        throttle.fail(at(5), &policy);
        assert_eq!(throttle.wait(at(5), &policy), Some(Wait { seconds: 3_600 }));
    }
}
