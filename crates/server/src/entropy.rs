//! The one place that asks the operating system for randomness, and what is drawn from it in more than one place.

use einmal_core::{Entropy, EntropyError};
use uuid::Uuid;

pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    #[expect(clippy::disallowed_methods, reason = "this is the place")]
    fn fill(&self, bytes: &mut [u8]) -> Result<(), EntropyError> {
        getrandom::fill(bytes).map_err(|_| EntropyError)
    }
}

/// Any number of 64 bits, each equally likely: nobody else has drawn the same.
pub fn random_number(entropy: &dyn Entropy) -> Result<u64, EntropyError> {
    let mut bytes = [0; 8];
    entropy.fill(&mut bytes)?;
    Ok(u64::from_be_bytes(bytes))
}

/// Version 4 (RFC 9562 section 5.4).
pub fn random_uuid(entropy: &dyn Entropy) -> Result<Uuid, EntropyError> {
    let mut bytes = [0; 16];
    entropy.fill(&mut bytes)?;
    Ok(uuid::Builder::from_random_bytes(bytes).into_uuid())
}
