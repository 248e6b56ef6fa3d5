//! `introspection` of an issuer: who is asked about tokens that only the issuer can read. Reaches for no network.

use super::fault::Fault;
use super::issuers::{URL_EXPECTED, required};
use super::keys::{Key, join};
use super::section::Section;
use super::{Located, Secret};
use crate::auth::{IntrospectionSettings, IssuerSettings, trusted_url};

pub(super) const KEYS: &[Key] = &[
    Key::value("url"),
    Key::value("client_id"),
    Key::secret("client_secret"),
    Key::value("token_prefix"),
    Key::value("missing_aud"),
];

pub(super) const CLIENT_EXPECTED: &str = "the id of this service as a client of the issuer";
const SECRET_EXPECTED: &str = "that client's secret";
const PREFIX_EXPECTED: &str = "what all opaque tokens of the issuer begin with, in visible ASCII characters";

pub(super) fn read(section: &mut Section<'_>) -> Option<IntrospectionSettings> {
    let url = required(section, "url", URL_EXPECTED)
        .then(|| section.parsed("url", URL_EXPECTED, trusted_url))
        .flatten();
    let client_id = required(section, "client_id", CLIENT_EXPECTED)
        .then(|| section.parsed("client_id", CLIENT_EXPECTED, nonempty))
        .flatten();
    let client_secret =
        required(section, "client_secret", SECRET_EXPECTED).then(|| client_secret(section)).flatten();
    let given = |section: &Section<'_>, key| section.has(key);
    let token_prefix = if given(section, "token_prefix") {
        section.parsed("token_prefix", PREFIX_EXPECTED, prefix)
    } else {
        Some(String::new())
    };
    let takes_missing_audience = if given(section, "missing_aud") {
        section.parsed("missing_aud", "\"refuse\" or \"accept\"", |text| match text {
            "refuse" => Some(false),
            "accept" => Some(true),
            _ => None,
        })
    } else {
        Some(false)
    };
    Some(IntrospectionSettings {
        url: url?,
        client_id: client_id?,
        client_secret: client_secret?,
        token_prefix: token_prefix?,
        takes_missing_audience: takes_missing_audience?,
    })
}

pub(super) fn nonempty(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

fn prefix(text: &str) -> Option<String> {
    nonempty(text).filter(|text| text.bytes().all(|byte| byte.is_ascii_graphic()))
}

pub(super) fn client_secret(section: &mut Section<'_>) -> Option<Secret> {
    let secret = section.secret("client_secret")?;
    if secret.expose().is_empty() {
        section.refuse("client_secret", format!("found an empty text, expected {SECRET_EXPECTED}"));
        return None;
    }
    Some(secret)
}

/// An opaque token must be that of one issuer alone: it is shown to no other.
pub(super) fn refuse_shared(issuers: &[(Located, IssuerSettings)], faults: &mut Vec<Fault>) {
    for (index, (located, issuer)) in issuers.iter().enumerate() {
        let mut before = issuers.iter().take(index);
        if let Some((_, other)) = before.find(|(_, other)| other.shares_opaque_tokens_with(issuer)) {
            let message = format!(
                "opaque tokens could be of issuer {:?} as well, expected a token_prefix in both of which neither \
                 begins with the other",
                &*other.name
            );
            let key = join(&located.path, "introspection.token_prefix");
            faults.push(Fault::new(located.place.clone(), key, message));
        }
    }
}
