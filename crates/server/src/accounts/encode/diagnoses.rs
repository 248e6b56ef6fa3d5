//! Of version 3 of the vault, before the history: when support asked what was wrong with a code. What a version has never
//! changes: what comes later gets a version, and a file, of its own.

use einmal_core::Timestamp;
use einmal_core::account::Account;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Default, PartialEq)]
pub(super) struct DiagnosesAddition {
    diagnosed_at: Vec<u64>,
}

impl DiagnosesAddition {
    pub(super) fn of(account: &Account) -> Self {
        Self { diagnosed_at: account.diagnosed_at.iter().map(|at| at.seconds()).collect() }
    }

    pub(super) fn add_to(self, account: &mut Account) {
        account.diagnosed_at = self.diagnosed_at.into_iter().map(Timestamp::from_seconds).collect();
    }
}
