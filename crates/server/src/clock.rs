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
