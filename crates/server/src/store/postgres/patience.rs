//! How long a group goes on waiting for locks of others, and for whom it no longer does. Must never let it come to its
//! deadline by such waits: the connection would be given up, and nobody would know what became of its writes.

use super::failure::Failure;
use einmal_core::account::AccountId;
use std::collections::HashMap;
use std::time::Duration;
use tokio::time::Instant;

/// What must be left for one more wait: the server's `lock_timeout`, and what a statement takes besides.
const ROOM: Duration = Duration::from_millis(1500);

pub(super) struct Patience {
    pub(super) deadline: Instant,
    /// The last wait that was lost.
    lost: Option<Failure>,
    /// Accounts that somebody else holds.
    stuck: HashMap<AccountId, Failure>,
}

impl Patience {
    pub(super) fn until(deadline: Instant) -> Self {
        Self { deadline, lost: None, stuck: HashMap::new() }
    }

    /// Refuses what would have to be waited for too long, should it be held by somebody, too.
    pub(super) fn allows_more(&self) -> Result<(), Failure> {
        match &self.lost {
            Some(lost) if self.deadline.saturating_duration_since(Instant::now()) < ROOM => Err(lost.clone()),
            _ => Ok(()),
        }
    }

    pub(super) fn note(&mut self, failure: &Failure) {
        if failure.is_lost_wait() {
            self.lost = Some(failure.clone());
        }
    }

    pub(super) fn give_up(&mut self, id: &AccountId, failure: &Failure) {
        self.stuck.insert(id.clone(), failure.clone());
    }

    /// Why this account is no longer asked for, if it is not.
    pub(super) fn refusal(&self, id: &AccountId) -> Option<&Failure> {
        self.stuck.get(id)
    }
}
