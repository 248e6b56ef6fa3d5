//! An account that an operator puts in the place of one that exists.

use super::Account;

impl Account {
    /// Takes over from `existing` what must outlive a replacement: last steps and budgets of unchanged secrets,
    /// and waits. A step never goes back, so that no code is good twice.
    pub fn inherit(&mut self, existing: &Self) {
        for (_, credential) in self.credentials_mut() {
            // The same secret may have been enrolled more than once.
            for (_, old) in existing.credentials().filter(|(_, old)| old.totp == credential.totp) {
                let (new, old) = (&mut credential.progress, &old.progress);
                new.last_step = new.last_step.max(old.last_step);
                new.guess_units = new.guess_units.max(old.guess_units);
                new.failures = new.failures.max(old.failures);
                new.last_used_at = new.last_used_at.max(old.last_used_at);
                new.drift = old.drift;
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
