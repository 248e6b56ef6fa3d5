//! Requests to issuers: bounded in time and size, and to nobody but those of the configuration and of the issuer's
//! own document. Nothing of a token may ever come into a URL, a header or a message here.

use crate::trace;
use reqwest::{Client, RequestBuilder, StatusCode};
use std::error::Error;
use std::fmt::Write as _;
use std::time::Duration;
use url::{Host, Url};

/// For all that is asked at one occasion together: somebody's request may be waiting.
pub(super) const DEADLINE: Duration = Duration::from_secs(5);
const MAX_DOCUMENT_BYTES: usize = 256 * 1024;

/// Why an issuer's answer is of no use.
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
    #[error("{url} sent no answer of RFC 7662: {reason}")]
    NotAnIntrospectionAnswer { url: String, reason: &'static str },
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

/// No redirects (they lead out of what the operator allowed), no proxies from the environment, and no retries (when
/// to ask again is for the rules of key sets and of clients alone).
pub(super) fn http_client(needs_tls: bool) -> Result<Client, reqwest::Error> {
    let builder = Client::builder()
        .user_agent(concat!("einmal/", env!("CARGO_PKG_VERSION")))
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .no_proxy()
        .referer(false)
        // An issuer that closes what has been idle must not do so under a request. Common servers wait 2 s or more.
        .pool_idle_timeout(Duration::from_secs(1));
    // The system's root certificates may be missing where no issuer needs them.
    if needs_tls { builder.build() } else { builder.tls_certs_only([]).build() }
}

/// The body of the answer, which must have status 200.
pub(super) async fn answer_to(request: RequestBuilder, url: &Url) -> Result<Vec<u8>, FetchError> {
    let unreachable = |error: reqwest::Error| FetchError::Unreachable {
        url: url.to_string(),
        reason: with_causes(&error.without_url()),
    };
    let request = match trace::traceparent() {
        Some(traceparent) => request.header("traceparent", traceparent),
        None => request,
    };
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
