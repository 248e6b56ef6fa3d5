//! How fast refusals leave. Nothing bounds how often somebody asks who is not known or finds no room: many of them
//! that ask again as soon as they are answered would have the cores to themselves. So refusals leave one after the
//! other, and a client that waits for its answer asks less. Who is not refused waits for none of them.

use crate::metrics::Counter;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::{Instant, Sleep, sleep_until};

/// Nobody is held for longer: what waits here is what a proxy waits for, too. So of more than half a second's worth
/// that wait at a time, each still leaves.
const LONGEST: Duration = Duration::from_millis(500);

/// Further ones are not held, for what waits takes memory. As many as there are connections by default.
const MOST_HELD: usize = 10_000;

/// Of one kind of refusals.
#[derive(Debug)]
pub struct Pace {
    /// Between one and the next.
    apart: Duration,
    /// How many may leave at once when none have for a while.
    at_once: u32,
    begun_at: Instant,
    /// When the next one's turn is, in nanoseconds after `begun_at`.
    next: AtomicU64,
    held: Arc<AtomicUsize>,
    count: Counter,
}

/// A refusal's place among those that wait: over when it leaves.
pub struct Turn {
    sleep: Pin<Box<Sleep>>,
    held: Arc<AtomicUsize>,
}

impl Future for Turn {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.sleep.as_mut().poll(cx)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.held.fetch_sub(1, Relaxed);
    }
}

impl Pace {
    /// Of answers to requests: at 500 a second they cost some 3 % of one core. `count`: of those that were held.
    pub fn of_requests(count: Counter) -> Self {
        Self::new(Duration::from_millis(2), 100, count)
    }

    /// Of connections that are thrown out. Each has cost more than a request.
    pub fn of_connections(count: Counter) -> Self {
        Self::new(Duration::from_millis(10), 20, count)
    }

    fn new(apart: Duration, at_once: u32, count: Counter) -> Self {
        let (begun_at, next, held) = (Instant::now(), AtomicU64::new(0), Arc::default());
        Self { apart, at_once, begun_at, next, held, count }
    }

    /// Takes the turn of one more refusal. `None` if it may leave at once.
    pub fn refuse(&self) -> Option<Turn> {
        let now = nanoseconds(self.begun_at.elapsed());
        let earliest = now.saturating_sub(nanoseconds(self.apart * self.at_once.saturating_sub(1)));
        let latest = now.saturating_add(nanoseconds(LONGEST));
        let after = |turn: u64| Some(turn.max(earliest).saturating_add(nanoseconds(self.apart)).min(latest));
        let turn = self.next.fetch_update(Relaxed, Relaxed, after).unwrap_or(now).min(latest);
        if turn <= now {
            return None;
        }
        if self.held.fetch_add(1, Relaxed) >= MOST_HELD {
            self.held.fetch_sub(1, Relaxed);
            return None;
        }
        self.count.inc();
        let sleep = Box::pin(sleep_until(self.begun_at + Duration::from_nanos(turn)));
        Some(Turn { sleep, held: Arc::clone(&self.held) })
    }
}

/// Up to some 580 years.
fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::{advance, pause};

    fn pace() -> Pace {
        Pace::of_requests(Counter::default())
    }

    /// Of so many that come at once.
    fn delays(pace: &Pace, count: usize) -> Vec<Option<Turn>> {
        (0..count).map(|_| pace.refuse()).collect()
    }

    #[tokio::test]
    async fn a_few_refusals_wait_for_nothing_and_further_ones_leave_at_500_a_second() {
        pause();
        let pace = pace();
        advance(Duration::from_secs(5)).await;
        let now = Instant::now();
        let held = delays(&pace, 300);
        assert!(held[..100].iter().all(Option::is_none));
        let until: Vec<_> =
            held[100..].iter().map(|held| held.as_ref().unwrap().sleep.deadline() - now).collect();
        assert_eq!((until[0], until[199]), (Duration::from_millis(2), Duration::from_millis(400)));
        assert!(until.is_sorted());
        assert_eq!(pace.count.get(), 200);
    }

    #[tokio::test]
    async fn nobody_is_held_for_longer_than_half_a_second_and_soon_after_all_is_as_before() {
        pause();
        let pace = pace();
        advance(Duration::from_secs(5)).await;
        let now = Instant::now();
        let held = delays(&pace, 5_000);
        assert_eq!(held.last().unwrap().as_ref().unwrap().sleep.deadline() - now, LONGEST);
        drop(held);
        advance(LONGEST + Duration::from_millis(200)).await;
        assert!(delays(&pace, 100).iter().all(Option::is_none));
    }

    #[tokio::test]
    async fn no_more_wait_than_there_is_room_for_and_who_has_gone_makes_room() {
        pause();
        let pace = pace();
        advance(Duration::from_secs(5)).await;
        let held = delays(&pace, 100 + MOST_HELD);
        assert!(pace.refuse().is_none());
        drop(held);
        assert!(pace.refuse().is_some());
    }
}
