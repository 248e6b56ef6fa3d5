//! A code: 6 to 8 ASCII digits. Never an integer, for leading zeros count; never in a log.

use crate::{Entropy, EntropyError};
use subtle::{Choice, ConstantTimeEq};
use zeroize::{Zeroize, Zeroizing};

/// Digits as they were sent or computed. Two codes of different lengths are different.
#[derive(Clone)]
pub struct Code {
    digits: [u8; Code::MAX_DIGITS as usize],
    length: u8,
}

impl Code {
    pub const MIN_DIGITS: u8 = 6;
    pub const MAX_DIGITS: u8 = 8;
    /// Characters of a text that may be one: whoever copies a code copies spaces, too, but no page of them.
    pub const MAX_SENT_LENGTH: usize = 64;

    /// Ignores ASCII spaces and hyphens: people copy `123 456`. `None` for what is then no 6 to 8 digits. This
    /// is the only place where they are dropped, so that nothing can see a code in two spellings.
    pub fn parse(sent: &str) -> Option<Self> {
        let mut code = Self { digits: [0; Self::MAX_DIGITS as usize], length: 0 };
        for byte in sent.bytes().filter(|byte| !matches!(byte, b' ' | b'-')) {
            let place = code.digits.get_mut(usize::from(code.length))?;
            if !byte.is_ascii_digit() {
                return None;
            }
            *place = byte;
            code.length += 1;
        }
        (code.length >= Self::MIN_DIGITS).then_some(code)
    }

    /// The last `digits` decimal places of `number`, with leading zeros; digits outside of 6 to 8 are clamped.
    pub fn from_number(mut number: u32, digits: u8) -> Self {
        let length = digits.clamp(Self::MIN_DIGITS, Self::MAX_DIGITS);
        let mut code = Self { digits: [0; Self::MAX_DIGITS as usize], length };
        for place in code.digits.iter_mut().take(length.into()).rev() {
            *place = b'0' + (number % 10) as u8;
            number /= 10;
        }
        code
    }

    /// Six digits, each of the 1,000,000 codes equally likely.
    pub fn random(entropy: &dyn Entropy) -> Result<Self, EntropyError> {
        const CODES: u32 = 1_000_000;
        // The rest of the range is drawn again: a remainder alone would favour the lower codes.
        const FAIR: u32 = u32::MAX - u32::MAX % CODES;
        loop {
            let mut bytes = Zeroizing::new([0; 4]);
            entropy.fill(bytes.as_mut_slice())?;
            let number = u32::from_be_bytes(*bytes);
            if number < FAIR {
                return Ok(Self::from_number(number % CODES, Self::MIN_DIGITS));
            }
        }
    }

    /// How many digits it has.
    pub fn digits(&self) -> u8 {
        self.length
    }

    pub fn as_str(&self) -> &str {
        self.digits
            .get(..self.length.into())
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .unwrap_or_default()
    }
}

impl ConstantTimeEq for Code {
    fn ct_eq(&self, other: &Self) -> Choice {
        self.digits.ct_eq(&other.digits) & self.length.ct_eq(&other.length)
    }
}

impl Drop for Code {
    fn drop(&mut self) {
        self.digits.zeroize();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(sent: &str) -> Option<String> {
        Code::parse(sent).map(|code| code.as_str().to_owned())
    }

    #[test]
    fn spaces_and_hyphens_are_ignored_wherever_they_stand() {
        assert_eq!(parsed(" 123-456 ").as_deref(), Some("123456"));
        assert_eq!(parsed("12 34 56 78").as_deref(), Some("12345678"));
    }

    #[test]
    fn what_is_no_code_is_none() {
        for sent in [
            "",
            "12345",
            "123456789",
            "+773829",
            "7e5829",
            "773829.0",
            "773,829",
            "٧٧٣٨٢٩",
            "773829\0",
            "773\t829",
            "７７３８２９",
        ] {
            assert_eq!(parsed(sent), None, "{sent:?}");
        }
    }

    /// Four bytes at a time, in the order given.
    struct Scripted(std::sync::Mutex<Vec<u32>>);

    impl Entropy for Scripted {
        fn fill(&self, bytes: &mut [u8]) -> Result<(), EntropyError> {
            bytes.copy_from_slice(&self.0.lock().unwrap().remove(0).to_be_bytes());
            Ok(())
        }
    }

    #[test]
    fn a_random_code_may_be_any_of_a_million_and_none_is_favoured() {
        let drawn = |numbers: &[u32]| {
            let script = Scripted(std::sync::Mutex::new(numbers.to_vec()));
            Code::random(&script).unwrap().as_str().to_owned()
        };
        assert_eq!(drawn(&[0]), "000000");
        assert_eq!(drawn(&[999_999]), "999999");
        assert_eq!(drawn(&[4_293_999_999]), "999999");
        assert_eq!(
            drawn(&[4_294_000_000, u32::MAX, 42]),
            "000042",
            "beyond the last whole million: drawn again"
        );
    }

    #[test]
    fn leading_zeros_count() {
        assert_eq!(Code::from_number(123, 6).as_str(), "000123");
        assert_eq!(Code::from_number(1_234_567_890, 8).as_str(), "34567890");
        let six = Code::parse("000123").unwrap();
        assert!(bool::from(six.ct_eq(&Code::from_number(123, 6))));
        assert!(!bool::from(six.ct_eq(&Code::from_number(123, 8))));
    }
}
