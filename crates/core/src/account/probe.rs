//! The first code of an app that was just shown a secret. If it is not the expected one, the app may use the secret in
//! another way than it was told, or its clock is off: whoever confirms has the secret, so to look for that gives nothing
//! away. It must look at this one secret alone, and make nothing live whose next codes would be refused.

use super::Credential;
use super::near_miss::NearMiss;
use crate::Timestamp;
use crate::otp::{Code, Parameters};
use crate::policy::Policy;

/// What the code is for a pending secret.
pub(super) enum Probed {
    /// Right, at this step.
    Right(u64),
    /// Right for an app that uses the secret in this way, at this step.
    Adjusted(Parameters, u64),
    Near(NearMiss),
    Wrong,
}

impl Credential {
    /// An app is taken as it is only if its code is right at this moment, within the window that holds for every code. A clock
    /// that is further off is told and not made up for: its drift would be learned from a single code, and what the app
    /// shows a minute later could be out of reach.
    pub(super) fn probe(&self, code: &Code, now: Timestamp, policy: &Policy) -> Probed {
        if let Some(step) = self.live_step(code, now, policy) {
            return Probed::Right(step);
        }
        let Some(found) = self.use_of(code, now) else { return Probed::Wrong };
        let near = self.near_miss(&found, policy);
        let taken = near.parameters.filter(|_| policy.accept_other_parameters);
        match taken
            .and_then(|parameters| Some((parameters, self.step_of_use(code, parameters, now, policy)?)))
        {
            Some((parameters, step)) => Probed::Adjusted(parameters, step),
            None => Probed::Near(near),
        }
    }
}
