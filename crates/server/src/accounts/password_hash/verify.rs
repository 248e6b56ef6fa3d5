//! Compares a secret with a hash that einmal or another system made. Slow on purpose, and never quicker where there is
//! no hash: the time must not tell.

use super::argon2id::{OURS, argon2};
use super::{Argon2Variant, HashingError, PasswordHash, Pbkdf2Digest, Scheme};
use ::argon2::{Algorithm, Argon2, Params, Version};
use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::pbkdf2;
use std::num::NonZeroU32;
use zeroize::Zeroizing;

/// bcrypt looks at no more, the NUL at the end included.
const BCRYPT_KEY_BYTES: usize = 72;

impl PasswordHash {
    /// Whether the hash was made of `secret`.
    pub fn is_of(&self, secret: &[u8]) -> Result<bool, HashingError> {
        let mut computed = Zeroizing::new(vec![0; self.hash.len()]);
        match self.scheme {
            Scheme::Argon2 { variant, version, memory_kib, passes, lanes } => {
                let parameters = Params::new(memory_kib, passes, lanes, Some(self.hash.len()))?;
                let version = if version == 0x10 { Version::V0x10 } else { Version::V0x13 };
                let algorithm = match variant {
                    Argon2Variant::D => Algorithm::Argon2d,
                    Argon2Variant::I => Algorithm::Argon2i,
                    Argon2Variant::Id => Algorithm::Argon2id,
                };
                argon2(&Argon2::new(algorithm, version, parameters), secret, &self.salt, &mut computed)?;
            }
            Scheme::Bcrypt { cost } => {
                let salt = self.salt.as_slice().try_into().map_err(|_| HashingError::Parameters)?;
                let hash = Zeroizing::new(bcrypt::bcrypt(cost, salt, &bcrypt_key(secret)));
                computed.copy_from_slice(hash.get(..self.hash.len()).ok_or(HashingError::Parameters)?);
                // C programs end there, so that `a` and `a\0b` would be one password.
                if secret.contains(&0) {
                    return Ok(false);
                }
            }
            Scheme::Scrypt { log_n, block_size, lanes } => {
                let parameters = scrypt::Params::new(log_n, block_size, lanes);
                let parameters = parameters.map_err(|_| HashingError::Parameters)?;
                scrypt::scrypt(secret, &self.salt, &parameters, &mut computed)
                    .map_err(|_| HashingError::Parameters)?;
            }
            Scheme::Pbkdf2 { digest, rounds } => {
                let algorithm = match digest {
                    Pbkdf2Digest::Sha256 => pbkdf2::PBKDF2_HMAC_SHA256,
                    Pbkdf2Digest::Sha512 => pbkdf2::PBKDF2_HMAC_SHA512,
                };
                let rounds = NonZeroU32::new(rounds).ok_or(HashingError::Parameters)?;
                pbkdf2::derive(algorithm, rounds, &self.salt, secret, &mut computed);
            }
        }
        Ok(verify_slices_are_equal(&computed, &self.hash).is_ok())
    }

    /// Takes as long as a comparison with a hash of ours, and is never right.
    pub fn compare_with_none(secret: &[u8]) -> Result<bool, HashingError> {
        Self { scheme: OURS, salt: vec![0; 16], hash: vec![0; 32] }.is_of(secret).map(|_| false)
    }

    /// Whether `secret`, which the hash was made of, is to be hashed anew in our own way. Not if bcrypt has looked at a
    /// part of it only: its owner may have set another rest.
    pub fn is_to_be_replaced(&self, secret: &[u8]) -> bool {
        match self.scheme {
            Scheme::Bcrypt { .. } => secret.len() < BCRYPT_KEY_BYTES,
            scheme => scheme != OURS,
        }
    }
}

/// The secret with the NUL that C strings end with, as far as bcrypt looks.
fn bcrypt_key(secret: &[u8]) -> Zeroizing<Vec<u8>> {
    let mut key = Zeroizing::new(Vec::with_capacity(BCRYPT_KEY_BYTES));
    key.extend(secret.iter().copied().chain([0]).take(BCRYPT_KEY_BYTES));
    key
}
