//! Nothing secret leaves. The real program is run with all that it can log, and everything that comes out of it
//! is searched: standard output and error, every answer, every byte of the store's files.

mod forged_lines;
mod keyring;
mod mail;
mod requests;

use crate::harness::installation::{Installation, Serving};
use data_encoding::{BASE32_NOPAD, BASE64, HEXLOWER, HEXUPPER};
use einmal::clock::{Clock, SystemClock};
use einmal_core::otp::{Algorithm, Secret, Totp};
use reqwest::RequestBuilder;
use serde_json::json;
use std::fs;

const SECRET: &[u8] = b"canary-secret-2f9a71c4";
const PASSWORD: &str = "canary-password-81d6";
/// Rare enough in a few kilobytes; it is looked for in the store's files alone.
const PIN: &str = "8035";
const MARK: &str = "canary";
const EVENTS: &str = "[events]\noutput = \"events.jsonl\"\n";

/// What must be nowhere, by name.
struct Canaries(Vec<(String, Vec<u8>)>);

impl Canaries {
    fn new(site: &Installation) -> Self {
        let mut canaries = Self(Vec::new());
        canaries.add("mark", MARK);
        canaries.add("secret, base32", BASE32_NOPAD.encode(SECRET));
        canaries.add("secret, base32 in small letters", BASE32_NOPAD.encode(SECRET).to_lowercase());
        canaries.add("secret, hex", HEXLOWER.encode(SECRET));
        canaries.add("secret, HEX", HEXUPPER.encode(SECRET));
        canaries.add("secret, base64", BASE64.encode(SECRET));
        canaries.add("secret, Debug", format!("{SECRET:?}"));
        let keyring = fs::read_to_string(site.path("einmal.keys")).unwrap();
        let key = keyring.trim_end().rsplit_once(':').unwrap().1;
        canaries.add("key", key);
        canaries.add("key, raw", BASE64.decode(key.as_bytes()).unwrap());
        canaries.add("key, hex", HEXLOWER.encode(&BASE64.decode(key.as_bytes()).unwrap()));
        canaries
    }

    fn add(&mut self, name: &str, value: impl Into<Vec<u8>>) {
        self.0.push((name.to_owned(), value.into()));
    }

    /// The whole token, and each of its parts.
    fn add_token(&mut self, token: &str) {
        for part in token.split('.').skip(1).chain([token]) {
            self.add("token", part);
        }
    }

    fn found_in(&self, bytes: &[u8]) -> Vec<&str> {
        let is_in = |needle: &[u8]| memchr::memmem::find(bytes, needle).is_some();
        self.0.iter().filter(|(_, value)| is_in(value)).map(|(name, _)| name.as_str()).collect()
    }

    fn are_not_in(&self, place: &str, bytes: &[u8]) {
        let found = self.found_in(bytes);
        assert!(found.is_empty(), "{found:?} in {place}: {}", String::from_utf8_lossy(bytes));
    }
}

/// Eight digits, which no time, port or duration in a log has by chance.
fn code(offset: i64) -> String {
    let totp = Totp::new(Secret::from_bytes(SECRET.to_vec()).unwrap(), Algorithm::Sha256, 8, 120).unwrap();
    let step = totp.step_at(SystemClock.now()).saturating_add_signed(offset);
    totp.code_at(step).as_str().to_owned()
}

fn account(subject: &str) -> serde_json::Value {
    json!({
        "id": subject, "pin": PIN, "password": PASSWORD,
        "deviceTotps": [{ "secret": BASE32_NOPAD.encode(SECRET), "algorithm": "SHA256", "digits": 8, "period": 120 }],
    })
}

fn verify(serving: &Serving, path: &str, token: &str, body: &str) -> RequestBuilder {
    let request = serving.client.post(format!("http://{}{path}", serving.address)).bearer_auth(token);
    request.header("content-type", "application/json").body(body.to_owned())
}
