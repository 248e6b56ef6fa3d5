//! Everything that fuzzers drive, in one list. The targets themselves are beside the parsers whose insides they see;
//! libFuzzer drives them from `fuzz/`, and the tests below from proptest. It must not be in what is shipped.

#[cfg(test)]
mod tests;

use crate::{accounts, api, auth, config};
use einmal_core::otp::OtpauthUri;
use einmal_core::{Entropy, EntropyError};
use serde_json::Value;

/// Takes any bytes, and panics where a property does not hold.
pub struct Target {
    /// Of its corpus, `fuzz/corpus/{name}`, too.
    pub name: &'static str,
    pub run: fn(&[u8]),
    /// What is hard to come by in its inputs.
    pub words: &'static [&'static str],
}

pub const TARGETS: [Target; 13] = [
    Target { name: "body", run: api::fuzzing::body, words: JSON },
    Target { name: "record", run: api::fuzzing::record, words: JSON },
    Target { name: "accept", run: api::fuzzing::accept, words: MEDIA_TYPES },
    Target { name: "content_type", run: api::fuzzing::content_type, words: MEDIA_TYPES },
    Target {
        name: "authorization",
        run: auth::fuzzing::authorization,
        words: &["Bearer ", "bearer", "\n", "  "],
    },
    Target {
        name: "token",
        run: auth::fuzzing::token,
        words: &[".", "=", "-", "_", "eyJhbGciOiJub25lIn0", "{\""],
    },
    Target { name: "claims", run: auth::fuzzing::claims, words: JSON },
    Target { name: "jwks", run: auth::fuzzing::jwks, words: JSON },
    Target {
        name: "otpauth_uri",
        run: otpauth_uri,
        words: &["%20", "%3A", "&", "?", ":", "secret=", "issuer="],
    },
    Target { name: "encoding", run: accounts::fuzzing::encoding, words: &["\u{1}", "\u{2}", "\u{0}"] },
    Target { name: "sealed_row", run: accounts::fuzzing::sealed_row, words: &[] },
    Target { name: "import_line", run: accounts::fuzzing::import_line, words: JSON },
    Target { name: "configuration", run: config::fuzzing::configuration, words: TOML },
];

const JSON: &[&str] =
    &["null", "\"\"", "{}", "[]", "-1", "1e9", "\\u0000", ",", "{\"", "\":", "true", "9007199254740993"];
const MEDIA_TYPES: &[&str] = &[
    "*/*",
    "application/json",
    "application/vnd.api+json",
    "image/png",
    ";q=0",
    ";q=0.5",
    ";",
    ",",
    "\"",
    "\n",
];
const TOML: &[&str] =
    &["[", "]", "=", "\"", "\n", "{ ", " }", "\0EINMAL__", "__", "true", "1", "\"30s\"", "[[issuers]]\n"];

/// Runs one target.
///
/// # Panics
/// If there is no such target, or its property does not hold.
pub fn run(name: &str, data: &[u8]) {
    let target = TARGETS.iter().find(|target| target.name == name);
    assert!(target.is_some(), "no target is called {name}");
    target.inspect(|target| (target.run)(data));
}

/// What is read is written so that it is read the same, and written the same again.
fn otpauth_uri(data: &[u8]) {
    let Ok(uri) = std::str::from_utf8(data).map(OtpauthUri::parse) else { return };
    let Ok(uri) = uri else { return };
    let written = uri.to_uri();
    let read = OtpauthUri::parse(&written);
    assert!(read.is_ok(), "{:?} is not read back", written.as_str());
    let Ok(read) = read else { return };
    assert!(read.totp == uri.totp, "another secret in {:?}", written.as_str());
    // A colon divides issuer and account, and is a space inside of them.
    let plain = |text: &str| text.replace(':', " ").trim().to_owned();
    assert_eq!(plain(&read.account), plain(&uri.account));
    assert_eq!(read.issuer.as_deref().map(plain), uri.issuer.as_deref().map(plain));
    assert_eq!(read.to_uri().as_str(), written.as_str());
}

/// Always the same bytes: a target must do the same twice.
pub(crate) struct NoEntropy;

impl Entropy for NoEntropy {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), EntropyError> {
        bytes.fill(0xa5);
        Ok(())
    }
}

/// A JSON object with one of its members there twice.
pub(crate) struct Repeating {
    pub(crate) member: String,
    pub(crate) text: Vec<u8>,
}

impl Repeating {
    /// One for each of the first members of the object that `text` is and `value` says.
    pub(crate) fn members_of<'a>(text: &'a [u8], value: &'a Value) -> impl Iterator<Item = Self> + 'a {
        let rest = text.trim_ascii_start().strip_prefix(b"{");
        let names = value.as_object().into_iter().flat_map(|members| members.keys()).take(8);
        names.zip(std::iter::repeat(rest)).filter_map(|(name, rest)| {
            let text = [format!("{{{}:null,", Value::from(name.as_str())).as_bytes(), rest?].concat();
            Some(Self { member: name.clone(), text })
        })
    }
}
