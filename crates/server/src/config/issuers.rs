//! `[[issuers]]`: whose tokens are taken. Looks at what is written only, and reaches for no network.

use super::keys::Key;
use super::section::Section;
use url::{Host, Url};

pub(super) const KEYS: &[Key] = &[
    Key::value("name"),
    Key::value("issuer"),
    Key::value("audiences"),
    Key::value("jwks_uri"),
    Key::value("algorithms"),
    Key::value("registered_at_claim"),
    Key::table("linked_identity", LINKED_IDENTITY_KEYS),
    Key::unsupported("introspection"),
    Key::unsupported("password"),
];

const LINKED_IDENTITY_KEYS: &[Key] = &[Key::value("claim"), Key::value("provider"), Key::value("clients")];

pub(super) const DEFAULT_NAME: &str = "main";

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssuerConfig {
    /// Part of every account's identity.
    pub name: String,
    /// Compared with `iss`, byte for byte.
    pub issuer: String,
    /// One of them must be in `aud`; never empty.
    pub audiences: Vec<String>,
    /// `None`: found by OIDC discovery.
    pub jwks_uri: Option<String>,
    /// Never empty.
    pub algorithms: Vec<SigningAlgorithm>,
    /// JSON pointer to the time of registration, in seconds or RFC 3339.
    pub registered_at_claim: Option<String>,
    pub linked_identity: Option<LinkedIdentityConfig>,
}

/// A third party that a claim of the token must name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkedIdentityConfig {
    /// JSON pointer.
    pub claim: String,
    pub provider: String,
    /// Clients that it is demanded of; `None`: of all.
    pub clients: Option<Vec<String>>,
}

/// Signature algorithms that tokens may have (RFC 7518 section 3.1, RFC 8037). All are asymmetric: with HMAC
/// whoever verifies could also sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SigningAlgorithm {
    Rs256,
    Rs384,
    Rs512,
    Ps256,
    Ps384,
    Ps512,
    Es256,
    Es384,
    EdDsa,
}

impl SigningAlgorithm {
    pub const ALL: [Self; 9] = [
        Self::Rs256,
        Self::Rs384,
        Self::Rs512,
        Self::Ps256,
        Self::Ps384,
        Self::Ps512,
        Self::Es256,
        Self::Es384,
        Self::EdDsa,
    ];

    /// As `alg` of a token's header has it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Rs384 => "RS384",
            Self::Rs512 => "RS512",
            Self::Ps256 => "PS256",
            Self::Ps384 => "PS384",
            Self::Ps512 => "PS512",
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
            Self::EdDsa => "EdDSA",
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.name() == name)
    }
}

const NAME_EXPECTED: &str = "1 to 64 of the characters A-Z a-z 0-9 _ -";
const URL_EXPECTED: &str = "an https URL without user name and fragment (http is accepted for localhost, 127.0.0.0/8 and [::1] only)";
const POINTER_EXPECTED: &str = "a JSON pointer such as \"/registered_at\"";
const ALGORITHMS_EXPECTED: &str =
    "a list of RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384 and EdDSA (asymmetric ones only)";

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

pub(super) fn read(section: &mut Section<'_>, only: bool) -> Option<IssuerConfig> {
    let name = read_name(section, only);
    let issuer = required(section, "issuer", URL_EXPECTED)
        .then(|| section.parsed("issuer", URL_EXPECTED, |text| is_issuer(text).then(|| text.to_owned())))
        .flatten();
    let expected = "a list of audiences such as [\"einmal\"]";
    let audiences =
        required(section, "audiences", expected).then(|| section.texts("audiences", expected)).flatten();
    let jwks_uri =
        section.parsed("jwks_uri", URL_EXPECTED, |text| is_trusted_url(text).then(|| text.to_owned()));
    let algorithms = read_algorithms(section);
    let registered_at_claim = pointer(section, "registered_at_claim");
    let linked_identity =
        section.table("linked_identity").and_then(|mut section| read_linked_identity(&mut section));
    Some(IssuerConfig {
        name: name?,
        issuer: issuer?,
        audiences: audiences?,
        jwks_uri,
        algorithms,
        registered_at_claim,
        linked_identity,
    })
}

fn required(section: &mut Section<'_>, key: &str, expected: &str) -> bool {
    let given = section.has(key);
    if !given {
        section.refuse(key, format!("missing, expected {expected}"));
    }
    given
}

fn read_algorithms(section: &mut Section<'_>) -> Vec<SigningAlgorithm> {
    let Some(names) = section.texts("algorithms", ALGORITHMS_EXPECTED) else {
        return SigningAlgorithm::ALL.to_vec();
    };
    let mut algorithms = Vec::new();
    for name in names {
        match SigningAlgorithm::from_name(&name) {
            Some(algorithm) => algorithms.push(algorithm),
            None => section.refuse("algorithms", format!("found {name:?}, expected {ALGORITHMS_EXPECTED}")),
        }
    }
    algorithms
}

fn read_linked_identity(section: &mut Section<'_>) -> Option<LinkedIdentityConfig> {
    let provider_expected = "the name of a third party";
    let claim = required(section, "claim", POINTER_EXPECTED).then(|| pointer(section, "claim")).flatten();
    let provider = required(section, "provider", provider_expected)
        .then(|| {
            section.parsed("provider", provider_expected, |text| (!text.is_empty()).then(|| text.to_owned()))
        })
        .flatten();
    let clients = section.texts("clients", "a list of client ids (leave it out for all clients)");
    Some(LinkedIdentityConfig { claim: claim?, provider: provider?, clients })
}

fn pointer(section: &mut Section<'_>, key: &str) -> Option<String> {
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
    is_trusted_url(text) && !text.contains('?')
}

/// Over plain http anybody on the way could exchange the keys, and with them whose tokens are good.
fn is_trusted_url(text: &str) -> bool {
    let Ok(url) = Url::parse(text) else { return false };
    let loopback = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    let plain = url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
    plain && (url.scheme() == "https" && url.has_host() || url.scheme() == "http" && loopback)
}
