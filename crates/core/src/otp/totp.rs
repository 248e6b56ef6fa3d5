//! TOTP (RFC 6238): codes by time step, and which step a code belongs to.

use super::{Algorithm, Code, Parameters, Secret, hotp};
use crate::Timestamp;
use crate::policy::MAX_DRIFT_STEPS;
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};

/// A secret and how it is used.
#[derive(Clone, PartialEq)]
pub struct Totp {
    secret: Secret,
    parameters: Parameters,
}

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum TotpError {
    #[error("digits is {0}, expected 6 to 8")]
    Digits(u64),
    #[error("period is {0}, expected 15 to 120 seconds")]
    Period(u64),
}

/// The steps that an attempt tries, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    pub first: u64,
    pub last: u64,
}

impl Window {
    /// Within `skew` steps of `now`, and of `now` moved by the learned drift.
    pub fn around(now: u64, skew: u8, drift: i8) -> Self {
        let drift = drift.clamp(-MAX_DRIFT_STEPS, MAX_DRIFT_STEPS);
        let skew = u64::from(skew);
        Self {
            first: now.saturating_add_signed(drift.min(0).into()).saturating_sub(skew),
            last: now.saturating_add_signed(drift.max(0).into()).saturating_add(skew),
        }
    }

    pub fn steps(self) -> u64 {
        self.last - self.first + 1
    }
}

impl Totp {
    pub const DEFAULT_DIGITS: u8 = 6;
    pub const DEFAULT_PERIOD: u32 = 30;

    pub fn new(secret: Secret, algorithm: Algorithm, digits: u64, period: u64) -> Result<Self, TotpError> {
        Ok(Self { secret, parameters: Parameters::new(algorithm, digits, period)? })
    }

    /// The same secret, used in another way.
    #[must_use]
    pub fn with_parameters(&self, parameters: Parameters) -> Self {
        Self { secret: self.secret.clone(), parameters }
    }

    pub fn check_digits(digits: u64) -> Result<u8, TotpError> {
        let checked = u8::try_from(digits).ok().filter(|digits| (6..=8).contains(digits));
        checked.ok_or(TotpError::Digits(digits))
    }

    pub fn check_period(period: u64) -> Result<u32, TotpError> {
        let checked = u32::try_from(period).ok().filter(|period| (15..=120).contains(period));
        checked.ok_or(TotpError::Period(period))
    }

    pub fn secret(&self) -> &Secret {
        &self.secret
    }

    pub fn parameters(&self) -> Parameters {
        self.parameters
    }

    pub fn algorithm(&self) -> Algorithm {
        self.parameters.algorithm()
    }

    pub fn digits(&self) -> u8 {
        self.parameters.digits()
    }

    /// Seconds a step lasts.
    pub fn period(&self) -> u32 {
        self.parameters.period()
    }

    /// The step that `time` falls into (RFC 6238 section 4.2, T0 = 0).
    pub fn step_at(&self, time: Timestamp) -> u64 {
        time.seconds() / u64::from(self.period())
    }

    pub fn code_at(&self, step: u64) -> Code {
        hotp(self.secret.bytes(), self.algorithm(), step, self.digits())
    }

    /// The highest step of `window` whose code this is. All candidates are computed and compared without an
    /// early exit, so that time tells neither whether nor where one matched.
    pub fn matching_step(&self, code: &Code, window: Window) -> Option<u64> {
        let mut matched = 0;
        let mut any = Choice::from(0);
        for step in window.first..=window.last {
            let equal = self.code_at(step).ct_eq(code);
            matched.conditional_assign(&step, equal);
            any |= equal;
        }
        bool::from(any).then_some(matched)
    }

    /// The step nearest to `middle`, at most `reach` from it, whose code this is; of two at one distance the later. In the
    /// same time whatever matches.
    pub(crate) fn nearest_step(&self, code: &Code, middle: u64, reach: u64) -> Option<u64> {
        let mut nearest = 0;
        let mut any = Choice::from(0);
        for distance in (0..=reach).rev() {
            for step in [middle.saturating_sub(distance), middle.saturating_add(distance)] {
                let equal = self.code_at(step).ct_eq(code);
                nearest.conditional_assign(&step, equal);
                any |= equal;
            }
        }
        bool::from(any).then_some(nearest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_covers_the_clock_and_the_learned_drift() {
        assert_eq!(Window::around(100, 1, 0), Window { first: 99, last: 101 });
        assert_eq!(Window::around(100, 1, -2), Window { first: 97, last: 101 });
        assert_eq!(Window::around(100, 1, 2), Window { first: 99, last: 103 });
        assert_eq!(Window::around(100, 0, 100), Window { first: 100, last: 102 });
    }

    #[test]
    fn a_window_does_not_reach_below_the_first_step() {
        assert_eq!(Window::around(0, 1, -2), Window { first: 0, last: 1 });
        assert_eq!(Window::around(u64::MAX, 1, 2).steps(), 2);
    }

    #[test]
    fn of_several_steps_with_one_code_the_nearest_is_found_and_of_two_as_near_the_later() {
        let totp = Totp::new(Secret::from_bytes(vec![7; 20]).unwrap(), Algorithm::Sha1, 6, 30).unwrap();
        let mut seen = std::collections::HashMap::new();
        // Two steps with one code, an even number of steps apart and no more than the search reaches.
        let (first, second) = (1_000_u64..)
            .find_map(|step| {
                let earlier = seen.insert(totp.code_at(step).as_str().to_owned(), step)?;
                (step - earlier <= 20 && (step - earlier).is_multiple_of(2)).then_some((earlier, step))
            })
            .unwrap();
        let (code, middle) = (totp.code_at(first), first.midpoint(second));
        assert_eq!(totp.nearest_step(&code, middle, 20), Some(second));
        assert_eq!(totp.nearest_step(&code, middle - 1, 20), Some(first));
        assert_eq!(totp.nearest_step(&code, middle + 1, 20), Some(second));
        assert_eq!(totp.nearest_step(&code, second + 20, 20), Some(second));
        assert_eq!(totp.nearest_step(&code, second + 21, 20), None);
    }
}
