//! How often something may be done to one account, by when it was done before. It is kept in the account, so that it holds
//! over restarts and for all replicas.

use super::Wait;
use crate::Timestamp;

pub(super) const TEN_MINUTES: u64 = 600;
pub(super) const HOUR: u64 = 3_600;
pub(super) const DAY: u64 = 86_400;

/// By how much the clocks of replicas may differ. A time that is further ahead comes from a clock that was wrong.
const CLOCKS_DIFFER: u64 = 60;

/// Of `done_at`, what no longer matters. Times that are far ahead count as now, or a clock's leap would stop it all. What
/// another replica did a moment "from now" stays when it was done: whoever asks the one that is behind, again and again,
/// must not have its places free any earlier for that.
pub(super) fn forget(done_at: &mut Vec<Timestamp>, now: Timestamp) {
    for at in &mut *done_at {
        *at = as_seen(*at, now);
    }
    done_at.retain(|at| now.seconds_since(*at) < DAY);
}

/// `at`, unless it is further ahead than clocks of replicas differ: then it counts as now.
pub(super) fn as_seen(at: Timestamp, now: Timestamp) -> Timestamp {
    if at.seconds_since(now) > CLOCKS_DIFFER { now } else { at }
}

/// It was done now, or when the clock that is furthest ahead did it last: `done_at` has the latest at the end.
pub(super) fn add(done_at: &mut Vec<Timestamp>, now: Timestamp) {
    done_at.push(done_at.last().copied().map_or(now, |last| last.max(now)));
}

/// Until it was done less than `most` times within `period` seconds.
pub(super) fn wait(done_at: &[Timestamp], now: Timestamp, most: usize, period: u64) -> Option<Wait> {
    let index = done_at.len().checked_sub(most)?;
    let left = done_at.get(index)?.plus_seconds(period).seconds_since(now);
    (left > 0).then_some(Wait { seconds: left })
}
