//! A refusal on its way to the client, as JSON:API (contract: `docs/errors`). Nothing of the inside may get into
//! it: what the operator must know goes to the log, under the same id.

pub use super::error_code::ErrorCode;

use axum::body::Bytes;
use axum::http::header::{CONNECTION, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use std::borrow::Cow;

/// One or more errors with one status, and the headers that go with them. It becomes a body only in the request
/// layer, which knows the request's id.
#[derive(Clone, Debug)]
pub struct ApiError(Box<Content>);

#[derive(Clone, Debug)]
struct Content {
    first: Fault,
    further: Vec<Fault>,
    retry_after_seconds: Option<u64>,
    www_authenticate: Option<HeaderValue>,
    closes_connection: bool,
    logged: Option<Cow<'static, str>>,
}

/// One member of `errors`.
#[derive(Clone, Debug)]
pub struct Fault {
    code: ErrorCode,
    detail: Option<Cow<'static, str>>,
    source: Option<Source>,
    meta: Option<serde_json::Map<String, serde_json::Value>>,
}

/// The place in the request that an error is about.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// RFC 6901, into the body. The empty string is the whole of it.
    Pointer(Cow<'static, str>),
    /// Of the query.
    Parameter(&'static str),
    Header(&'static str),
}

impl Fault {
    pub const fn new(code: ErrorCode) -> Self {
        Self { code, detail: None, source: None, meta: None }
    }

    #[must_use]
    pub fn detail(mut self, detail: impl Into<Cow<'static, str>>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    #[must_use]
    pub fn source(mut self, source: Source) -> Self {
        self.source = Some(source);
        self
    }

    #[must_use]
    pub fn pointer(self, pointer: impl Into<Cow<'static, str>>) -> Self {
        self.source(Source::Pointer(pointer.into()))
    }

    #[must_use]
    pub fn meta(mut self, name: &str, value: impl Into<serde_json::Value>) -> Self {
        self.meta.get_or_insert_default().insert(name.to_owned(), value.into());
        self
    }
}

impl From<Fault> for ApiError {
    fn from(first: Fault) -> Self {
        Self(Box::new(Content {
            first,
            further: Vec::new(),
            retry_after_seconds: None,
            www_authenticate: None,
            closes_connection: false,
            logged: None,
        }))
    }
}

impl ApiError {
    pub fn new(code: ErrorCode) -> Self {
        Fault::new(code).into()
    }

    /// 500. `cause` goes to the log alone, and must have no secret in it all the same.
    pub fn internal(cause: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorCode::Internal).logged(cause)
    }

    /// All faults of a body at once. `None` if there is none.
    pub fn all(faults: Vec<Fault>) -> Option<Self> {
        let mut faults = faults.into_iter();
        let mut error = Self::from(faults.next()?);
        error.0.further = faults.collect();
        Some(error)
    }

    #[must_use]
    pub fn detail(mut self, detail: impl Into<Cow<'static, str>>) -> Self {
        self.0.first.detail = Some(detail.into());
        self
    }

    #[must_use]
    pub fn retry_after(mut self, seconds: u64) -> Self {
        self.0.retry_after_seconds = Some(seconds);
        self
    }

    #[must_use]
    pub fn www_authenticate(mut self, challenge: HeaderValue) -> Self {
        self.0.www_authenticate = Some(challenge);
        self
    }

    /// For what leaves the connection in a state that nobody can be sure of.
    #[must_use]
    pub fn closing(mut self) -> Self {
        self.0.closes_connection = true;
        self
    }

    /// Tells the operator why, under the request's id.
    #[must_use]
    pub fn logged(mut self, cause: impl Into<Cow<'static, str>>) -> Self {
        self.0.logged = Some(cause.into());
        self
    }

    pub fn code(&self) -> ErrorCode {
        self.0.first.code
    }

    pub fn status(&self) -> StatusCode {
        self.code().status()
    }

    pub(super) fn cause(&self) -> Option<&str> {
        self.0.logged.as_deref()
    }

    /// The body, with `id` and the address of the page under `public_url`.
    pub(super) fn body(&self, id: &str, public_url: &str) -> Bytes {
        let errors = std::iter::once(&self.0.first).chain(&self.0.further);
        let errors = errors.map(|fault| ErrorObject::new(fault, id, public_url)).collect();
        serde_json::to_vec(&Document { errors }).unwrap_or_default().into()
    }

    pub(super) fn insert_headers(&self, headers: &mut HeaderMap) {
        headers.insert(CONTENT_TYPE, JSON_API);
        if let Some(seconds) = self.0.retry_after_seconds {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        if let Some(challenge) = &self.0.www_authenticate {
            headers.insert(WWW_AUTHENTICATE, challenge.clone());
        }
        if self.0.closes_connection {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
    }
}

pub(super) const JSON_API: HeaderValue = HeaderValue::from_static("application/vnd.api+json");

/// Carries the error to the request layer.
impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = self.status().into_response();
        response.extensions_mut().insert(self);
        response
    }
}

#[derive(Serialize)]
struct Document<'a> {
    errors: Vec<ErrorObject<'a>>,
}

#[derive(Serialize)]
struct ErrorObject<'a> {
    id: &'a str,
    links: Links,
    status: &'a str,
    code: &'static str,
    title: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<&'a Source>,
    #[serde(skip_serializing_if = "Option::is_none")]
    meta: Option<&'a serde_json::Map<String, serde_json::Value>>,
}

#[derive(Serialize)]
struct Links {
    about: String,
}

impl<'a> ErrorObject<'a> {
    fn new(fault: &'a Fault, id: &'a str, public_url: &str) -> Self {
        let code = fault.code.as_str();
        Self {
            id,
            links: Links { about: format!("{public_url}/docs/errors#{code}") },
            status: fault.code.status_text(),
            code,
            title: fault.code.title(),
            detail: fault.detail.as_deref(),
            source: fault.source.as_ref(),
            meta: fault.meta.as_ref(),
        }
    }
}
