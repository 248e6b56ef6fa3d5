//! The hash functions a TOTP secret may be used with (RFC 6238 section 1.2).

use std::fmt;
use std::str::FromStr;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Algorithm {
    #[default]
    Sha1,
    Sha256,
    Sha512,
}

impl Algorithm {
    pub const ALL: [Self; 3] = [Self::Sha1, Self::Sha256, Self::Sha512];

    /// Length of a secret of ours, in bytes: the hash's output, as RFC 4226 section 4 (R6) recommends.
    pub const fn secret_length(self) -> usize {
        match self {
            Self::Sha1 => 20,
            Self::Sha256 => 32,
            Self::Sha512 => 64,
        }
    }

    pub const fn name(self) -> &'static str {
        match self {
            Self::Sha1 => "SHA1",
            Self::Sha256 => "SHA256",
            Self::Sha512 => "SHA512",
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The name is of no algorithm that we take. MD5 is not one.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown algorithm, expected SHA1, SHA256 or SHA512")]
pub struct UnknownAlgorithm;

/// Takes the spellings that other systems export: `SHA-256`, `sha256`, `HmacSHA256`.
impl FromStr for Algorithm {
    type Err = UnknownAlgorithm;

    fn from_str(name: &str) -> Result<Self, UnknownAlgorithm> {
        let upper = name.to_ascii_uppercase().replace('-', "");
        let bare = upper.strip_prefix("HMAC").unwrap_or(&upper);
        Self::ALL.into_iter().find(|algorithm| algorithm.name() == bare).ok_or(UnknownAlgorithm)
    }
}
