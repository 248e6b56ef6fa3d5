//! The shared secret of a TOTP credential. Wiped on drop, never shown.

use crate::otp::Algorithm;
use crate::{Entropy, EntropyError};
use data_encoding::BASE32_NOPAD;
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Secret(Vec<u8>);

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    #[error("the secret is not base32 (letters A to Z and digits 2 to 7)")]
    NotBase32,
    #[error("the secret has {0} bytes, expected {min} to {max}", min = Secret::MIN_BYTES, max = Secret::MAX_BYTES)]
    Length(usize),
}

impl Secret {
    /// 80 bits: what the oldest authenticator set-ups still use. RFC 4226 asks for 128.
    pub const MIN_BYTES: usize = 10;
    pub const MAX_BYTES: usize = 128;
    /// RFC 4226 section 4, R6.
    pub const RECOMMENDED_BYTES: usize = 16;

    pub fn from_bytes(bytes: Vec<u8>) -> Result<Self, SecretError> {
        let length = bytes.len();
        let secret = Self(bytes);
        if !(Self::MIN_BYTES..=Self::MAX_BYTES).contains(&length) {
            return Err(SecretError::Length(length));
        }
        Ok(secret)
    }

    /// Takes lower case, spaces, hyphens and padding, as people and other systems write secrets.
    pub fn from_base32(text: &str) -> Result<Self, SecretError> {
        let mut clean = Zeroizing::new(String::with_capacity(text.len()));
        clean.extend(
            text.trim_end_matches('=')
                .chars()
                .filter(|c| !matches!(c, ' ' | '-'))
                .map(|c| c.to_ascii_uppercase()),
        );
        let bytes = lenient_base32().decode(clean.as_bytes()).map_err(|_| SecretError::NotBase32)?;
        Self::from_bytes(bytes)
    }

    /// A fresh secret as long as the hash's output.
    pub fn generate(algorithm: Algorithm, entropy: &dyn Entropy) -> Result<Self, EntropyError> {
        let mut bytes = vec![0; algorithm.secret_length()];
        entropy.fill(&mut bytes)?;
        Ok(Self(bytes))
    }

    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Base32 without padding (RFC 4648 section 6).
    pub fn to_base32(&self) -> Zeroizing<String> {
        Zeroizing::new(BASE32_NOPAD.encode(&self.0))
    }
}

/// Some exporters leave the unused bits of the last character set; apps ignore them, so do we.
fn lenient_base32() -> data_encoding::Encoding {
    let mut specification = BASE32_NOPAD.specification();
    specification.check_trailing_bits = false;
    specification.encoding().unwrap_or(BASE32_NOPAD)
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_read_however_people_write_it() {
        let secret = Secret::from_base32("JBSWY3DPEHPK3PXP").unwrap();
        assert_eq!(Secret::from_base32("jbsw y3dp-ehpk 3pxp====").unwrap().bytes(), secret.bytes());
        assert_eq!(secret.to_base32().as_str(), "JBSWY3DPEHPK3PXP");
    }

    #[test]
    fn what_is_too_short_too_long_or_no_base32_is_refused() {
        assert_eq!(Secret::from_base32("JBSWY3DP").err(), Some(SecretError::Length(5)));
        assert_eq!(Secret::from_base32("JBSWY3DPEHPK3PX1").err(), Some(SecretError::NotBase32));
        assert_eq!(Secret::from_base32("").err(), Some(SecretError::Length(0)));
        assert_eq!(Secret::from_bytes(vec![0; 129]).err(), Some(SecretError::Length(129)));
    }
}
