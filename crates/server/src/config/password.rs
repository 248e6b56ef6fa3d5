//! `password` of an issuer: who judges its users' passwords, if not einmal itself. Reaches for no network.

use super::introspection::{CLIENT_EXPECTED, client_secret, nonempty};
use super::issuers::{POINTER_EXPECTED, URL_EXPECTED, pointer, required};
use super::keys::Key;
use super::section::Section;
use crate::auth::{DirectGrantSettings, trusted_url};

pub(super) const KEYS: &[Key] = &[Key::table("direct_grant", DIRECT_GRANT_KEYS)];

const DIRECT_GRANT_KEYS: &[Key] = &[
    Key::value("token_url"),
    Key::value("client_id"),
    Key::secret("client_secret"),
    Key::value("username_claim"),
    Key::value("scope"),
];

/// Without it many issuers send no ID token.
const DEFAULT_SCOPE: &str = "openid";
const SCOPE_EXPECTED: &str = "scopes with a space between, such as \"openid\"";

pub(super) fn read(section: &mut Section<'_>) -> Option<DirectGrantSettings> {
    required(section, "direct_grant", "a table with token_url, client_id and username_claim")
        .then(|| section.table("direct_grant"))
        .flatten()
        .and_then(|mut section| read_direct_grant(&mut section))
}

fn read_direct_grant(section: &mut Section<'_>) -> Option<DirectGrantSettings> {
    let token_url = required(section, "token_url", URL_EXPECTED)
        .then(|| section.parsed("token_url", URL_EXPECTED, trusted_url))
        .flatten();
    let client_id = required(section, "client_id", CLIENT_EXPECTED)
        .then(|| section.parsed("client_id", CLIENT_EXPECTED, nonempty))
        .flatten();
    // A faulty one has been refused, and is not taken for absent.
    let secret = section.has("client_secret").then(|| client_secret(section));
    let username_claim = required(section, "username_claim", POINTER_EXPECTED)
        .then(|| pointer(section, "username_claim"))
        .flatten();
    let scope = if section.has("scope") {
        section.parsed("scope", SCOPE_EXPECTED, scopes)
    } else {
        Some(DEFAULT_SCOPE.to_owned())
    };
    Some(DirectGrantSettings {
        token_url: token_url?,
        client_id: client_id?,
        client_secret: match secret {
            Some(read) => Some(read?),
            None => None,
        },
        username_claim: username_claim?,
        scope: scope?,
    })
}

/// RFC 6749 section 3.3.
fn scopes(text: &str) -> Option<String> {
    let is_scope = |scope: &str| {
        !scope.is_empty()
            && scope.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\'))
    };
    text.split(' ').all(is_scope).then(|| text.to_owned())
}
