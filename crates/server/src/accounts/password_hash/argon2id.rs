//! Argon2 (RFC 9106), and how einmal itself hashes passwords and PINs with it. Slow on purpose: never call it where
//! an account is held.

use super::{Argon2Variant, HashingError, Scheme};
use argon2::{Algorithm, Argon2, Block, Params, Version};
use data_encoding::BASE64_NOPAD;
use einmal_core::Entropy;
use std::cell::RefCell;
use zeroize::Zeroizing;

/// OWASP Password Storage Cheat Sheet: 19 MiB, two passes, one lane.
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;
const SALT_BYTES: usize = 16;
const HASH_BYTES: usize = 32;

/// What our own hashes are made with.
pub(super) const OURS: Scheme = Scheme::Argon2 {
    variant: Argon2Variant::Id,
    version: 0x13,
    memory_kib: MEMORY_KIB,
    passes: PASSES,
    lanes: LANES,
};

thread_local! {
    /// Kept for the thread's next hash: blocks of 19 MiB that come and go leave an allocator's heap in pieces, ten
    /// times as large as what is in use.
    static MEMORY: RefCell<Vec<Block>> = const { RefCell::new(Vec::new()) };
}

/// The PHC string of a fresh hash.
pub fn hash_argon2id(secret: &[u8], entropy: &dyn Entropy) -> Result<String, HashingError> {
    let mut salt = [0; SALT_BYTES];
    entropy.fill(&mut salt)?;
    let mut hash = Zeroizing::new([0; HASH_BYTES]);
    let parameters = Params::new(MEMORY_KIB, PASSES, LANES, Some(HASH_BYTES))?;
    argon2(&Argon2::new(Algorithm::Argon2id, Version::V0x13, parameters), secret, &salt, hash.as_mut())?;
    Ok(format!(
        "$argon2id$v=19$m={MEMORY_KIB},t={PASSES},p={LANES}${}${}",
        BASE64_NOPAD.encode(&salt),
        BASE64_NOPAD.encode(hash.as_ref()),
    ))
}

/// Fills `hash` with what these parameters make of the secret.
pub(super) fn argon2(
    argon2: &Argon2<'_>,
    secret: &[u8],
    salt: &[u8],
    hash: &mut [u8],
) -> Result<(), HashingError> {
    let blocks = argon2.params().block_count();
    if blocks > MEMORY_KIB as usize {
        // What other systems' hashes need beyond ours is not kept.
        let mut memory = vec![Block::new(); blocks];
        return Ok(argon2.hash_password_into_with_memory(secret, salt, hash, &mut memory)?);
    }
    MEMORY.with_borrow_mut(|memory| {
        memory.resize(memory.len().max(blocks), Block::new());
        Ok(argon2.hash_password_into_with_memory(secret, salt, hash, memory.as_mut_slice())?)
    })
}

#[cfg(test)]
mod tests {
    use super::super::PasswordHash;
    use super::*;
    use std::thread;

    #[test]
    fn where_there_is_no_hash_one_is_computed_all_the_same_121() {
        let blocks_used = || MEMORY.with_borrow(Vec::len);
        let used = thread::spawn(move || {
            assert_eq!(blocks_used(), 0);
            assert!(!PasswordHash::compare_with_none(b"8299").unwrap());
            blocks_used()
        });
        assert_eq!(used.join().unwrap(), MEMORY_KIB as usize);
    }
}
