//! What an account needs that came back from a backup: it has forgotten what was accepted since.

use super::{Account, CodeState};
use crate::Timestamp;
use crate::policy::{MAX_DRIFT_STEPS, Policy};

/// What was changed, for the operator.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Restored {
    /// TOTP secrets that were moved on.
    pub secrets: u64,
    /// Codes that were live and are dead.
    pub codes: u64,
}

impl Account {
    /// Spends whatever may have been accepted between backup and now: every step that could be in a window at this
    /// moment, whatever drift was learned since, and every code that was issued. A last step never goes back.
    pub fn after_restore(&mut self, now: Timestamp, policy: &Policy) -> Restored {
        let mut restored = Restored::default();
        let ahead = u64::from(policy.skew_steps) + u64::from(MAX_DRIFT_STEPS.unsigned_abs());
        for (_, credential) in self.credentials_mut() {
            let before = credential.progress.last_step;
            credential.spend(credential.totp.step_at(now).saturating_add(ahead));
            restored.secrets += u64::from(credential.progress.last_step != before);
        }
        for (_, issued) in self.issued_codes_mut() {
            if issued.state == CodeState::Live {
                issued.state = CodeState::Dead;
                restored.codes += 1;
            }
        }
        // A code of one that was confirmed after the backup could confirm it once more; and no mail is under way.
        self.pending_authenticators.clear();
        self.mailing.under_way = None;
        restored
    }
}
