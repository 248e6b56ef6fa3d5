//! One JSON Web Key (RFC 7517) made ready for checking signatures. A key that is broken, weak or meant for
//! something else is left out, and must never take the rest of its set with it.

use super::algorithm::{Algorithm, KeyType};
use aws_lc_rs::signature::{ParsedPublicKey, RsaPublicKeyComponents};
use data_encoding::BASE64URL_NOPAD;
use serde_json::Value;

const RSA_MIN_BITS: usize = 2048;
const RSA_MAX_BITS: usize = 8192;

/// A public key, parsed once for one algorithm: parsing it for each token would cost a quarter more.
pub(super) struct VerificationKey {
    pub(super) kid: Option<Box<str>>,
    pub(super) algorithm: Algorithm,
    key: ParsedPublicKey,
}

impl VerificationKey {
    pub(super) fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        self.key.verify_sig(message, signature).is_ok()
    }
}

impl PartialEq for VerificationKey {
    fn eq(&self, other: &Self) -> bool {
        self.kid == other.kid && self.algorithm == other.algorithm && self.key.as_ref() == other.key.as_ref()
    }
}

/// The key once for each of the `allowed` algorithms it serves. None, if it is not usable by us.
pub(super) fn parse(jwk: &Value, allowed: &[Algorithm]) -> Vec<VerificationKey> {
    let Some(serves) = serves(jwk) else { return Vec::new() };
    let kid = match jwk.get("kid") {
        // An empty one names nothing, as in a token.
        None | Some(Value::Null) => None,
        Some(Value::String(kid)) => Some(kid.as_str()).filter(|kid| !kid.is_empty()),
        Some(_) => return Vec::new(),
    };
    allowed
        .iter()
        .copied()
        .filter(|algorithm| serves.is_none_or(|only| Algorithm::from_name(only) == Some(*algorithm)))
        .filter_map(|algorithm| {
            Some(VerificationKey { kid: kid.map(Box::from), algorithm, key: public_key(jwk, algorithm)? })
        })
        .collect()
}

/// The one algorithm the key is limited to, if it is; `None` outside if it must not check signatures.
#[expect(clippy::option_option, reason = "refused, unlimited, and limited are three answers")]
fn serves(jwk: &Value) -> Option<Option<&str>> {
    match jwk.get("use") {
        None => {}
        Some(Value::String(purpose)) if purpose == "sig" => {}
        Some(_) => return None,
    }
    match jwk.get("key_ops") {
        None => {}
        Some(Value::Array(operations)) if operations.iter().any(|operation| operation == "verify") => {}
        Some(_) => return None,
    }
    match jwk.get("alg") {
        None => Some(None),
        Some(Value::String(name)) => Some(Some(name)),
        Some(_) => None,
    }
}

fn public_key(jwk: &Value, algorithm: Algorithm) -> Option<ParsedPublicKey> {
    match algorithm.key_type() {
        KeyType::Rsa => {
            require(jwk, "kty", "RSA")?;
            let n = bytes(jwk, "n")?;
            let e = bytes(jwk, "e")?;
            let components = rsa_components(&n, &e)?;
            components.to_parsed_public_key(algorithm.rsa_parameters()?).ok()
        }
        KeyType::EllipticCurve { name, coordinate_bytes } => {
            require(jwk, "kty", "EC")?;
            require(jwk, "crv", name)?;
            let (x, y) = (bytes(jwk, "x")?, bytes(jwk, "y")?);
            if x.len() != coordinate_bytes || y.len() != coordinate_bytes {
                return None;
            }
            // SEC 1 section 2.3.3, uncompressed. Parsing refuses a point off the curve.
            let point = [&[4], x.as_slice(), y.as_slice()].concat();
            ParsedPublicKey::new(algorithm.curve_parameters()?, point).ok()
        }
        KeyType::Ed25519 => {
            require(jwk, "kty", "OKP")?;
            require(jwk, "crv", "Ed25519")?;
            // The parser also takes a DER form, which a JWK must not smuggle in.
            let x = bytes(jwk, "x").filter(|x| x.len() == 32)?;
            ParsedPublicKey::new(algorithm.curve_parameters()?, x).ok()
        }
    }
}

/// The library looks at the size only when it verifies, and a set of nothing but weak keys must not count as
/// usable; an exponent of 1 makes every message its own signature.
fn rsa_components<'a>(n: &'a [u8], e: &'a [u8]) -> Option<RsaPublicKeyComponents<&'a [u8]>> {
    // RFC 7518 section 6.3.1.1 forbids the sign byte that big-integer libraries put in front; it is harmless.
    let (n, e) = (without_leading_zeros(n), without_leading_zeros(e));
    let bits = n.len() * 8 - n.first()?.leading_zeros() as usize;
    let is_odd = |number: &[u8]| number.last().is_some_and(|byte| byte % 2 == 1);
    let exponent_fits = e.len() <= 4 && e != [1];
    ((RSA_MIN_BITS..=RSA_MAX_BITS).contains(&bits) && is_odd(n) && is_odd(e) && exponent_fits)
        .then_some(RsaPublicKeyComponents { n, e })
}

fn without_leading_zeros(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    number.get(zeros..).unwrap_or_default()
}

fn require(jwk: &Value, member: &str, wanted: &str) -> Option<()> {
    (jwk.get(member)?.as_str()? == wanted).then_some(())
}

fn bytes(jwk: &Value, member: &str) -> Option<Vec<u8>> {
    BASE64URL_NOPAD.decode(jwk.get(member)?.as_str()?.as_bytes()).ok()
}
