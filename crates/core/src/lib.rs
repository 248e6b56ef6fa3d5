//! What einmal decides, as pure functions: no I/O, no clock and no randomness of its own.
//!
//! An [`account::Account`] is one value. Every operation takes it, an input, the time and entropy, and
//! returns an outcome; making the changed account durable is the caller's business.

pub mod account;
pub mod otp;
pub mod policy;
mod time;

pub use time::Timestamp;

/// A source of uniformly random bytes: the operating system's in service, a seeded one in tests.
pub trait Entropy: Send + Sync {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), EntropyError>;
}

/// The generator could not deliver; nothing that needs randomness may go on.
#[derive(Debug, thiserror::Error)]
#[error("the system's random generator failed")]
pub struct EntropyError;
