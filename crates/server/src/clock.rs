//! The one place that reads the system's clock.

use einmal_core::Timestamp;
use std::time::{SystemTime, UNIX_EPOCH};

/// Tells the time. A request reads it once and passes the value on, so that it cannot disagree with itself.
pub trait Clock: Send + Sync {
    fn now(&self) -> Timestamp;
}

pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the place")]
    fn now(&self) -> Timestamp {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_seconds(since_epoch.as_secs())
    }
}

/// For the spans of traces and the lines of events alone: nothing may be decided by it.
#[expect(clippy::disallowed_methods, reason = "this is the place")]
pub fn unix_nanos() -> u64 {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since_epoch.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    /// A clock that rounds would be half a second early at every step, and accept codes that are not yet good.
    #[test]
    #[expect(clippy::disallowed_methods, reason = "compares with the system's own")]
    fn a_second_has_come_when_it_begins_and_not_before_10() {
        let since_epoch = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let end = since_epoch() + Duration::from_millis(1_100);
        while since_epoch() < end {
            let before = since_epoch().as_secs();
            let told = SystemClock.now().seconds();
            assert!((before..=since_epoch().as_secs()).contains(&told));
        }
    }
}
