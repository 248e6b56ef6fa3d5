//! Which step is whose: the servers' injected clocks are moved on as the requests go round, so that a right code is
//! always in the window and no window has to be waited for.

use crate::population::STEP_SECONDS;
use einmal::clock::{Clock, SystemClock};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::Sender;

pub enum StepClock {
    Injected(InjectedClock),
    /// The system's, for servers that take no other. Whoever uses it must not ask an account twice in a step.
    System,
}

/// Round `r` brings codes of step `first + r`.
pub struct InjectedClock {
    first: u64,
    /// The step that all servers are in; set by who moves them.
    reached: Arc<AtomicU64>,
    /// Steps that they are to move to.
    orders: Option<Sender<u64>>,
}

impl StepClock {
    /// `orders` go to whoever moves the servers and then sets `reached`, which is `first + 1` now.
    pub fn injected(first: u64, reached: Arc<AtomicU64>, orders: Sender<u64>) -> Self {
        Self::Injected(InjectedClock { first, reached, orders: Some(orders) })
    }

    /// One that waits for nobody, for servers that do not look at codes.
    pub fn free(first: u64) -> Self {
        Self::Injected(InjectedClock { first, reached: Arc::new(AtomicU64::new(u64::MAX - 1)), orders: None })
    }

    /// The step of a round, if servers take its codes now: those of their step, the one before and the next.
    pub fn step_of(&self, round: u64) -> Option<u64> {
        match self {
            Self::Injected(clock) => {
                let step = clock.first + round;
                (step <= clock.reached.load(Ordering::Acquire) + 1).then_some(step)
            }
            Self::System => Some(SystemClock.now().seconds() / STEP_SECONDS),
        }
    }

    /// The step of round 0, where rounds have steps of their own.
    pub fn first_step(&self) -> Option<u64> {
        match self {
            Self::Injected(clock) => Some(clock.first),
            Self::System => None,
        }
    }

    /// No request of an earlier round is under way any more, nor will be.
    pub fn all_are_in(&self, round: u64) {
        if let Self::Injected(InjectedClock { first, orders: Some(orders), .. }) = self {
            // If nobody takes orders any more, the next request fails and says why.
            let _ = orders.send(first + round + 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::channel;

    #[test]
    fn no_code_is_sent_that_the_servers_would_not_take() {
        let (sender, orders) = channel();
        let reached = Arc::new(AtomicU64::new(101));
        let clock = StepClock::injected(100, Arc::clone(&reached), sender);
        assert_eq!((clock.step_of(0), clock.step_of(2), clock.step_of(3)), (Some(100), Some(102), None));
        clock.all_are_in(1);
        assert_eq!(orders.try_recv(), Ok(102));
        assert_eq!(clock.step_of(3), None, "before the servers have moved");
        reached.store(102, Ordering::Release);
        assert_eq!(clock.step_of(3), Some(103));
    }
}
