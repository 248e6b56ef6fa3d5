//! HOTP (RFC 4226 section 5.3), with the hash as a parameter (RFC 6238 section 1.2).

use super::{Algorithm, Code};
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::{Sha256, Sha512};

/// The code of `secret` for `counter`, with 6 to 8 `digits`.
pub fn hotp(secret: &[u8], algorithm: Algorithm, counter: u64, digits: u8) -> Code {
    let number = match algorithm {
        Algorithm::Sha1 => truncated(hmac::<Hmac<Sha1>>(secret, counter).as_ref()),
        Algorithm::Sha256 => truncated(hmac::<Hmac<Sha256>>(secret, counter).as_ref()),
        Algorithm::Sha512 => truncated(hmac::<Hmac<Sha512>>(secret, counter).as_ref()),
    };
    Code::from_number(number, digits)
}

fn hmac<M: Mac + KeyInit>(secret: &[u8], counter: u64) -> impl AsRef<[u8]> {
    let mut mac = match <M as KeyInit>::new_from_slice(secret) {
        Ok(mac) => mac,
        // HMAC takes keys of any length (RFC 2104 section 3); this arm only satisfies the general interface.
        Err(_) => M::new(&hmac::digest::Key::<M>::default()),
    };
    mac.update(&counter.to_be_bytes());
    mac.finalize().into_bytes()
}

/// Dynamic truncation: 31 bits from where the last nibble points to. The offset is at most 15 and the
/// shortest hash has 20 bytes, so the bytes are always there.
fn truncated(mac: &[u8]) -> u32 {
    let offset = usize::from(mac.last().copied().unwrap_or_default() & 0x0f);
    let bytes = mac.get(offset..).and_then(|rest| rest.first_chunk::<4>()).copied().unwrap_or_default();
    u32::from_be_bytes(bytes) & 0x7fff_ffff
}
