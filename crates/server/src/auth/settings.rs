//! What the operator says about an issuer, and whether it can be right. No I/O.

use super::algorithm::Algorithm;
use super::direct_grant::DirectGrantSettings;
use super::introspection::IntrospectionSettings;
use super::linked_identity::LinkedIdentitySettings;
use super::outgoing::is_secure;
use std::sync::Arc;
use url::Url;

#[derive(Clone, Debug)]
pub struct IssuerSettings {
    /// Part of the identity of every account: it outlives a move of the issuer to another URL.
    pub name: Arc<str>,
    /// As tokens have it in `iss`, compared as bytes.
    pub issuer: String,
    pub audiences: Vec<String>,
    /// Instead of discovery.
    pub jwks_uri: Option<Url>,
    /// Empty: no JWT is taken and no key set is fetched, which needs `introspection`.
    pub algorithms: Vec<Algorithm>,
    /// For tokens that are no JWT; without it they are refused.
    pub introspection: Option<IntrospectionSettings>,
    pub linked_identity: Option<LinkedIdentitySettings>,
    /// JSON pointer to the time at which the account was registered, in seconds or as RFC 3339.
    pub registered_at_claim: Option<String>,
    /// Passwords are judged by the issuer, and no hash of an account's own is.
    pub direct_grant: Option<DirectGrantSettings>,
}

/// Settings that cannot work. `issuer` is the configured name.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    #[error("issuer {issuer:?}: {setting} is {found:?}, expected {expected}")]
    Value { issuer: Arc<str>, setting: &'static str, found: String, expected: &'static str },
    #[error("issuer {issuer:?}: {setting} is empty, expected at least one")]
    Empty { issuer: Arc<str>, setting: &'static str },
    #[error("issuer {issuer:?}: another issuer has the same {setting} already")]
    Twice { issuer: Arc<str>, setting: &'static str },
    #[error("the HTTP client for issuers cannot be made, expected root certificates on this system: {0}")]
    HttpClient(reqwest::Error),
}

const URL_EXPECTED: &str =
    "an https URL (http on loopback only) without user, query and fragment, as in the iss of its tokens";
const POINTER_EXPECTED: &str = "a JSON pointer such as /name or /outer/inner";

impl IssuerSettings {
    /// The issuer's URL, if all is well.
    pub(super) fn check(&self) -> Result<Url, SettingsError> {
        let value = |setting, found: &str, expected| SettingsError::Value {
            issuer: Arc::clone(&self.name),
            setting,
            found: found.to_owned(),
            expected,
        };
        let empty = |setting| SettingsError::Empty { issuer: Arc::clone(&self.name), setting };

        if self.name.is_empty() {
            return Err(value("name", "", "a short name such as main"));
        }
        let issuer = trusted_url(&self.issuer)
            .filter(|url| url.query().is_none())
            .ok_or_else(|| value("issuer", &without_password(&self.issuer), URL_EXPECTED))?;
        if let Some(uri) = &self.jwks_uri
            && !is_trusted(uri)
        {
            return Err(value("jwks_uri", &without_password(uri.as_str()), URL_EXPECTED));
        }
        if self.audiences.is_empty() {
            return Err(empty("audiences"));
        }
        if self.algorithms.is_empty() && self.introspection.is_none() {
            return Err(empty("algorithms"));
        }
        let introspection = self.introspection.as_ref().map(|introspection| {
            let IntrospectionSettings { url, client_id, client_secret, .. } = introspection;
            let names = ["introspection.url", "introspection.client_id", "introspection.client_secret"];
            (names, url, client_id, Some(client_secret))
        });
        let direct_grant = self.direct_grant.as_ref().map(|grant| {
            let DirectGrantSettings { token_url, client_id, client_secret, .. } = grant;
            (DirectGrantSettings::CLIENT, token_url, client_id, client_secret.as_ref())
        });
        for ([url_name, id_name, secret_name], url, id, secret) in
            introspection.into_iter().chain(direct_grant)
        {
            if !is_trusted(url) {
                return Err(value(url_name, &without_password(url.as_str()), URL_EXPECTED));
            }
            if id.is_empty() {
                return Err(empty(id_name));
            }
            if secret.is_some_and(|secret| secret.expose().is_empty()) {
                return Err(empty(secret_name));
            }
        }
        let linked_claim = self.linked_identity.as_ref().map(|linked| &linked.claim);
        for (setting, pointer) in [
            ("linked_identity.claim", linked_claim),
            ("registered_at_claim", self.registered_at_claim.as_ref()),
            (
                DirectGrantSettings::USERNAME_CLAIM,
                self.direct_grant.as_ref().map(|grant| &grant.username_claim),
            ),
        ] {
            if let Some(pointer) = pointer.filter(|pointer| !pointer.starts_with('/')) {
                return Err(value(setting, pointer, POINTER_EXPECTED));
            }
        }
        Ok(issuer)
    }

    /// Those that are asked beside the issuer's own.
    pub(super) fn further_urls(&self) -> impl Iterator<Item = &Url> {
        let introspection = self.introspection.as_ref().map(|introspection| &introspection.url);
        let direct_grant = self.direct_grant.as_ref().map(|grant| &grant.token_url);
        self.jwks_uri.iter().chain(introspection).chain(direct_grant)
    }

    /// Whether it could not be told which of the two to ask about an opaque token. Asking one after the other would
    /// hand tokens of each to the other, which could use them.
    pub fn shares_opaque_tokens_with(&self, other: &Self) -> bool {
        match (&self.introspection, &other.introspection) {
            (Some(one), Some(another)) => one.overlaps(another),
            _ => false,
        }
    }

    pub(super) fn check_distinct(all: &[Self]) -> Result<(), SettingsError> {
        for (index, settings) in all.iter().enumerate() {
            for other in all.iter().take(index) {
                let twice = |setting| SettingsError::Twice { issuer: Arc::clone(&settings.name), setting };
                if other.name == settings.name {
                    return Err(twice("name"));
                }
                // Tokens name their issuer by it: a second one would never be asked.
                if other.issuer == settings.issuer {
                    return Err(twice("issuer"));
                }
                if other.shares_opaque_tokens_with(settings) {
                    return Err(twice("introspection.token_prefix"));
                }
            }
        }
        Ok(())
    }
}

/// An address that keys may come from.
pub fn trusted_url(text: &str) -> Option<Url> {
    Url::parse(text).ok().filter(is_trusted)
}

fn is_trusted(url: &Url) -> bool {
    is_secure(url) && url.username().is_empty() && url.password().is_none() && url.fragment().is_none()
}

/// The message goes to a log.
fn without_password(url: &str) -> String {
    let mut parsed = match Url::parse(url) {
        Ok(parsed) if parsed.password().is_some() => parsed,
        _ => return url.to_owned(),
    };
    match parsed.set_password(Some("…")) {
        Ok(()) => parsed.into(),
        Err(()) => String::new(),
    }
}
