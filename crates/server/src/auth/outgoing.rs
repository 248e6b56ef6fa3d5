//! Requests to issuers: bounded in time and size, and to nobody but those of the configuration and of the issuer's
//! own document. Nothing of a token or a password may ever come into a URL, a header or a message here.

use crate::config::Secret;
use crate::trace;
use axum::body::Bytes;
use reqwest::header::{ACCEPT, CONTENT_TYPE};
use reqwest::{Client, RequestBuilder, Response, StatusCode};
use std::error::Error;
use std::fmt::Write as _;
use std::time::Duration;
use url::form_urlencoded::byte_serialize;
use url::{Host, Url};
use zeroize::Zeroizing;

/// For all that is asked at one occasion together: somebody's request may be waiting.
pub(super) const DEADLINE: Duration = Duration::from_secs(5);
/// Shorter, so that it can be told who was never asked.
const CONNECT_DEADLINE: Duration = Duration::from_secs(3);
const MAX_DOCUMENT_BYTES: usize = 256 * 1024;
/// Of an issuer on behalf of clients: so many questions at once, and so many more that wait for their turn.
pub(super) const ASKED_AT_ONCE: usize = 32;
pub(super) const ASKED_OR_WAITING: usize = 256;

/// Why an issuer's answer is of no use.
#[derive(Clone, Debug, thiserror::Error)]
pub enum FetchError {
    /// No connection came about: nothing was asked.
    #[error("{url} could not be reached: {reason}")]
    NoConnection { url: String, reason: String },
    #[error("{url} could not be read: {reason}")]
    Unreachable { url: String, reason: String },
    #[error("{url} answered with status {status}, expected 200 (redirects are not followed)")]
    Status { url: String, status: u16 },
    #[error("{url} sent more than {most} bytes")]
    TooLarge { url: String, most: usize },
    #[error("no answer within {} seconds", DEADLINE.as_secs())]
    TooSlow,
    #[error("{url} is not a discovery document: {reason}")]
    NotADiscoveryDocument { url: String, reason: String },
    #[error("{url} says that it is of issuer {found:?}, expected {expected:?}")]
    WrongIssuer { url: String, expected: String, found: String },
    #[error("{url} gives the {name} {found:?}, expected an https URL, or http on loopback")]
    InsecureEndpoint { url: String, name: &'static str, found: String },
    #[error("the key set is not usable: {0}")]
    UnusableKeySet(&'static str),
    #[error("{url} sent no answer of RFC 7662: {reason}")]
    NotAnIntrospectionAnswer { url: String, reason: &'static str },
}

impl FetchError {
    /// Whether trying again cannot help: the configuration and the issuer contradict each other.
    pub(super) fn is_contradiction(&self) -> bool {
        matches!(self, Self::WrongIssuer { .. } | Self::InsecureEndpoint { .. })
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
        .connect_timeout(CONNECT_DEADLINE)
        // An issuer that closes what has been idle must not do so under a request. Common servers wait 2 s or more.
        .pool_idle_timeout(Duration::from_secs(1));
    // The system's root certificates may be missing where no issuer needs them.
    if needs_tls { builder.build() } else { builder.tls_certs_only([]).build() }
}

/// A form (RFC 6749 appendix B) from us as one of the issuer's clients: with a secret by HTTP Basic, else by name.
pub(super) fn post_form(
    http: &Client,
    url: &Url,
    client_id: &str,
    client_secret: Option<&Secret>,
    fields: &[(&str, &str)],
) -> RequestBuilder {
    let request = http.post(url.clone()).header(ACCEPT, "application/json");
    let request = request.header(CONTENT_TYPE, "application/x-www-form-urlencoded");
    let Some(secret) = client_secret else {
        return request.body(form(&[fields, &[("client_id", client_id)]].concat()));
    };
    // RFC 6749 section 2.3.1: both are form-encoded first, so that a colon stays part of the name.
    let (name, secret) = (form_encoded(client_id), form_encoded(secret.expose()));
    request.basic_auth(name.as_str(), Some(secret.as_str())).body(form(fields))
}

/// Wiped when it has been sent.
fn form(fields: &[(&str, &str)]) -> Bytes {
    // It never grows, which would leave a copy behind.
    let room = fields.iter().map(|(name, value)| name.len() + 3 * value.len() + 2).sum();
    let mut form = Zeroizing::new(String::with_capacity(room));
    for (name, value) in fields {
        let separator = if form.is_empty() { "" } else { "&" };
        form.extend([separator, name, "="]);
        form.extend(byte_serialize(value.as_bytes()));
    }
    Bytes::from_owner(form)
}

fn form_encoded(text: &str) -> Zeroizing<String> {
    // At most three characters a byte.
    let mut encoded = Zeroizing::new(String::with_capacity(3 * text.len()));
    encoded.extend(byte_serialize(text.as_bytes()));
    encoded
}

/// The body of the answer, which must have status 200.
pub(super) async fn answer_to(request: RequestBuilder, url: &Url) -> Result<Vec<u8>, FetchError> {
    let response = send(request, url).await?;
    if response.status() != StatusCode::OK {
        return Err(status(response.status(), url));
    }
    let mut document = Vec::new();
    read(response, url, MAX_DOCUMENT_BYTES, &mut document).await?;
    Ok(document)
}

/// The answer whatever its status, with a body of at most so many bytes that is wiped.
pub(super) async fn secret_answer_to(
    request: RequestBuilder,
    url: &Url,
    most: usize,
) -> Result<(StatusCode, Zeroizing<Vec<u8>>), FetchError> {
    let response = send(request, url).await?;
    let status = response.status();
    // It never grows, which would leave a copy behind.
    let mut body = Zeroizing::new(Vec::with_capacity(most));
    read(response, url, most, &mut body).await?;
    Ok((status, body))
}

pub(super) fn status(status: StatusCode, url: &Url) -> FetchError {
    FetchError::Status { url: url.to_string(), status: status.as_u16() }
}

async fn send(request: RequestBuilder, url: &Url) -> Result<Response, FetchError> {
    let request = match trace::traceparent() {
        Some(traceparent) => request.header("traceparent", traceparent),
        None => request,
    };
    request.send().await.map_err(|error| failure(error, url))
}

async fn read(mut response: Response, url: &Url, most: usize, body: &mut Vec<u8>) -> Result<(), FetchError> {
    while let Some(chunk) = response.chunk().await.map_err(|error| failure(error, url))? {
        if body.len() + chunk.len() > most {
            return Err(FetchError::TooLarge { url: url.to_string(), most });
        }
        body.extend_from_slice(&chunk);
    }
    Ok(())
}

fn failure(error: reqwest::Error, url: &Url) -> FetchError {
    let (url, is_connect) = (url.to_string(), error.is_connect());
    let reason = with_causes(&error.without_url());
    if is_connect {
        FetchError::NoConnection { url, reason }
    } else {
        FetchError::Unreachable { url, reason }
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
