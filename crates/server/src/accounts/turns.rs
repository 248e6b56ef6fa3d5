//! One attempt at a time per account inside a replica, so that version conflicts come from other replicas
//! only. A turn is held for one update loop, never while slow work goes on.

use crate::metrics::{Stage, Stages};
use einmal_core::account::AccountId;
use std::collections::hash_map::{Entry, RandomState};
use std::collections::{HashMap, VecDeque};
use std::hash::BuildHasher;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::timeout;

const SHARDS: usize = 64;
/// Attempts that may wait for one account.
const MAX_WAITING: usize = 64;
/// With a store that is slow to refuse, the last of many would wait for minutes; a client has gone by then.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

pub(super) struct Turns {
    hasher: RandomState,
    shards: [Mutex<Shard>; SHARDS],
}

impl Default for Turns {
    fn default() -> Self {
        Self { hasher: RandomState::new(), shards: std::array::from_fn(|_| Mutex::default()) }
    }
}

/// Accounts whose turn somebody has, with those who wait for it.
type Shard = HashMap<AccountId, VecDeque<oneshot::Sender<Turn>>>;

/// Too many wait for this account, or for too long.
#[derive(Debug)]
pub(super) struct Crowded;

/// The right to work on an account; passed on when dropped, also to a waiter that has gone, who drops it in turn.
pub(super) struct Turn {
    turns: Arc<Turns>,
    id: AccountId,
}

impl Turns {
    pub(super) async fn take(self: &Arc<Self>, id: &AccountId, stages: &Stages) -> Result<Turn, Crowded> {
        let waiting = {
            let mut shard = self.shard(id);
            match shard.entry(id.clone()) {
                Entry::Vacant(entry) => {
                    entry.insert(VecDeque::new());
                    None
                }
                Entry::Occupied(mut entry) => {
                    if entry.get().len() >= MAX_WAITING {
                        return Err(Crowded);
                    }
                    let (sender, receiver) = oneshot::channel();
                    entry.get_mut().push_back(sender);
                    Some(receiver)
                }
            }
        };
        match waiting {
            None => Ok(Turn { turns: Arc::clone(self), id: id.clone() }),
            Some(receiver) => {
                let _waiting = stages.time(Stage::Turn);
                timeout(LONGEST_WAIT, receiver).await.ok().and_then(Result::ok).ok_or(Crowded)
            }
        }
    }

    fn shard(&self, id: &AccountId) -> MutexGuard<'_, Shard> {
        #[expect(clippy::cast_possible_truncation, reason = "any bits of a hash will do")]
        let index = self.hasher.hash_one(id) as usize % SHARDS;
        #[expect(clippy::indexing_slicing, reason = "the index is taken modulo the length")]
        let shard = &self.shards[index];
        // Nothing between lock and unlock can leave the map half changed.
        shard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let next = {
            let mut shard = self.turns.shard(&self.id);
            let next = shard.get_mut(&self.id).and_then(VecDeque::pop_front);
            if next.is_none() {
                shard.remove(&self.id);
            }
            next
        };
        if let Some(next) = next {
            drop(next.send(Self { turns: Arc::clone(&self.turns), id: self.id.clone() }));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Metrics;

    fn id() -> AccountId {
        AccountId::new("main", "alice")
    }

    #[tokio::test]
    async fn one_works_64_wait_and_the_next_is_turned_away() {
        let turns = Arc::new(Turns::default());
        let first = turns.take(&id(), &Metrics::default().stages).await.unwrap();
        let mut waiting: Vec<_> = (0..MAX_WAITING)
            .map(|_| {
                let turns = Arc::clone(&turns);
                tokio::spawn(async move { turns.take(&id(), &Metrics::default().stages).await.map(drop) })
            })
            .collect();
        while turns.shard(&id()).get(&id()).map(VecDeque::len) != Some(MAX_WAITING) {
            tokio::task::yield_now().await;
        }
        assert!(turns.take(&id(), &Metrics::default().stages).await.is_err());
        assert!(turns.take(&AccountId::new("main", "bob"), &Metrics::default().stages).await.is_ok());
        drop(first);
        for waiter in waiting.drain(..) {
            assert!(waiter.await.unwrap().is_ok());
        }
        assert!(turns.shard(&id()).is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_forever_for_a_turn() {
        let turns = Arc::new(Turns::default());
        let first = turns.take(&id(), &Metrics::default().stages).await.unwrap();
        assert!(turns.take(&id(), &Metrics::default().stages).await.is_err());
        drop(first);
        assert!(turns.take(&id(), &Metrics::default().stages).await.is_ok());
    }

    #[tokio::test]
    async fn a_waiter_that_has_gone_passes_its_turn_on() {
        let turns = Arc::new(Turns::default());
        let first = turns.take(&id(), &Metrics::default().stages).await.unwrap();
        let gone = tokio::spawn({
            let turns = Arc::clone(&turns);
            async move { turns.take(&id(), &Metrics::default().stages).await.map(std::mem::forget) }
        });
        while turns.shard(&id()).get(&id()).map(VecDeque::len) != Some(1) {
            tokio::task::yield_now().await;
        }
        gone.abort();
        assert!(gone.await.is_err());
        drop(first);
        assert!(turns.take(&id(), &Metrics::default().stages).await.is_ok());
    }
}
