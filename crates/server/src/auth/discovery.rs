//! Fetches an issuer's key set document, found by OpenID Connect Discovery or configured. It asks only URLs
//! of the configuration and of the issuer's own document: nothing of a token may ever come in here.

use super::outgoing::{DEADLINE, FetchError, answer_to, is_secure};
use reqwest::Client;
use url::Url;

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
        let accept = "application/json, application/jwk-set+json";
        answer_to(self.http.get(url.clone()).header("accept", accept), url).await
    }
}
