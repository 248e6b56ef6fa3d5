//! The ways in which files write a secret's bytes. Whether the secret is long enough is not looked at here.

use data_encoding::{BASE32_NOPAD, BASE64, BASE64_NOPAD, HEXLOWER_PERMISSIVE};
use zeroize::Zeroizing;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    Base32,
    Hex,
    Base64,
    /// The bytes of the text itself.
    Utf8,
}

impl Encoding {
    pub(super) fn named(name: &str) -> Option<Self> {
        match name.to_ascii_lowercase().as_str() {
            "base32" => Some(Self::Base32),
            "hex" => Some(Self::Hex),
            "base64" => Some(Self::Base64),
            "utf8" | "utf-8" => Some(Self::Utf8),
            _ => None,
        }
    }

    /// As records have it, or what was expected. Base32 is passed on as it is, for its reader is a lenient one.
    pub(super) fn to_base32(self, text: &str) -> Result<String, &'static str> {
        let bytes = match self {
            Self::Base32 => return Ok(text.to_owned()),
            Self::Hex => HEXLOWER_PERMISSIVE.decode(text.as_bytes()).map_err(|_| "expected hex digits"),
            Self::Base64 => BASE64
                .decode(text.as_bytes())
                .or_else(|_| BASE64_NOPAD.decode(text.as_bytes()))
                .map_err(|_| "expected base64"),
            Self::Utf8 => Ok(text.as_bytes().to_vec()),
        };
        bytes.map(|bytes| BASE32_NOPAD.encode(&Zeroizing::new(bytes)))
    }
}
