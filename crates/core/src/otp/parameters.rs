//! How a secret is used: what an app has to agree on with whoever verifies its codes.

use super::{Algorithm, Totp, TotpError};
use std::fmt;

/// Digits are 6 to 8 and the period 15 to 120 s, by construction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parameters {
    algorithm: Algorithm,
    digits: u8,
    period: u32,
}

impl Parameters {
    pub fn new(algorithm: Algorithm, digits: u64, period: u64) -> Result<Self, TotpError> {
        let (digits, period) = (Totp::check_digits(digits)?, Totp::check_period(period)?);
        Ok(Self { algorithm, digits, period })
    }

    /// Those that authenticator apps use, whatever they were told: some ignore what stands in the URI, and where the key
    /// is typed in by hand, people choose.
    pub fn of_apps() -> impl Iterator<Item = Self> {
        Algorithm::ALL.into_iter().flat_map(|algorithm| {
            [6, 8].into_iter().flat_map(move |digits| {
                [30, 60].into_iter().map(move |period| Self { algorithm, digits, period })
            })
        })
    }

    pub fn algorithm(self) -> Algorithm {
        self.algorithm
    }

    pub fn digits(self) -> u8 {
        self.digits
    }

    /// Seconds a step lasts.
    pub fn period(self) -> u32 {
        self.period
    }

    /// In how many of the three they differ.
    pub(crate) fn differences(self, other: Self) -> u8 {
        u8::from(self.algorithm != other.algorithm)
            + u8::from(self.digits != other.digits)
            + u8::from(self.period != other.period)
    }
}

/// As people say it: `SHA1, 6 digits, 30 s`.
impl fmt::Display for Parameters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {} digits, {} s", self.algorithm, self.digits, self.period)
    }
}
