//! Password hashes: which ones of other systems are taken, and how ours are made. Strict, because what is parsed
//! here is computed with later: a hash beyond the bounds would let an import line burn the processor at every try.

mod argon2id;
mod fields;
mod pool;
#[cfg(test)]
mod tests;
mod verify;

pub use argon2id::hash_argon2id;
pub use pool::{Crowded, HashPool, Interrupted, Place};

use einmal_core::EntropyError;
use fields::{Fields, base64, bcrypt_base64, decimal, passlib_base64, value};
use zeroize::ZeroizeOnDrop;

/// A stored hash, taken apart. Not shown: who has it can try passwords offline.
#[derive(Clone, PartialEq, Eq, ZeroizeOnDrop)]
pub struct PasswordHash {
    #[zeroize(skip)]
    pub scheme: Scheme,
    pub salt: Vec<u8>,
    pub hash: Vec<u8>,
}

/// How the hash was made, and at what cost; always within the bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    Argon2 {
        variant: Argon2Variant,
        version: u32,
        memory_kib: u32,
        passes: u32,
        lanes: u32,
    },
    /// `$2a$`, `$2b$` and `$2y$` mean the same for what correct implementations wrote.
    Bcrypt {
        cost: u32,
    },
    /// N is 2 to the power of `log_n` (RFC 7914 section 2).
    Scrypt {
        log_n: u8,
        block_size: u32,
        lanes: u32,
    },
    Pbkdf2 {
        digest: Pbkdf2Digest,
        rounds: u32,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Argon2Variant {
    D,
    I,
    Id,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pbkdf2Digest {
    Sha256,
    Sha512,
}

/// Why a hash is not taken. Names the bound or the part, and holds nothing of the hash.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum HashError {
    #[error(
        "not a password hash that is known, expected argon2, bcrypt, scrypt, pbkdf2-sha256 or pbkdf2-sha512"
    )]
    UnknownScheme,
    #[error("the {scheme} hash is malformed: expected {expected}")]
    Malformed { scheme: &'static str, expected: &'static str },
    #[error("{parameter} is {found}, expected {least} to {most}")]
    OutOfBounds { parameter: &'static str, found: u64, least: u64, most: u64 },
}

/// Why a hash cannot be computed.
#[derive(Debug, thiserror::Error)]
pub enum HashingError {
    #[error(transparent)]
    Entropy(#[from] EntropyError),
    /// Not enough memory, or a secret of more than 4 GiB.
    #[error("argon2 failed: {0}")]
    Argon2(#[from] argon2::Error),
    #[error("the parameters of the hash are not possible")]
    Parameters,
}

/// Longer than any hash within the bounds.
const MAX_TEXT_BYTES: usize = 512;

const MAX_BCRYPT_COST: u64 = 14;
const MAX_MEMORY_KIB: u64 = 64 * 1024;
const MAX_ARGON2_PASSES: u64 = 10;
const MAX_PBKDF2_ROUNDS: u64 = 2_000_000;
/// OWASP's weakest-memory choice for scrypt has 10 lanes; einmal computes them one after the other.
const MAX_LANES: u64 = 16;

impl PasswordHash {
    /// Takes PHC strings and modular-crypt ones.
    pub fn parse(text: &str) -> Result<Self, HashError> {
        let text = Some(text).filter(|text| text.len() <= MAX_TEXT_BYTES).ok_or(HashError::UnknownScheme)?;
        let (scheme, rest) =
            text.strip_prefix('$').and_then(|text| text.split_once('$')).ok_or(HashError::UnknownScheme)?;
        match scheme {
            "argon2d" => argon2(Argon2Variant::D, rest),
            "argon2i" => argon2(Argon2Variant::I, rest),
            "argon2id" => argon2(Argon2Variant::Id, rest),
            "2a" | "2b" | "2y" => bcrypt(rest),
            "scrypt" => scrypt(rest),
            "pbkdf2-sha256" => pbkdf2(Pbkdf2Digest::Sha256, rest),
            "pbkdf2-sha512" => pbkdf2(Pbkdf2Digest::Sha512, rest),
            _ => Err(HashError::UnknownScheme),
        }
    }
}

/// Without a version it is the first one, 0x10 (as the reference implementation reads it).
const FIRST_ARGON2_VERSION: u64 = 0x10;
const ARGON2_VERSION: u64 = 0x13;

fn argon2(variant: Argon2Variant, rest: &str) -> Result<PasswordHash, HashError> {
    let fields = Fields::of("argon2", "$argon2id$v=19$m=MEMORY,t=PASSES,p=LANES$SALT$HASH");
    let parts: Vec<&str> = rest.split('$').collect();
    let (version, parameters, salt, hash) = match *parts.as_slice() {
        [version, parameters, salt, hash] => {
            (fields.need(value(version, "v").and_then(decimal))?, parameters, salt, hash)
        }
        [parameters, salt, hash] => (FIRST_ARGON2_VERSION, parameters, salt, hash),
        _ => return Err(fields.malformed()),
    };
    if version != FIRST_ARGON2_VERSION && version != ARGON2_VERSION {
        return Err(fields.malformed());
    }
    let [memory, passes, lanes] = fields.parameters(parameters, ["m", "t", "p"])?;
    let lanes = within("argon2 parallelism", lanes, 1, MAX_LANES)?;
    Ok(PasswordHash {
        scheme: Scheme::Argon2 {
            variant,
            version: if version == ARGON2_VERSION { 0x13 } else { 0x10 },
            // RFC 9106 section 3.1: at least 8 KiB a lane.
            memory_kib: within("argon2 memory in KiB", memory, 8 * u64::from(lanes), MAX_MEMORY_KIB)?,
            passes: within("argon2 number of passes", passes, 1, MAX_ARGON2_PASSES)?,
            lanes,
        },
        salt: salt_of(fields.need(base64(salt))?)?,
        hash: hash_of(fields.need(base64(hash))?)?,
    })
}

fn bcrypt(rest: &str) -> Result<PasswordHash, HashError> {
    let fields = Fields::of("bcrypt", "$2b$COST$ and 53 characters of ./A-Za-z0-9");
    let (cost, digest) = fields.need(rest.split_once('$'))?;
    // The cost always has two digits, and is the one number that may begin with a zero.
    let cost =
        fields.need((cost.len() == 2).then(|| decimal(cost.strip_prefix('0').unwrap_or(cost))).flatten())?;
    let cost = within("bcrypt cost", cost, 4, MAX_BCRYPT_COST)?;
    let (salt, hash) = fields.need(digest.split_at_checked(22).filter(|_| digest.len() == 53))?;
    Ok(PasswordHash {
        scheme: Scheme::Bcrypt { cost },
        salt: fields.need(bcrypt_base64(salt))?,
        hash: fields.need(bcrypt_base64(hash))?,
    })
}

fn scrypt(rest: &str) -> Result<PasswordHash, HashError> {
    let fields = Fields::of("scrypt", "$scrypt$ln=LOG_N,r=BLOCK_SIZE,p=LANES$SALT$HASH");
    let [parameters, salt, hash] = fields.split(rest)?;
    let [log_n, block_size, lanes] = fields.parameters(parameters, ["ln", "r", "p"])?;
    let block_size = within("scrypt r", block_size, 1, 64)?;
    // RFC 7914 section 2: N is less than 2 to the power of 128·r/8.
    let log_n = within("scrypt ln", log_n, 1, 24.min(16 * u64::from(block_size) - 1))?;
    // RFC 7914 section 2: N blocks of 128·r bytes.
    let memory_kib = ((128 * u64::from(block_size)) << log_n) / 1024;
    within("scrypt memory in KiB", memory_kib, 0, MAX_MEMORY_KIB)?;
    Ok(PasswordHash {
        scheme: Scheme::Scrypt {
            log_n: u8::try_from(log_n).unwrap_or(u8::MAX),
            block_size,
            lanes: within("scrypt p", lanes, 1, MAX_LANES)?,
        },
        salt: salt_of(fields.need(base64(salt))?)?,
        hash: hash_of(fields.need(base64(hash))?)?,
    })
}

fn pbkdf2(digest: Pbkdf2Digest, rest: &str) -> Result<PasswordHash, HashError> {
    let fields =
        Fields::of("pbkdf2", "$pbkdf2-sha256$i=ROUNDS,l=LENGTH$SALT$HASH or $pbkdf2-sha256$ROUNDS$SALT$HASH");
    let [parameters, salt, hash] = fields.split(rest)?;
    let (rounds, length, salt, hash) = if let Some(rounds) = decimal(parameters) {
        (rounds, None, passlib_base64(salt), passlib_base64(hash))
    } else if let Some(rounds) = value(parameters, "i").and_then(decimal) {
        (rounds, None, base64(salt), base64(hash))
    } else {
        let [rounds, length] = fields.parameters(parameters, ["i", "l"])?;
        (rounds, Some(length), base64(salt), base64(hash))
    };
    let (salt, hash) = (fields.need(salt)?, fields.need(hash)?);
    if length.is_some_and(|length| length != hash.len() as u64) {
        return Err(fields.malformed());
    }
    Ok(PasswordHash {
        scheme: Scheme::Pbkdf2 {
            digest,
            rounds: within("pbkdf2 number of rounds", rounds, 1, MAX_PBKDF2_ROUNDS)?,
        },
        salt: salt_of(salt)?,
        hash: hash_of(hash)?,
    })
}

fn within(parameter: &'static str, found: u64, least: u64, most: u64) -> Result<u32, HashError> {
    let refused = HashError::OutOfBounds { parameter, found, least, most };
    if (least..=most).contains(&found) { u32::try_from(found).map_err(|_| refused) } else { Err(refused) }
}

/// Argon2 demands 8 bytes (RFC 9106 section 3.1); less in any scheme would let one table serve many accounts.
fn salt_of(salt: Vec<u8>) -> Result<Vec<u8>, HashError> {
    within("length of the salt in bytes", salt.len() as u64, 8, 64)?;
    Ok(salt)
}

/// A shorter hash would be met by chance.
fn hash_of(hash: Vec<u8>) -> Result<Vec<u8>, HashError> {
    within("length of the hash in bytes", hash.len() as u64, 16, 64)?;
    Ok(hash)
}
