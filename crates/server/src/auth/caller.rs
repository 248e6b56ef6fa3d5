//! Proof that a request may do what it asks: without a good token with the operation's scope there is no
//! `Caller`, and without a `Caller` a handler cannot be written.

use super::{TokenError, TokenVerifier, VerifiedToken};
use crate::api::error::{ApiError, ErrorCode};
use crate::api::request::RequestId;
use crate::context::Context;
use crate::events::{By, Origin, Reporter};
use crate::metrics::{Stage, TokenOutcome};
use axum::extract::FromRequestParts;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue};
use einmal_core::Timestamp;
use einmal_core::account::AccountId;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;

/// What the extractor needs of the token verifier.
pub trait VerifyToken: Send + Sync {
    fn verify<'a>(&'a self, token: &'a str, now: Timestamp) -> Verification<'a>;
}

pub type Verification<'a> = Pin<Box<dyn Future<Output = Result<Arc<VerifiedToken>, TokenError>> + Send + 'a>>;

impl VerifyToken for TokenVerifier {
    fn verify<'a>(&'a self, token: &'a str, now: Timestamp) -> Verification<'a> {
        Box::pin(Self::verify(self, token, now))
    }
}

/// An operation, as far as permission goes.
pub trait Operation: Send + Sync + 'static {
    /// The scope it needs, and what a refusal names.
    const SCOPE: &'static str;

    /// For the operations that need one of several scopes, or all of them.
    fn is_permitted(token: &VerifiedToken) -> bool {
        token.has_scope(Self::SCOPE)
    }

    /// For the operations that are not for everybody's client. The reason is told to the client.
    fn is_open_to(_token: &VerifiedToken, _context: &Context) -> Result<(), &'static str> {
        Ok(())
    }
}

/// Somebody with a valid token for `Op`, and the one time that holds for the whole request.
pub struct Caller<Op> {
    pub token: Arc<VerifiedToken>,
    pub now: Timestamp,
    /// Tells what comes of the request.
    pub reporter: Reporter,
    operation: PhantomData<fn() -> Op>,
}

impl<Op> Caller<Op> {
    pub fn account(&self) -> &AccountId {
        &self.token.account
    }
}

impl<Op: Operation> FromRequestParts<Arc<Context>> for Caller<Op> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, context: &Arc<Context>) -> Result<Self, ApiError> {
        Self::admit(parts, context, |token| Origin {
            account: token.account.clone(),
            by: By::Owner { client: token.client.as_deref().map(Box::from) },
            request_id: parts.extensions.get().map(RequestId::as_str).unwrap_or_default().into(),
        })
        .await
    }
}

impl<Op: Operation> Caller<Op> {
    /// `origin`: of what comes of the request, which need not be about the account of the token.
    pub(crate) async fn admit(
        parts: &Parts,
        context: &Context,
        origin: impl FnOnce(&VerifiedToken) -> Origin,
    ) -> Result<Self, ApiError> {
        let token = bearer_token(&parts.headers)?;
        let now = context.clock.now();
        let metrics = context.accounts.metrics();
        let checking = metrics.stages.time(Stage::Token);
        let verified = context.tokens.verify(token, now).await;
        drop(checking);
        metrics.token(outcome(&verified));
        let token = verified.map_err(|error| refusal(&error))?;
        if token.linked_identity_missing {
            return Err(challenge(ErrorCode::MissingLinkedIdentity, INVALID));
        }
        if !Op::is_permitted(&token) {
            return Err(insufficient_scope(Op::SCOPE));
        }
        if let Err(reason) = Op::is_open_to(&token, context) {
            return Err(insufficient_scope(Op::SCOPE).detail(reason).logged(asked_by(&token)));
        }
        let reporter = context.events.reporter(|| origin(&token));
        Ok(Self { token, now, reporter, operation: PhantomData })
    }
}

/// RFC 6750 section 2.1. Two lines are not joined: a proxy in front may have judged the other one.
pub(super) fn bearer_token(headers: &HeaderMap) -> Result<&str, ApiError> {
    let mut lines = headers.get_all(AUTHORIZATION).iter();
    let missing = || challenge(ErrorCode::TokenMissing, HeaderValue::from_static(r#"Bearer realm="einmal""#));
    let line = lines.next().ok_or_else(missing)?;
    if lines.next().is_some() {
        return Err(invalid("more than one Authorization line"));
    }
    let (scheme, token) = split_scheme(line.as_bytes());
    if !scheme.eq_ignore_ascii_case(b"Bearer") {
        return Err(missing());
    }
    // b64token of RFC 6750; what else is in a token is the verifier's business.
    // All bytes, without stopping at the first other one: a loop without branches does many at once.
    let is_graphic = token.iter().fold(true, |so_far, byte| so_far & byte.is_ascii_graphic());
    if token.is_empty() || !is_graphic {
        return Err(invalid("token is empty or has other characters than a token"));
    }
    std::str::from_utf8(token).map_err(|_| invalid("token is not text"))
}

fn split_scheme(line: &[u8]) -> (&[u8], &[u8]) {
    let end = line.iter().position(|byte| *byte == b' ').unwrap_or(line.len());
    let (scheme, token) = line.split_at(end);
    let start = token.iter().position(|byte| *byte != b' ').unwrap_or(token.len());
    (scheme, token.get(start..).unwrap_or_default())
}

const INVALID: HeaderValue = HeaderValue::from_static(r#"Bearer realm="einmal", error="invalid_token""#);

fn challenge(code: ErrorCode, www_authenticate: HeaderValue) -> ApiError {
    ApiError::new(code).www_authenticate(www_authenticate)
}

fn invalid(reason: &'static str) -> ApiError {
    challenge(ErrorCode::TokenInvalid, INVALID).logged(reason)
}

fn outcome(verified: &Result<Arc<VerifiedToken>, TokenError>) -> TokenOutcome {
    match verified {
        Ok(_) => TokenOutcome::Accepted,
        Err(TokenError::Invalid(_)) => TokenOutcome::Invalid,
        Err(TokenError::Expired) => TokenOutcome::Expired,
        Err(TokenError::Unavailable { .. }) => TokenOutcome::Unavailable,
    }
}

fn refusal(error: &TokenError) -> ApiError {
    match *error {
        TokenError::Invalid(reason) => invalid(reason),
        TokenError::Expired => challenge(ErrorCode::TokenExpired, INVALID),
        TokenError::Unavailable { retry_after_seconds } => ApiError::new(ErrorCode::Unavailable)
            .detail("The token's issuer cannot be reached.")
            .logged("no word from the token's issuer")
            .retry_after(retry_after_seconds),
    }
}

/// For operations that find out themselves what a token lacks, too.
pub(crate) fn insufficient_scope(scope: &'static str) -> ApiError {
    let value = format!(r#"Bearer realm="einmal", error="insufficient_scope", scope="{scope}""#);
    let error =
        ApiError::new(ErrorCode::InsufficientScope).detail(format!("The token lacks the scope {scope}."));
    match HeaderValue::try_from(value) {
        Ok(value) => error.www_authenticate(value),
        Err(_) => error,
    }
}

/// For the log. What a token says is true, but need not be harmless.
fn asked_by(token: &VerifiedToken) -> String {
    let client = token.client.as_deref().unwrap_or("none").escape_default();
    format!(
        "asked by {} of {}, client {client}",
        token.account.subject().escape_default(),
        token.account.issuer()
    )
}
