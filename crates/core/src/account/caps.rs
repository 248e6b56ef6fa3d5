//! How often something may be done to one account, by when it was done before. It is kept in the account, so that it holds
//! over restarts and for all replicas.

use super::Wait;
use crate::Timestamp;

pub(super) const TEN_MINUTES: u64 = 600;
pub(super) const HOUR: u64 = 3_600;
pub(super) const DAY: u64 = 86_400;

/// Of `done_at`, what no longer matters. Times ahead of the clock can only come from one that has since gone back; they
/// count as now, or a clock's leap would stop it all.
pub(super) fn forget(done_at: &mut Vec<Timestamp>, now: Timestamp) {
    for at in &mut *done_at {
        *at = now.min(*at);
    }
    done_at.retain(|at| now.seconds_since(*at) < DAY);
}

/// Until it was done less than `most` times within `period` seconds. `done_at` has the latest at the end.
pub(super) fn wait(done_at: &[Timestamp], now: Timestamp, most: usize, period: u64) -> Option<Wait> {
    let index = done_at.len().checked_sub(most)?;
    let left = period.saturating_sub(now.seconds_since(*done_at.get(index)?));
    (left > 0).then_some(Wait { seconds: left })
}
