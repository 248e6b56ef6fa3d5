//! A value that must not be seen: given as it is, as `{ file = "path" }` or as `{ env = "NAME" }`.

use std::fmt;
use zeroize::Zeroizing;

/// Wiped on drop, masked in Debug, and without Display.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    pub fn new(value: impl Into<String>) -> Self {
        Self(Zeroizing::new(value.into()))
    }

    /// The value itself. It must not reach a log or a message.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}
