//! The pieces that PHC and modular-crypt strings are made of. One spelling for each value: no signs, no leading
//! zeros, no padding.

use super::HashError;
use data_encoding::{BASE64_NOPAD, Encoding, Specification};
use std::sync::LazyLock;

/// Which hash is being read, for the message when it is malformed.
pub(super) struct Fields {
    scheme: &'static str,
    expected: &'static str,
}

impl Fields {
    pub(super) fn of(scheme: &'static str, expected: &'static str) -> Self {
        Self { scheme, expected }
    }

    pub(super) fn malformed(&self) -> HashError {
        HashError::Malformed { scheme: self.scheme, expected: self.expected }
    }

    pub(super) fn need<T>(&self, value: Option<T>) -> Result<T, HashError> {
        value.ok_or_else(|| self.malformed())
    }

    /// Exactly `N` parts between dollar signs.
    pub(super) fn split<'t, const N: usize>(&self, text: &'t str) -> Result<[&'t str; N], HashError> {
        let parts: Vec<&str> = text.split('$').collect();
        self.need(parts.try_into().ok())
    }

    /// Exactly these parameters, in this order.
    pub(super) fn parameters<const N: usize>(
        &self,
        text: &str,
        names: [&str; N],
    ) -> Result<[u64; N], HashError> {
        let given: Vec<&str> = text.split(',').collect();
        if given.len() != N {
            return Err(self.malformed());
        }
        let numbers: Option<Vec<u64>> =
            given.into_iter().zip(names).map(|(pair, name)| value(pair, name).and_then(decimal)).collect();
        self.need(numbers.and_then(|numbers| numbers.try_into().ok()))
    }
}

pub(super) fn value<'t>(pair: &'t str, name: &str) -> Option<&'t str> {
    pair.strip_prefix(name)?.strip_prefix('=')
}

pub(super) fn decimal(text: &str) -> Option<u64> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    if plain { text.parse().ok() } else { None }
}

/// Base64 as PHC strings have it: standard characters, no padding, no stray bits.
pub(super) fn base64(text: &str) -> Option<Vec<u8>> {
    BASE64_NOPAD.decode(text.as_bytes()).ok()
}

/// passlib writes `.` where base64 has `+`.
pub(super) fn passlib_base64(text: &str) -> Option<Vec<u8>> {
    base64(&text.replace('.', "+"))
}

/// The alphabet of bcrypt. Some writers fill the unused bits of the last character, so those are not looked at.
pub(super) fn bcrypt_base64(text: &str) -> Option<Vec<u8>> {
    static BCRYPT: LazyLock<Encoding> = LazyLock::new(|| {
        let mut specification = Specification::new();
        specification.symbols.push_str("./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789");
        specification.check_trailing_bits = false;
        // The table above is a valid one, so the other arm is never taken.
        specification.encoding().unwrap_or(BASE64_NOPAD)
    });
    BCRYPT.decode(text.as_bytes()).ok()
}
