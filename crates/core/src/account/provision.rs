//! What an operator puts into a store: alone, or in the place of an account that exists.

use super::{Account, Credential, HistoryKind, Progress};
use crate::Timestamp;

impl Account {
    /// Takes over from `existing` what must outlive a replacement: last steps and budgets of unchanged secrets,
    /// waits, how much was mailed and diagnosed, and what was done to it. A step never goes back, so that no code is good
    /// twice.
    pub fn inherit(&mut self, existing: &Self, now: Timestamp) {
        for (_, credential) in self.credentials_mut() {
            for (_, old) in existing.credentials().filter(|(_, old)| old.totp == credential.totp) {
                credential.progress = credential.progress.united_with(&old.progress);
            }
        }
        self.unite_progress();
        self.mailing = existing.mailing.clone();
        self.accepted_verifications = existing.accepted_verifications.clone();
        self.diagnosed_at.clone_from(&existing.diagnosed_at);
        self.otp_throttle = existing.otp_throttle.clone();
        self.password_throttle = existing.password_throttle.clone();
        // A PIN that died of guesses stays dead unless another one is set.
        if self.pin == existing.pin {
            self.pin_throttle = existing.pin_throttle.clone();
        }
        self.history = existing.history.clone();
        self.history.add(HistoryKind::AccountReplaced, None, now);
    }

    /// A secret that is enrolled twice is one secret, with one progress: or else a step that is spent here could be
    /// good there, and each enrolment would add a guess budget. Whoever puts credentials into an account calls
    /// this; every attempt keeps it so.
    pub fn unite_progress(&mut self) {
        let united = |one: &Credential| {
            let twins = self.credentials().filter(|(_, twin)| twin.totp == one.totp);
            twins.fold(Progress::default(), |progress, (_, twin)| progress.united_with(&twin.progress))
        };
        let united: Vec<_> = self.credentials().map(|(_, one)| united(one)).collect();
        for ((_, credential), progress) in self.credentials_mut().zip(united) {
            credential.progress = progress;
        }
    }
}
