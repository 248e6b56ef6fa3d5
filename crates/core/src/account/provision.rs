//! An account that an operator puts in the place of one that exists.

use super::Account;

impl Account {
    /// Takes over from `existing` what must outlive a replacement: last steps and budgets of unchanged secrets,
    /// and waits. A step never goes back, so that no code is good twice.
    pub fn inherit(&mut self, existing: &Self) {
        for (_, credential) in self.credentials_mut() {
            for (_, old) in existing.credentials().filter(|(_, old)| old.totp == credential.totp) {
                let last_step = credential.progress.last_step.max(old.progress.last_step);
                credential.progress = old.progress.clone();
                credential.progress.last_step = last_step;
            }
        }
        self.otp_throttle = existing.otp_throttle.clone();
        self.password_throttle = existing.password_throttle.clone();
        // A PIN that died of guesses stays dead unless another one is set.
        if self.pin == existing.pin {
            self.pin_throttle = existing.pin_throttle.clone();
        }
    }
}
