//! Whose codes are tried in a simulated world: a secret, and digits that are nobody's.

use super::schedule::SeededEntropy;
use crate::harness::clock::NOW;
use einmal_core::Timestamp;
use einmal_core::account::{Account, AccountId};
use einmal_core::otp::{Algorithm, Code, Secret, Totp};
use std::collections::BTreeSet;
use uuid::Uuid;

pub(crate) const PERIOD: u64 = 30;

/// Around the beginning, as far as clocks leap and a world lasts.
const STEPS: std::ops::Range<u64> = NOW / PERIOD - 40..NOW / PERIOD + 80;

pub(crate) struct User {
    pub(crate) id: AccountId,
    totp: Totp,
    /// Of all steps that a clock of this world may show.
    codes: BTreeSet<String>,
}

impl User {
    /// No two of its steps have the same digits: a judge tells codes apart by their steps.
    pub(crate) fn new(number: usize, entropy: &SeededEntropy) -> Self {
        loop {
            let secret = Secret::generate(Algorithm::Sha1, entropy).unwrap();
            let totp = Totp::new(secret, Algorithm::Sha1, 6, PERIOD).unwrap();
            let codes: BTreeSet<_> = STEPS.map(|step| totp.code_at(step).as_str().to_owned()).collect();
            if codes.len() == STEPS.count() {
                return Self { id: AccountId::new("main", format!("user-{number}")), totp, codes };
            }
        }
    }

    pub(crate) fn account(&self) -> Account {
        let mut account = Account::default();
        account.enrol_device(Uuid::from_u128(1), self.totp.clone(), Timestamp::from_seconds(NOW));
        account
    }

    pub(crate) fn code(&self, step: u64) -> Code {
        self.totp.code_at(step)
    }

    /// Whether these digits are one of its codes at any time.
    pub(crate) fn has(&self, code: &Code) -> bool {
        self.codes.contains(code.as_str())
    }
}
