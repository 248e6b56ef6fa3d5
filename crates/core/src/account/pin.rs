//! What makes a PIN acceptable. 9,340 of the 10,000 are.

use super::{Account, HistoryKind, StoredHash};
use crate::Timestamp;

impl Account {
    /// A new PIN lives, whatever the one before it died of.
    pub fn set_pin(&mut self, hash: StoredHash, now: Timestamp) {
        self.pin = Some(hash);
        self.pin_throttle.clear();
        self.history.add(HistoryKind::PinSet, None, now);
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PinFault {
    #[error("a PIN has exactly 4 digits")]
    NotFourDigits,
    #[error("a PIN has at least 3 different digits")]
    TooFewDifferentDigits,
    #[error("a PIN is no run of digits up or down")]
    Run,
}

/// In a run 9 is followed by 0, so 9012 and 0987 are runs.
pub fn check_pin(pin: &str) -> Result<(), PinFault> {
    let &[a, b, c, d] = pin.as_bytes() else { return Err(PinFault::NotFourDigits) };
    let digits = [a, b, c, d];
    if !digits.iter().all(u8::is_ascii_digit) {
        return Err(PinFault::NotFourDigits);
    }
    let mut different = digits;
    different.sort_unstable();
    if different.windows(2).filter(|pair| pair.first() != pair.last()).count() < 2 {
        return Err(PinFault::TooFewDifferentDigits);
    }
    let follows = |from: u8, to: u8| (from - b'0' + 1) % 10 == to - b'0';
    let up = follows(a, b) && follows(b, c) && follows(c, d);
    let down = follows(b, a) && follows(c, b) && follows(d, c);
    if up || down { Err(PinFault::Run) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documented_examples_hold() {
        for pin in ["1235", "9875", "1012", "1123", "4378", "8299"] {
            assert_eq!(check_pin(pin), Ok(()), "{pin}");
        }
        for pin in ["1234", "9012", "0987", "6543"] {
            assert_eq!(check_pin(pin), Err(PinFault::Run), "{pin}");
        }
        for pin in ["1122", "1111", "0001"] {
            assert_eq!(check_pin(pin), Err(PinFault::TooFewDifferentDigits), "{pin}");
        }
        for pin in ["123", "456123", "", "12a5", "12 5", "١٢٣٥"] {
            assert_eq!(check_pin(pin), Err(PinFault::NotFourDigits), "{pin}");
        }
    }

    #[test]
    fn exactly_9340_pins_are_secure() {
        let secure = (0..10_000).filter(|number| check_pin(&format!("{number:04}")).is_ok()).count();
        assert_eq!(secure, 9_340);
    }
}
