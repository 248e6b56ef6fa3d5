//! What a code that is wrong for a secret is right for: another time, or the same secret used in another way. It must
//! change nothing and make no code good by itself, and it takes the same time whatever it finds.

use super::Credential;
use crate::Timestamp;
use crate::otp::{Code, Parameters, Window};
use crate::policy::Policy;

/// How many steps it looks to either side where the secret is used as it is stored.
const CLOCK_STEPS: u64 = 20;
/// The same where it is used in another way: each of them is one more way to be right by chance.
const PROBED_STEPS: u64 = 5;

/// How an app is set that shows such a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NearMiss {
    /// How it uses the secret, if not as it is stored.
    pub parameters: Option<Parameters>,
    /// By how much its clock is ahead of ours, and behind if it is less than 0; 0 if it is right.
    pub clock_seconds: i64,
}

/// A use of the secret for which the code is right.
pub(super) struct Use {
    pub(super) parameters: Parameters,
    /// The nearest one.
    pub(super) step: u64,
    /// From the clock's step to that one.
    offset: i64,
}

impl Credential {
    /// Of several uses for which the code is right, the one that has most in common with how the secret is stored, and of
    /// those the one that is nearest in time. Asked about a code that is in the secret's own window, it finds that.
    pub(super) fn use_of(&self, code: &Code, now: Timestamp) -> Option<Use> {
        let stored = self.totp.parameters();
        let others = Parameters::of_apps().filter(|one| *one != stored);
        let all = std::iter::once((stored, CLOCK_STEPS)).chain(others.map(|one| (one, PROBED_STEPS)));
        let fitting = all.filter(|(parameters, _)| parameters.digits() == code.digits());
        let found = fitting.filter_map(|(parameters, reach)| {
            let totp = self.totp.with_parameters(parameters);
            let middle = totp.step_at(now);
            let step = totp.nearest_step(code, middle, reach)?;
            // Both within `reach` of each other.
            let offset = i64::try_from(i128::from(step) - i128::from(middle)).ok()?;
            Some(Use { parameters, step, offset })
        });
        found.min_by_key(|one| (one.parameters.differences(stored), one.offset.unsigned_abs()))
    }

    /// The same, for a code that is not in the window.
    pub(super) fn near_miss(&self, found: &Use, policy: &Policy) -> NearMiss {
        let is_stored = found.parameters == self.totp.parameters();
        let seconds = found.offset.saturating_mul(i64::from(found.parameters.period()));
        let is_in_time = !is_stored && found.offset.unsigned_abs() <= u64::from(policy.skew_steps);
        NearMiss {
            parameters: (!is_stored).then_some(found.parameters),
            clock_seconds: if is_in_time { 0 } else { seconds },
        }
    }

    /// The last step at which the code is right for that use, if it is right now: by the clock alone, as no drift is known
    /// of an app that uses the secret in another way.
    pub(super) fn step_of_use(
        &self,
        code: &Code,
        parameters: Parameters,
        now: Timestamp,
        policy: &Policy,
    ) -> Option<u64> {
        let totp = self.totp.with_parameters(parameters);
        totp.matching_step(code, Window::around(totp.step_at(now), policy.skew_steps, 0))
    }
}
