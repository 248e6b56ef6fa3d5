//! Tokens of an issuer, made before anything is measured: signing one with RSA takes as long as fifty requests. They
//! are kept in a file, by what they were made of.

use crate::population::{EPOCH_SECONDS, subject};
use crate::progress;
use crate::settings::{AUDIENCE, ISSUER};
use anyhow::{Result, anyhow, bail};
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RsaKeyPair,
};
use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use serde::Serialize;
use serde_json::{Value, json};
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::thread;

const TEN_YEARS_SECONDS: u64 = 315_360_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum SigningAlgorithm {
    Rs256,
    Es256,
    EdDsa,
}

impl SigningAlgorithm {
    pub const ALL: [Self; 3] = [Self::Rs256, Self::Es256, Self::EdDsa];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Es256 => "ES256",
            Self::EdDsa => "EdDSA",
        }
    }
}

impl fmt::Display for SigningAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

enum Pair {
    Rsa(RsaKeyPair),
    P256(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

/// One of the issuer's keys, the same in every run.
pub struct SigningKey {
    algorithm: SigningAlgorithm,
    pair: Pair,
}

impl SigningKey {
    /// From a file in `directory`, which is made if there is none.
    pub fn open(directory: &Path, algorithm: SigningAlgorithm) -> Result<Self> {
        fs::create_dir_all(directory)?;
        let path = directory.join(format!("{algorithm}.pkcs8"));
        if !path.exists() {
            fs::write(&path, generate(algorithm)?)?;
        }
        let document = fs::read(path)?;
        let pair = match algorithm {
            SigningAlgorithm::Rs256 => Pair::Rsa(RsaKeyPair::from_pkcs8(&document).map_err(refused)?),
            SigningAlgorithm::Es256 => {
                let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &document);
                Pair::P256(pair.map_err(refused)?)
            }
            SigningAlgorithm::EdDsa => Pair::Ed25519(Ed25519KeyPair::from_pkcs8(&document).map_err(refused)?),
        };
        Ok(Self { algorithm, pair })
    }

    pub fn jwk(&self) -> Result<Value> {
        let encode = |bytes: Option<&[u8]>| {
            bytes
                .map(|bytes| BASE64URL_NOPAD.encode(bytes))
                .ok_or_else(|| anyhow!("a public key of another form"))
        };
        let mut jwk = match &self.pair {
            Pair::Rsa(pair) => {
                // RFC 8017 A.1.1 at 2048 bits: 9 bytes, the modulus, 2 bytes, the exponent.
                let der = pair.public_key().as_ref();
                json!({ "kty": "RSA", "n": encode(der.get(9..265))?, "e": encode(der.get(267..))? })
            }
            Pair::P256(pair) => {
                let point = pair.public_key().as_ref();
                let (x, y) = (encode(point.get(1..33))?, encode(point.get(33..65))?);
                json!({ "kty": "EC", "crv": "P-256", "x": x, "y": y })
            }
            Pair::Ed25519(pair) => {
                json!({ "kty": "OKP", "crv": "Ed25519", "x": encode(Some(pair.public_key().as_ref()))? })
            }
        };
        if let Some(members) = jwk.as_object_mut() {
            for (name, value) in
                [("alg", self.algorithm.name()), ("kid", self.algorithm.name()), ("use", "sig")]
            {
                members.insert(name.to_owned(), json!(value));
            }
        }
        Ok(jwk)
    }

    /// A token of account `account`; `number` makes it another one than its others. With RS256 about 600 bytes.
    pub fn token(&self, account: u64, number: u64, scope: &str) -> Result<String> {
        let header = json!({ "alg": self.algorithm.name(), "typ": "at+jwt", "kid": self.algorithm.name() });
        let claims = json!({
            "iss": ISSUER, "sub": subject(account).to_string(), "aud": AUDIENCE, "scope": scope,
            "exp": EPOCH_SECONDS + TEN_YEARS_SECONDS, "jti": number.to_string(),
        });
        let encode = |part: Value| BASE64URL_NOPAD.encode(part.to_string().as_bytes());
        let input = format!("{}.{}", encode(header), encode(claims));
        let signature = self.sign(input.as_bytes())?;
        Ok(format!("{input}.{}", BASE64URL_NOPAD.encode(&signature)))
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>> {
        let random = SystemRandom::new();
        Ok(match &self.pair {
            Pair::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature)?;
                signature
            }
            Pair::P256(pair) => pair.sign(&random, message)?.as_ref().to_vec(),
            Pair::Ed25519(pair) => pair.sign(message).as_ref().to_vec(),
        })
    }

    fn fingerprint(&self) -> Result<String> {
        let hash = digest(&SHA256, self.jwk()?.to_string().as_bytes());
        Ok(HEXLOWER.encode(hash.as_ref().get(..6).unwrap_or_default()))
    }
}

fn refused(error: impl fmt::Display) -> anyhow::Error {
    anyhow!("a signing key that is kept is none any more: {error}")
}

fn generate(algorithm: SigningAlgorithm) -> Result<Vec<u8>> {
    let random = SystemRandom::new();
    Ok(match algorithm {
        SigningAlgorithm::Rs256 => {
            let pair = RsaKeyPair::generate(KeySize::Rsa2048)?;
            AsDer::<Pkcs8V1Der<'_>>::as_der(&pair)?.as_ref().to_vec()
        }
        SigningAlgorithm::Es256 => {
            EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random)?.as_ref().to_vec()
        }
        SigningAlgorithm::EdDsa => Ed25519KeyPair::generate_pkcs8(&random)?.as_ref().to_vec(),
    })
}

pub const VERIFY_SCOPE: &str = "user:otp:verify";

/// Tokens that may verify: number `n` is of account `n` modulo `accounts`.
pub struct TokenPool {
    text: String,
    ends: Vec<usize>,
}

impl TokenPool {
    pub fn open(directory: &Path, key: &SigningKey, accounts: u64, count: u64) -> Result<Self> {
        fs::create_dir_all(directory)?;
        let (algorithm, fingerprint) = (key.algorithm, key.fingerprint()?);
        let path = directory.join(format!("{algorithm}-{fingerprint}-{accounts}-{count}.tokens"));
        if !path.exists() {
            progress::tell(format_args!("signing {count} tokens with {algorithm}, once"));
            make(&path, key, accounts, count)?;
        }
        let text = fs::read_to_string(&path)?;
        let ends: Vec<_> = memchr::memchr_iter(b'\n', text.as_bytes()).collect();
        if ends.len() as u64 != count {
            bail!("{} has {} tokens, expected {count}: remove it", path.display(), ends.len());
        }
        Ok(Self { text, ends })
    }

    pub fn count(&self) -> u64 {
        self.ends.len() as u64
    }

    pub fn get(&self, number: u64) -> Option<&str> {
        let number = usize::try_from(number).ok()?;
        let start = number.checked_sub(1).and_then(|before| self.ends.get(before)).map_or(0, |end| end + 1);
        self.text.get(start..*self.ends.get(number)?)
    }
}

fn make(path: &Path, key: &SigningKey, accounts: u64, count: u64) -> Result<()> {
    let cores = thread::available_parallelism().map_or(1, usize::from) as u64;
    let share = count.div_ceil(cores).max(1);
    let texts: Result<Vec<String>> = thread::scope(|scope| {
        let starts: Vec<u64> = (0..cores).map(|core| core * share).collect();
        let sign = |start: u64| -> Result<String> {
            let numbers = start..(start + share).min(count);
            numbers.map(|number| Ok(key.token(number % accounts, number, VERIFY_SCOPE)? + "\n")).collect()
        };
        let workers: Vec<_> = starts.into_iter().map(|start| scope.spawn(move || sign(start))).collect();
        let joined =
            workers.into_iter().map(|worker| worker.join().map_err(|_| anyhow!("signing panicked"))?);
        joined.collect()
    });
    // Written whole or not at all: an interrupted run must not leave half of it.
    let unfinished: PathBuf = path.with_extension("unfinished");
    fs::write(&unfinished, texts?.concat())?;
    Ok(fs::rename(unfinished, path)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_made_once_and_are_those_of_their_accounts() {
        let directory = tempfile::tempdir().unwrap();
        let key = SigningKey::open(directory.path(), SigningAlgorithm::EdDsa).unwrap();
        let pool = TokenPool::open(directory.path(), &key, 3, 7).unwrap();
        let again = TokenPool::open(directory.path(), &key, 3, 7).unwrap();
        assert_eq!((pool.count(), pool.get(7)), (7, None));
        assert_eq!(pool.text, again.text);
        for number in 0..7 {
            let token = pool.get(number).unwrap();
            let claims = BASE64URL_NOPAD.decode(token.split('.').nth(1).unwrap().as_bytes()).unwrap();
            let claims: Value = serde_json::from_slice(&claims).unwrap();
            assert_eq!(claims["sub"], subject(number % 3).to_string());
            assert_eq!(claims["jti"], number.to_string());
        }
    }

    #[test]
    fn a_token_of_rs256_is_of_a_usual_size() {
        let directory = tempfile::tempdir().unwrap();
        let key = SigningKey::open(directory.path(), SigningAlgorithm::Rs256).unwrap();
        let token = key.token(1, 2, VERIFY_SCOPE).unwrap();
        assert!((560..=640).contains(&token.len()), "{}", token.len());
    }
}
