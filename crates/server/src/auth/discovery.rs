//! Fetches an issuer's discovery document (OpenID Connect Discovery), and its key set document, found by it or configured.
//! It asks only URLs of the configuration and of the issuer's own document: nothing of a token may ever come in here.

use super::outgoing::{DEADLINE, FetchError, answer_to, is_secure};
use reqwest::Client;
use url::Url;

/// Where an issuer says what it has.
#[derive(Clone)]
pub(super) struct Discovery {
    issuer: String,
    url: Url,
    http: Client,
}

#[derive(serde::Deserialize)]
pub(super) struct DiscoveryDocument {
    issuer: String,
    jwks_uri: String,
    pub(super) authorization_endpoint: Option<String>,
    pub(super) token_endpoint: Option<String>,
    pub(super) end_session_endpoint: Option<String>,
}

impl Discovery {
    /// `written`: the issuer as the configuration has it.
    pub(super) fn new(issuer: &Url, written: &str, http: Client) -> Self {
        // OpenID Connect Discovery 1.0 section 4.1: appended to the path, after a slash at its end is taken off.
        let mut url = issuer.clone();
        let path = issuer.path();
        let path = path.strip_suffix('/').unwrap_or(path);
        url.set_path(&format!("{path}/.well-known/openid-configuration"));
        Self { issuer: written.to_owned(), url, http }
    }

    pub(super) fn issuer(&self) -> &str {
        &self.issuer
    }

    pub(super) async fn document(&self) -> Result<DiscoveryDocument, FetchError> {
        let url = &self.url;
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
        Ok(document)
    }

    async fn get(&self, url: &Url) -> Result<Vec<u8>, FetchError> {
        let accept = "application/json, application/jwk-set+json";
        answer_to(self.http.get(url.clone()).header("accept", accept), url).await
    }

    /// A URL of the document that is to be trusted as much as the issuer.
    pub(super) fn endpoint(&self, name: &'static str, found: Option<&str>) -> Result<Url, FetchError> {
        found.and_then(|found| Url::parse(found).ok()).filter(is_secure).ok_or_else(|| {
            let found = found.unwrap_or_default().to_owned();
            FetchError::InsecureEndpoint { url: self.url.to_string(), name, found }
        })
    }
}

/// Where the key set of one issuer is to be had.
pub(super) struct KeySetLocation {
    discovery: Discovery,
    /// Configured: no discovery then.
    jwks_uri: Option<Url>,
}

impl KeySetLocation {
    pub(super) fn new(discovery: Discovery, jwks_uri: Option<Url>) -> Self {
        Self { discovery, jwks_uri }
    }

    pub(super) async fn fetch(&self) -> Result<Vec<u8>, FetchError> {
        tokio::time::timeout(DEADLINE, async {
            if let Some(configured) = &self.jwks_uri {
                return self.discovery.get(configured).await;
            }
            let discovered = self.discover().await?;
            self.discovery.get(&discovered).await
        })
        .await
        .unwrap_or(Err(FetchError::TooSlow))
    }

    /// Anew each time: an issuer may move its key set.
    async fn discover(&self) -> Result<Url, FetchError> {
        let document = self.discovery.document().await?;
        self.discovery.endpoint("jwks_uri", Some(&document.jwks_uri))
    }
}
