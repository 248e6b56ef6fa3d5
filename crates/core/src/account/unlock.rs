//! What support does for an owner who was locked out.

use super::{Account, HistoryKind};
use crate::Timestamp;
use crate::policy::Policy;

impl Account {
    /// Lifts waits, and the suspension of secrets that took their guesses. What is spent stays spent, a code that
    /// died stays dead, and so does a PIN: until a new one is set, or whoever guesses at it could be let on and on.
    pub fn unlock(&mut self, now: Timestamp) {
        for (_, credential) in self.credentials_mut() {
            credential.progress.guess_units = 0;
            credential.progress.failures = 0;
        }
        self.otp_throttle.clear();
        self.password_throttle.clear();
        if self.pin_throttle.failures < Policy::PIN_FAILURES {
            self.pin_throttle.clear();
        }
        self.history.add(HistoryKind::Unlocked, None, now);
    }
}
