//! How einmal itself hashes passwords and PINs. Slow on purpose: never call it where an account is held.

use argon2::{Algorithm, Argon2, Block, Params, Version};
use data_encoding::BASE64_NOPAD;
use einmal_core::{Entropy, EntropyError};
use std::cell::RefCell;
use zeroize::Zeroizing;

/// OWASP Password Storage Cheat Sheet: 19 MiB, two passes, one lane.
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;
const SALT_BYTES: usize = 16;
const HASH_BYTES: usize = 32;

#[derive(Debug, thiserror::Error)]
pub enum HashingError {
    #[error(transparent)]
    Entropy(#[from] EntropyError),
    /// Not enough memory, or a secret of more than 4 GiB.
    #[error("argon2 failed: {0}")]
    Argon2(argon2::Error),
}

thread_local! {
    /// Kept for the thread's next hash: blocks of 19 MiB that come and go leave an allocator's heap in pieces, ten
    /// times as large as what is in use.
    static MEMORY: RefCell<Vec<Block>> = const { RefCell::new(Vec::new()) };
}

/// The PHC string of a fresh hash.
pub fn hash_argon2id(secret: &[u8], entropy: &dyn Entropy) -> Result<String, HashingError> {
    let mut salt = [0; SALT_BYTES];
    entropy.fill(&mut salt)?;
    let parameters =
        Params::new(MEMORY_KIB, PASSES, LANES, Some(HASH_BYTES)).map_err(HashingError::Argon2)?;
    let mut hash = Zeroizing::new([0; HASH_BYTES]);
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, parameters);
    MEMORY
        .with_borrow_mut(|memory| {
            memory.resize(argon2.params().block_count(), Block::new());
            argon2.hash_password_into_with_memory(secret, &salt, hash.as_mut(), memory)
        })
        .map_err(HashingError::Argon2)?;
    Ok(format!(
        "$argon2id$v=19$m={MEMORY_KIB},t={PASSES},p={LANES}${}${}",
        BASE64_NOPAD.encode(&salt),
        BASE64_NOPAD.encode(hash.as_ref()),
    ))
}
