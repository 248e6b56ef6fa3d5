//! A password or PIN beside the hash that the account has of it. Slow on purpose, and as slow where there is none.

use crate::accounts::password_hash::{HashingError, PasswordHash, hash_argon2id};
use einmal_core::Entropy;
use einmal_core::account::StoredHash;

/// What a comparison found.
pub(super) enum Comparison {
    Wrong,
    /// With the hash that is to take the old one's place, if it is not one of ours.
    Right(Option<StoredHash>),
}

pub(super) fn compare(
    hash: Option<&StoredHash>,
    secret: &str,
    entropy: &dyn Entropy,
) -> Result<Comparison, HashingError> {
    let secret = secret.as_bytes();
    let Some(hash) = hash else {
        PasswordHash::compare_with_none(secret)?;
        return Ok(Comparison::Wrong);
    };
    // It was parsed when it came in.
    let hash = PasswordHash::parse(hash.as_str()).map_err(|_| HashingError::Parameters)?;
    if !hash.is_of(secret)? {
        return Ok(Comparison::Wrong);
    }
    let rehashed = hash.is_to_be_replaced(secret).then(|| hash_argon2id(secret, entropy)).transpose()?;
    Ok(Comparison::Right(rehashed.map(StoredHash::new)))
}
