//! Opens what was sealed with Fernet (AES-128-CBC under HMAC-SHA256), which privacyIDEA exports tokens in. Only opens: we
//! seal with something better.

use super::super::Unreadable;
use aws_lc_rs::cipher::{AES_128, DecryptionContext, PaddedBlockDecryptingKey, UnboundCipherKey};
use aws_lc_rs::hmac;
use aws_lc_rs::iv::FixedLength;
use data_encoding::{BASE64URL, BASE64URL_NOPAD};
use zeroize::Zeroizing;

const VERSION: u8 = 0x80;
const KEY_BYTES: usize = 32;
const TAG_BYTES: usize = 32;
/// Version and time of sealing.
const HEAD_BYTES: usize = 9;
const IV_BYTES: usize = 16;

pub(super) fn open(sealed: &str, key: &str) -> Result<Zeroizing<String>, Unreadable> {
    let key = decode(key).filter(|key| key.len() == KEY_BYTES);
    let key = key.ok_or_else(|| Unreadable::new("the key is not one of Fernet: 32 bytes in base64"))?;
    let sealed = decode(sealed).ok_or_else(|| Unreadable::new("is damaged: not base64"))?;
    let opened = open_bytes(&sealed, &key).ok_or_else(|| {
        Unreadable::new("does not open with the key in --key-file: it is another's, or the file is damaged")
    })?;
    let text = std::str::from_utf8(&opened).map(|text| Zeroizing::new(text.to_owned()));
    text.map_err(|_| Unreadable::new("is not UTF-8 inside"))
}

fn open_bytes(sealed: &[u8], key: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let (signing, encrypting) = key.split_at_checked(KEY_BYTES / 2)?;
    let (signed, tag) = sealed.split_at_checked(sealed.len().checked_sub(TAG_BYTES)?)?;
    hmac::verify(&hmac::Key::new(hmac::HMAC_SHA256, signing), signed, tag).ok()?;
    let (head, rest) = signed.split_at_checked(HEAD_BYTES)?;
    let (iv, text) = rest.split_at_checked(IV_BYTES)?;
    if head.first() != Some(&VERSION) {
        return None;
    }
    let iv: [u8; IV_BYTES] = iv.try_into().ok()?;
    let key = UnboundCipherKey::new(&AES_128, encrypting).ok()?;
    let key = PaddedBlockDecryptingKey::cbc_pkcs7(key).ok()?;
    let mut text = Zeroizing::new(text.to_vec());
    let opened = key.decrypt(&mut text, DecryptionContext::Iv128(FixedLength::from(iv))).ok()?;
    Some(Zeroizing::new(opened.to_vec()))
}

fn decode(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    let text = text.trim();
    let bytes = BASE64URL.decode(text.as_bytes()).or_else(|_| BASE64URL_NOPAD.decode(text.as_bytes()));
    bytes.ok().map(Zeroizing::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the Fernet specification.
    const KEY: &str = "cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4=";
    const SEALED: &str = "gAAAAAAdwJ6wAAECAwQFBgcICQoLDA0ODy021cpGVWKZ_eEwCGM4BLLF_5CV9dOPmrhuVUPgJobwOz7JcbmrR64jVmpU4IwqDA==";

    #[test]
    fn the_example_of_the_specification_opens() {
        assert_eq!(open(SEALED, KEY).unwrap().as_str(), "hello");
    }

    #[test]
    fn what_was_changed_or_is_sealed_with_another_key_does_not_open() {
        let changed = SEALED.replace("gAAAAAAdwJ6w", "gAAAAAAdwJ6x");
        let other = KEY.replace("cw_0", "cw_1");
        for (sealed, key) in
            [(changed.as_str(), KEY), (SEALED, other.as_str()), (SEALED, "c2hvcnQ="), ("gAAA", KEY)]
        {
            assert!(open(sealed, key).is_err(), "{sealed} {key}");
        }
    }
}
