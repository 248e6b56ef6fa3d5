//! Who goes on next in a simulated world, and what goes wrong in it: all of it is drawn from the seed. Time is tokio's
//! paused one, which leaps to the next sleeper; the real clock, other threads and the system's randomness have no part in it.

use crate::harness::seed::Seed;
use einmal_core::{Entropy, EntropyError};
use std::sync::Mutex;
use std::time::Duration;
use tokio::time::sleep;

/// What goes wrong in a world, each so many times in a thousand. Some worlds have nothing of one kind and much of another.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Odds {
    /// A group is refused, and nothing of it has happened.
    pub(crate) refused: u64,
    /// A write is given up by who sent it, and comes to the database later, if ever.
    pub(crate) late: u64,
    /// A write is given up while it waits for the standby.
    pub(crate) given_up: u64,
    /// A commit is acknowledged, and nobody hears of it.
    pub(crate) unheard: u64,
    /// A read comes from the standby, which is behind.
    pub(crate) behind: u64,
    /// A client does not wait for its answer.
    pub(crate) impatient: u64,
}

pub(crate) struct Schedule {
    seed: Mutex<Seed>,
    odds: Mutex<Odds>,
}

impl Schedule {
    /// Nothing goes wrong yet.
    pub(crate) fn new(seed: u64) -> Self {
        Self { seed: Mutex::new(Seed::new(seed)), odds: Mutex::default() }
    }

    /// From now on things go wrong, as often as the seed says.
    pub(crate) fn go_wrong(&self) {
        let odd = || [0, 5, 30, 120][self.index(4)];
        let (refused, late, given_up) = (odd(), odd(), odd());
        let (unheard, behind, impatient) = (odd(), odd() * 4, odd());
        *self.odds.lock().unwrap() = Odds { refused, late, given_up, unheard, behind, impatient };
    }

    /// From 0 to `bound` - 1.
    pub(crate) fn below(&self, bound: u64) -> u64 {
        self.seed.lock().unwrap().below(bound)
    }

    pub(crate) fn index(&self, length: usize) -> usize {
        usize::try_from(self.below(length as u64)).unwrap()
    }

    /// Whether it happens now, of what happens so many times in a thousand.
    pub(crate) fn happens(&self, odds: impl FnOnce(&Odds) -> u64) -> bool {
        let odds = odds(&self.odds.lock().unwrap());
        self.below(1_000) < odds
    }

    /// From now on nothing goes wrong.
    pub(crate) fn stop_going_wrong(&self) {
        *self.odds.lock().unwrap() = Odds::default();
    }

    /// Lets others go first, most often few of them and sometimes all. No step takes no time: what has begun when another
    /// has ended is after it.
    pub(crate) async fn step(&self) {
        let milliseconds = match self.below(100) {
            0..70 => 1 + self.below(4),
            70..94 => 1 + self.below(40),
            94..99 => 1 + self.below(400),
            _ => 1 + self.below(4_000),
        };
        sleep(Duration::from_millis(milliseconds)).await;
    }

    /// Lets very many others go first.
    pub(crate) async fn pause(&self, most: u64) {
        sleep(Duration::from_millis(1 + self.below(most))).await;
    }
}

/// Of a seed of its own, so that who draws how many bytes does not change who goes next.
pub(crate) struct SeededEntropy(Mutex<Seed>);

impl SeededEntropy {
    pub(crate) fn new(seed: u64) -> Self {
        Self(Mutex::new(Seed::new(!seed)))
    }
}

impl Entropy for SeededEntropy {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), EntropyError> {
        let mut seed = self.0.lock().unwrap();
        for byte in bytes {
            *byte = seed.byte();
        }
        Ok(())
    }
}
