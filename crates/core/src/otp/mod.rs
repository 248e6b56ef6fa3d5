//! One-time passwords as RFC 4226 and RFC 6238 define them.

mod algorithm;
mod code;
mod hotp;
mod parameters;
mod secret;
mod totp;
mod uri;

pub use algorithm::{Algorithm, UnknownAlgorithm};
pub use code::Code;
pub use hotp::hotp;
pub use parameters::Parameters;
pub use secret::{Secret, SecretError};
pub use totp::{Totp, TotpError, Window};
pub use uri::{OtpauthUri, UriError};
