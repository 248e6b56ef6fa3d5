//! The guard: what attempts leave behind.

use super::request::SealedRequest;
use crate::store::Version;
use einmal_core::Timestamp;
use einmal_core::account::{AcceptedRequests, Account, CodeState, IssuedCode, Progress, Throttle};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
pub(super) struct Guard {
    vault: [u8; 8],
    otp: GuardThrottle,
    pin: GuardThrottle,
    password: GuardThrottle,
    /// In the order of the vault: devices, then authenticators.
    credentials: Vec<GuardProgress>,
    account_code: Option<GuardCode>,
    login_code: Option<GuardCode>,
}

#[derive(Serialize, Deserialize)]
struct GuardThrottle {
    failures: u32,
    waits_until: Option<u64>,
}

#[derive(Serialize, Deserialize)]
struct GuardProgress {
    last_step: Option<u64>,
    drift: i8,
    guess_units: u64,
    failures: u32,
    last_used_at: Option<u64>,
}

#[derive(Serialize, Deserialize)]
struct GuardCode {
    state: u8,
    failures: u32,
}

impl Guard {
    pub(super) fn vault_version(&self) -> Version {
        Version::from_be_bytes(self.vault)
    }

    pub(super) fn of(account: &Account, vault: Version) -> Self {
        Self {
            vault: vault.to_be_bytes(),
            otp: GuardThrottle::of(&account.otp_throttle),
            pin: GuardThrottle::of(&account.pin_throttle),
            password: GuardThrottle::of(&account.password_throttle),
            credentials: account
                .credentials()
                .map(|(_, credential)| GuardProgress::of(&credential.progress))
                .collect(),
            account_code: account.account_code.as_ref().map(GuardCode::of),
            login_code: account.login_code.as_ref().map(GuardCode::of),
        }
    }

    /// `None` if guard and vault do not fit each other.
    pub(super) fn apply_to(self, account: &mut Account) -> Option<()> {
        account.otp_throttle = self.otp.into_throttle();
        account.pin_throttle = self.pin.into_throttle();
        account.password_throttle = self.password.into_throttle();
        let mut progress = self.credentials.into_iter();
        for (_, credential) in account.credentials_mut() {
            credential.progress = progress.next()?.into_progress();
        }
        apply_code(self.account_code, account.account_code.as_mut())?;
        apply_code(self.login_code, account.login_code.as_mut())?;
        progress.next().is_none().then_some(())
    }
}

fn apply_code(guard: Option<GuardCode>, issued: Option<&mut IssuedCode>) -> Option<()> {
    match (guard, issued) {
        (None, None) => Some(()),
        (Some(guard), Some(issued)) => {
            issued.state = match guard.state {
                0 => CodeState::Live,
                1 => CodeState::Spent,
                2 => CodeState::Dead,
                _ => return None,
            };
            issued.failures = guard.failures;
            Some(())
        }
        _ => None,
    }
}

impl GuardThrottle {
    fn of(throttle: &Throttle) -> Self {
        Self { failures: throttle.failures, waits_until: throttle.waits_until.map(Timestamp::seconds) }
    }

    fn into_throttle(self) -> Throttle {
        Throttle { failures: self.failures, waits_until: self.waits_until.map(Timestamp::from_seconds) }
    }
}

impl GuardProgress {
    fn of(progress: &Progress) -> Self {
        Self {
            last_step: progress.last_step,
            drift: progress.drift,
            guess_units: progress.guess_units,
            failures: progress.failures,
            last_used_at: progress.last_used_at.map(Timestamp::seconds),
        }
    }

    fn into_progress(self) -> Progress {
        Progress {
            last_step: self.last_step,
            drift: self.drift,
            guess_units: self.guess_units,
            failures: self.failures,
            last_used_at: self.last_used_at.map(Timestamp::from_seconds),
        }
    }
}

impl GuardCode {
    fn of(issued: &IssuedCode) -> Self {
        let state = match issued.state {
            CodeState::Live => 0,
            CodeState::Spent => 1,
            CodeState::Dead => 2,
        };
        Self { state, failures: issued.failures }
    }
}

/// Of version 2.
#[derive(Serialize, Deserialize, Default, PartialEq)]
pub(super) struct GuardAddition {
    verifications: Vec<SealedRequest>,
    /// Wrong codes for each pending authenticator, in the order of the vault.
    pending: Vec<u32>,
}

impl GuardAddition {
    pub(super) fn of(account: &Account) -> Self {
        Self {
            verifications: SealedRequest::all_of(&account.accepted_verifications),
            pending: account.pending_authenticators.iter().map(|pending| pending.failures).collect(),
        }
    }

    /// `None` if guard and vault do not fit each other.
    pub(super) fn apply_to(self, account: &mut Account) -> Option<()> {
        let verifications = self.verifications.into_iter().map(SealedRequest::into_accepted);
        account.accepted_verifications = AcceptedRequests(verifications.collect());
        let mut failures = self.pending.into_iter();
        for pending in &mut account.pending_authenticators {
            pending.failures = failures.next()?;
        }
        failures.next().is_none().then_some(())
    }
}
