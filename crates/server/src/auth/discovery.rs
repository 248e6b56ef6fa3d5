//! Fetches an issuer's key set document, found by OpenID Connect Discovery or configured. It asks only URLs
//! of the configuration and of the issuer's own document: nothing of a token may ever come in here.

use reqwest::{Client, StatusCode};
use std::error::Error;
use std::fmt::Write as _;
use std::time::Duration;
use url::{Host, Url};

/// For discovery document and key set together: somebody's request may be waiting.
const DEADLINE: Duration = Duration::from_secs(5);
const MAX_DOCUMENT_BYTES: usize = 256 * 1024;

/// Why there is no newer key set.
#[derive(Clone, Debug, thiserror::Error)]
pub enum FetchError {
    #[error("{url} could not be read: {reason}")]
    Unreachable { url: String, reason: String },
    #[error("{url} answered with status {status}, expected 200 (redirects are not followed)")]
    Status { url: String, status: u16 },
    #[error("{url} sent more than {MAX_DOCUMENT_BYTES} bytes")]
    TooLarge { url: String },
    #[error("no answer within {} seconds", DEADLINE.as_secs())]
    TooSlow,
    #[error("{url} is not a discovery document: {reason}")]
    NotADiscoveryDocument { url: String, reason: String },
    #[error("{url} says that it is of issuer {found:?}, expected {expected:?}")]
    WrongIssuer { url: String, expected: String, found: String },
    #[error("{url} gives the jwks_uri {found:?}, expected an https URL, or http on loopback")]
    InsecureKeySetUrl { url: String, found: String },
    #[error("the key set is not usable: {0}")]
    UnusableKeySet(&'static str),
}

impl FetchError {
    /// Whether trying again cannot help: the configuration and the issuer contradict each other.
    pub(super) fn is_contradiction(&self) -> bool {
        matches!(self, Self::WrongIssuer { .. } | Self::InsecureKeySetUrl { .. })
    }
}

/// Plain http only where nobody can sit in between. Whoever can change a key set can sign for everybody.
pub(super) fn is_secure(url: &Url) -> bool {
    let is_loopback = match url.host() {
        Some(Host::Domain(domain)) => domain == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => return false,
    };
    match url.scheme() {
        "https" => true,
        "http" => is_loopback,
        _ => false,
    }
}

/// No redirects (they lead out of what the operator allowed), no proxies from the environment, no retries (the
/// rule of one fetch in 30 s is the only one), no idle connections (the next fetch is minutes away).
pub(super) fn http_client(needs_tls: bool) -> Result<Client, reqwest::Error> {
    let builder = Client::builder()
        .user_agent(concat!("einmal/", env!("CARGO_PKG_VERSION")))
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .no_proxy()
        .referer(false)
        .pool_max_idle_per_host(0);
    // The system's root certificates may be missing where no issuer needs them.
    if needs_tls { builder.build() } else { builder.tls_certs_only([]).build() }
}

/// Where the key set of one issuer is to be had.
pub(super) struct KeySetLocation {
    issuer: String,
    discovery_url: Url,
    /// Configured: no discovery then.
    jwks_uri: Option<Url>,
    http: Client,
}

#[derive(serde::Deserialize)]
struct DiscoveryDocument {
    issuer: String,
    jwks_uri: String,
}

impl KeySetLocation {
    pub(super) fn new(issuer: &Url, written: &str, jwks_uri: Option<Url>, http: Client) -> Self {
        // OpenID Connect Discovery 1.0 section 4.1: appended to the path, after a slash at its end is taken off.
        let mut discovery_url = issuer.clone();
        let path = issuer.path();
        let path = path.strip_suffix('/').unwrap_or(path);
        discovery_url.set_path(&format!("{path}/.well-known/openid-configuration"));
        Self { issuer: written.to_owned(), discovery_url, jwks_uri, http }
    }

    pub(super) async fn fetch(&self) -> Result<Vec<u8>, FetchError> {
        tokio::time::timeout(DEADLINE, async {
            if let Some(configured) = &self.jwks_uri {
                return self.get(configured).await;
            }
            let discovered = self.discover().await?;
            self.get(&discovered).await
        })
        .await
        .unwrap_or(Err(FetchError::TooSlow))
    }

    /// Anew each time: an issuer may move its key set.
    async fn discover(&self) -> Result<Url, FetchError> {
        let url = &self.discovery_url;
        let document = self.get(url).await?;
        let document: DiscoveryDocument = serde_json::from_slice(&document).map_err(|error| {
            FetchError::NotADiscoveryDocument { url: url.to_string(), reason: error.to_string() }
        })?;
        // Section 4.3: identical. Else one tenant of a provider could hand out another one's keys.
        if document.issuer != self.issuer {
            return Err(FetchError::WrongIssuer {
                url: url.to_string(),
                expected: self.issuer.clone(),
                found: document.issuer,
            });
        }
        Url::parse(&document.jwks_uri)
            .ok()
            .filter(is_secure)
            .ok_or_else(|| FetchError::InsecureKeySetUrl { url: url.to_string(), found: document.jwks_uri })
    }

    async fn get(&self, url: &Url) -> Result<Vec<u8>, FetchError> {
        let unreachable = |error: reqwest::Error| FetchError::Unreachable {
            url: url.to_string(),
            reason: with_causes(&error.without_url()),
        };
        let request =
            self.http.get(url.clone()).header("accept", "application/json, application/jwk-set+json");
        let mut response = request.send().await.map_err(unreachable)?;
        if response.status() != StatusCode::OK {
            return Err(FetchError::Status { url: url.to_string(), status: response.status().as_u16() });
        }
        let mut document = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
            if document.len() + chunk.len() > MAX_DOCUMENT_BYTES {
                return Err(FetchError::TooLarge { url: url.to_string() });
            }
            document.extend_from_slice(&chunk);
        }
        Ok(document)
    }
}

/// The outermost error says only that sending failed; what an operator needs is further in.
fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        // Writing to a string cannot fail.
        let _ = write!(text, ": {inner}");
        cause = inner.source();
    }
    text
}
