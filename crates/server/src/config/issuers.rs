//! `[[issuers]]`: whose tokens are taken. Looks at what is written only, and reaches for no network.

use super::keys::Key;
use super::section::Section;
use crate::auth::{Algorithm, IssuerSettings, LinkedIdentitySettings, trusted_url};

pub(super) const KEYS: &[Key] = &[
    Key::value("name"),
    Key::value("issuer"),
    Key::value("audiences"),
    Key::value("jwks_uri"),
    Key::value("algorithms"),
    Key::value("registered_at_claim"),
    Key::table("linked_identity", LINKED_IDENTITY_KEYS),
    Key::table("introspection", super::introspection::KEYS),
    Key::table("password", super::password::KEYS),
];

const LINKED_IDENTITY_KEYS: &[Key] = &[Key::value("claim"), Key::value("provider"), Key::value("clients")];

pub(super) const DEFAULT_NAME: &str = "main";

const NAME_EXPECTED: &str = "1 to 64 of the characters A-Z a-z 0-9 _ -";
pub(super) const URL_EXPECTED: &str = "an https URL without user name and fragment (http is accepted for localhost, 127.0.0.0/8 and [::1] only)";
pub(super) const POINTER_EXPECTED: &str = "a JSON pointer such as \"/registered_at\"";
const ALGORITHMS_EXPECTED: &str = "a list of RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384 and EdDSA (or Ed25519; asymmetric ones only)";

/// The name alone, which is all that most commands need. `only`: there is no other issuer.
pub(super) fn read_name(section: &mut Section<'_>, only: bool) -> Option<String> {
    if !section.has("name") {
        if !only {
            section.refuse("name", "missing, required when there are several issuers");
            return None;
        }
        return Some(DEFAULT_NAME.to_owned());
    }
    section.parsed("name", NAME_EXPECTED, |text| is_name(text).then(|| text.to_owned()))
}

pub(super) fn read(section: &mut Section<'_>, only: bool) -> Option<IssuerSettings> {
    let name = read_name(section, only);
    let issuer = required(section, "issuer", URL_EXPECTED)
        .then(|| section.parsed("issuer", URL_EXPECTED, |text| is_issuer(text).then(|| text.to_owned())))
        .flatten();
    let expected = "a list of audiences such as [\"einmal\"]";
    let audiences =
        required(section, "audiences", expected).then(|| section.texts("audiences", expected)).flatten();
    let jwks_uri = section.parsed("jwks_uri", URL_EXPECTED, trusted_url);
    let introspection =
        section.table("introspection").map(|mut section| super::introspection::read(&mut section));
    let direct_grant = section.table("password").map(|mut section| super::password::read(&mut section));
    let algorithms = read_algorithms(section, introspection.is_some());
    let registered_at_claim = pointer(section, "registered_at_claim");
    let linked_identity =
        section.table("linked_identity").and_then(|mut section| read_linked_identity(&mut section));
    Some(IssuerSettings {
        name: name?.into(),
        issuer: issuer?,
        audiences: audiences?,
        jwks_uri,
        algorithms,
        // A faulty one has been refused, and is not taken for absent.
        introspection: match introspection {
            Some(read) => Some(read?),
            None => None,
        },
        registered_at_claim,
        linked_identity,
        direct_grant: match direct_grant {
            Some(read) => Some(read?),
            None => None,
        },
    })
}

pub(super) fn required(section: &mut Section<'_>, key: &str, expected: &str) -> bool {
    let given = section.has(key);
    if !given {
        section.refuse(key, format!("missing, expected {expected}"));
    }
    given
}

/// None at all is a choice where opaque tokens are taken: then no JWT is, and no key set is needed.
fn read_algorithms(section: &mut Section<'_>, takes_opaque_tokens: bool) -> Vec<Algorithm> {
    if takes_opaque_tokens && section.is_empty_list("algorithms") {
        return Vec::new();
    }
    let Some(names) = section.texts("algorithms", ALGORITHMS_EXPECTED) else {
        return Algorithm::ALL.to_vec();
    };
    let mut algorithms = Vec::new();
    for name in names {
        match Algorithm::from_name(&name) {
            Some(algorithm) => algorithms.push(algorithm),
            None => section.refuse("algorithms", format!("found {name:?}, expected {ALGORITHMS_EXPECTED}")),
        }
    }
    algorithms
}

fn read_linked_identity(section: &mut Section<'_>) -> Option<LinkedIdentitySettings> {
    let provider_expected = "the name of a third party";
    let claim = required(section, "claim", POINTER_EXPECTED).then(|| pointer(section, "claim")).flatten();
    let provider = required(section, "provider", provider_expected)
        .then(|| {
            section.parsed("provider", provider_expected, |text| (!text.is_empty()).then(|| text.to_owned()))
        })
        .flatten();
    let clients = section.texts("clients", "a list of client ids (leave it out for all clients)");
    Some(LinkedIdentitySettings { claim: claim?, provider: provider?, clients: clients.unwrap_or_default() })
}

pub(super) fn pointer(section: &mut Section<'_>, key: &str) -> Option<String> {
    section.parsed(key, POINTER_EXPECTED, |text| is_json_pointer(text).then(|| text.to_owned()))
}

/// RFC 6901 section 3. The empty pointer is the whole token, and no claim.
fn is_json_pointer(text: &str) -> bool {
    text.starts_with('/') && text.split('~').skip(1).all(|rest| rest.starts_with(['0', '1']))
}

fn is_name(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
}

/// An issuer identifier has no query (OpenID Connect Discovery 1.0 section 3).
fn is_issuer(text: &str) -> bool {
    trusted_url(text).is_some() && !text.contains('?')
}
