//! How far an account had come when it was answered for: its last step, and the failures since. Both are one order in which every
//! acknowledged write has a place of its own, whatever clocks say; an account that was forgotten goes back in it.

use crate::harness::history::History;
use einmal_core::account::Account;
use std::sync::Mutex;
use std::time::Duration;

/// Compared from the first field to the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Mark {
    last_step: Option<u64>,
    failures: u32,
}

impl Mark {
    pub(crate) fn of(account: &Account) -> Self {
        // Of an account that a lapse has lost there is nothing.
        let progress = account.devices.first().map(|device| device.progress.clone()).unwrap_or_default();
        Self { last_step: progress.last_step, failures: progress.failures }
    }
}

#[derive(Clone, Copy, Debug)]
struct Answered {
    user: usize,
    started: Duration,
    ended: Duration,
    mark: Mark,
}

#[derive(Default)]
pub(crate) struct Marks(Mutex<Vec<Answered>>);

impl Marks {
    /// Of a wrong code or an accepted one of the secret, each of which takes the account further.
    pub(crate) fn note(&self, user: usize, started: Duration, history: &History, mark: Mark) {
        self.0.lock().unwrap().push(Answered { user, started, ended: history.now(), mark });
    }

    pub(crate) fn violations(&self) -> Vec<String> {
        let answered = self.0.lock().unwrap();
        let mut violations = Vec::new();
        for (index, one) in answered.iter().enumerate() {
            for other in answered[..index].iter().filter(|other| other.user == one.user) {
                let (before, after) = if other.ended < one.started { (other, one) } else { (one, other) };
                let went_back = before.ended < after.started && before.mark > after.mark;
                if one.mark == other.mark || went_back {
                    violations.push(format!("the account forgot: {before:?}, then {after:?}"));
                }
            }
        }
        violations
    }
}
