//! Keys that sign whatever they are given, with any of the algorithms, well formed or not.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    self, EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair, RsaEncoding, RsaKeyPair,
};
use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value, json};
use std::sync::{Arc, LazyLock};

pub(crate) fn encode(bytes: impl AsRef<[u8]>) -> String {
    BASE64URL_NOPAD.encode(bytes.as_ref())
}

/// Making one takes a tenth of a second, so all tests share these.
static RSA: LazyLock<[Arc<RsaKeyPair>; 2]> = LazyLock::new(|| {
    std::array::from_fn(|_| Arc::new(RsaKeyPair::generate(KeySize::Rsa2048).expect("an RSA key")))
});

enum Pair {
    Rsa(Arc<RsaKeyPair>),
    EllipticCurve(EcdsaKeyPair, &'static str),
    Ed25519(Ed25519KeyPair),
}

/// A key of an issuer. It signs with `algorithm`, and its JWK says so.
pub(crate) struct SigningKey {
    pair: Pair,
    kid: Option<String>,
    algorithm: &'static str,
}

impl SigningKey {
    /// RS256 with the first of the two RSA keys.
    pub(crate) fn rsa(kid: &str) -> Self {
        Self::new("RS256", Some(kid))
    }

    /// RS256 with the second one.
    pub(crate) fn other_rsa(kid: &str) -> Self {
        Self { pair: Pair::Rsa(Arc::clone(&RSA[1])), ..Self::new("RS256", Some(kid)) }
    }

    pub(crate) fn new(algorithm: &'static str, kid: Option<&str>) -> Self {
        let curve = |algorithm: &'static EcdsaSigningAlgorithm, name| {
            Pair::EllipticCurve(EcdsaKeyPair::generate(algorithm).unwrap(), name)
        };
        let pair = match algorithm {
            "ES256" => curve(&signature::ECDSA_P256_SHA256_FIXED_SIGNING, "P-256"),
            "ES384" => curve(&signature::ECDSA_P384_SHA384_FIXED_SIGNING, "P-384"),
            "EdDSA" => Pair::Ed25519(Ed25519KeyPair::generate().unwrap()),
            _ => Pair::Rsa(Arc::clone(&RSA[0])),
        };
        Self { pair, kid: kid.map(str::to_owned), algorithm }
    }

    pub(crate) fn jwk(&self) -> Value {
        let mut jwk = match &self.pair {
            Pair::Rsa(pair) => {
                // RFC 8017 A.1.1 at 2048 bits: 9 bytes, the modulus, 2 bytes, the exponent.
                let der = pair.public_key().as_ref();
                json!({ "kty": "RSA", "n": encode(&der[9..265]), "e": encode(&der[267..]) })
            }
            Pair::EllipticCurve(pair, curve) => {
                let (x, y) = pair.public_key().as_ref()[1..].split_at(pair.public_key().as_ref().len() / 2);
                json!({ "kty": "EC", "crv": curve, "x": encode(x), "y": encode(y) })
            }
            Pair::Ed25519(pair) => {
                json!({ "kty": "OKP", "crv": "Ed25519", "x": encode(pair.public_key().as_ref()) })
            }
        };
        jwk["alg"] = json!(self.algorithm);
        jwk["use"] = json!("sig");
        if let Some(kid) = &self.kid {
            jwk["kid"] = json!(kid);
        }
        jwk
    }

    /// The JWK with some members set to something else, or removed by null.
    pub(crate) fn jwk_with(&self, changes: &Value) -> Value {
        with(&self.jwk(), changes)
    }

    pub(crate) fn header(&self) -> Value {
        let mut header = json!({ "alg": self.algorithm, "typ": "at+jwt" });
        if let Some(kid) = &self.kid {
            header["kid"] = json!(kid);
        }
        header
    }

    pub(crate) fn token(&self, claims: &Value) -> String {
        self.token_of(self.header().to_string(), claims.to_string())
    }

    /// With some header members set to something else, or removed by null.
    pub(crate) fn token_with_header(&self, changes: &Value, claims: &Value) -> String {
        self.token_of(with(&self.header(), changes).to_string(), claims.to_string())
    }

    /// Signs whatever text there is.
    pub(crate) fn token_of(&self, header: impl AsRef<[u8]>, claims: impl AsRef<[u8]>) -> String {
        let input = format!("{}.{}", encode(header), encode(claims));
        format!("{input}.{}", encode(self.sign(input.as_bytes())))
    }

    pub(crate) fn sign(&self, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match &self.pair {
            Pair::Rsa(pair) => {
                let padding: &'static dyn RsaEncoding = match self.algorithm {
                    "RS384" => &signature::RSA_PKCS1_SHA384,
                    "RS512" => &signature::RSA_PKCS1_SHA512,
                    "PS256" => &signature::RSA_PSS_SHA256,
                    "PS384" => &signature::RSA_PSS_SHA384,
                    "PS512" => &signature::RSA_PSS_SHA512,
                    _ => &signature::RSA_PKCS1_SHA256,
                };
                let mut bytes = vec![0; pair.public_modulus_len()];
                pair.sign(padding, &random, message, &mut bytes).unwrap();
                bytes
            }
            Pair::EllipticCurve(pair, _) => pair.sign(&random, message).unwrap().as_ref().to_vec(),
            Pair::Ed25519(pair) => pair.sign(message).as_ref().to_vec(),
        }
    }

    /// The public RSA key as the formats that have been taken for an HMAC secret.
    pub(crate) fn rsa_public_der(&self) -> (Vec<u8>, Vec<u8>) {
        use aws_lc_rs::encoding::AsDer;
        let Pair::Rsa(pair) = &self.pair else { panic!("not an RSA key") };
        let spki = pair.public_key().as_der().unwrap();
        (pair.public_key().as_ref().to_vec(), spki.as_ref().to_vec())
    }
}

/// The object with some members set to something else, or removed by null.
pub(crate) fn with(object: &Value, changes: &Value) -> Value {
    let mut object = object.clone();
    for (name, value) in changes.as_object().unwrap() {
        if value.is_null() {
            object.as_object_mut().unwrap().remove(name);
        } else {
            object[name] = value.clone();
        }
    }
    object
}
