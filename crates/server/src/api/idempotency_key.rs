//! The header by which a client repeats a request whose answer it lost. Only digests of it and of the body go on from
//! here.

use super::error::{ApiError, ErrorCode, Fault, Source};
use crate::accounts::Accounts;
use crate::auth::VerifiedToken;
use aws_lc_rs::{digest, hmac};
use axum::extract::FromRequestParts;
use axum::http::HeaderValue;
use axum::http::request::Parts;
use einmal_core::account::{Account, AccountId, Earlier, KeyedRequest};
use serde_json::{Value, json};
use std::convert::Infallible;

const NAME: &str = "Idempotency-Key";
const LENGTH: std::ops::RangeInclusive<usize> = 16..=64;

/// As it came. It is judged after the body, as the contract has it.
pub(super) struct IdempotencyKey(Vec<HeaderValue>);

impl<S: Sync> FromRequestParts<S> for IdempotencyKey {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self(parts.headers.get_all(NAME).iter().cloned().collect()))
    }
}

impl IdempotencyKey {
    /// For the OpenAPI document.
    pub(super) fn parameter() -> Value {
        json!({
            "name": NAME, "in": "header", "required": false,
            "description": "A fresh random value for a new request, and the same one to repeat it unchanged after a lost \
                answer: what was accepted is then answered again, and nothing is consumed twice",
            "schema": {
                "type": "string", "minLength": LENGTH.start(), "maxLength": LENGTH.end(), "pattern": "^[!-~]*$",
                "examples": ["1f0c7a11-9c1e-4c56-8f0b-0d6f1a529c1e"],
            },
        })
    }

    /// `None` if the client gave no key.
    pub(super) fn of(
        &self,
        operation: &'static str,
        token: &VerifiedToken,
        body: &[u8],
    ) -> Result<Option<KeyedRequest>, ApiError> {
        match self.0.as_slice() {
            [] => Ok(None),
            [key] if LENGTH.contains(&key.len()) && key.as_bytes().iter().all(u8::is_ascii_graphic) => {
                Ok(Some(keyed(operation, token.client.as_deref(), key.as_bytes(), body)))
            }
            _ => Err(Fault::new(ErrorCode::InvalidValue)
                .detail(format!(
                    "Must be one line of {} to {} visible ASCII characters.",
                    LENGTH.start(),
                    LENGTH.end()
                ))
                .source(Source::Header(NAME))
                .into()),
        }
    }
}

/// For requests that are refused without an attempt: what the key says comes before what is wrong with them. They can
/// be no repeats, so that nothing is learned from them that would have to be counted.
pub(super) async fn refuse_reused_key(
    accounts: &Accounts,
    id: &AccountId,
    keyed: Option<&KeyedRequest>,
    earlier: impl Fn(&mut Account, &KeyedRequest) -> Earlier,
) -> Result<(), ApiError> {
    let Some(keyed) = keyed else { return Ok(()) };
    let account = accounts.read(id).await?;
    let is_reused = account.is_some_and(|mut account| earlier(&mut account, keyed) == Earlier::OtherBody);
    if is_reused { Err(reused()) } else { Ok(()) }
}

/// The key was another request's.
pub(super) fn reused() -> ApiError {
    Fault::new(ErrorCode::IdempotencyKeyReused).source(Source::Header(NAME)).into()
}

fn keyed(operation: &str, client: Option<&str>, key: &[u8], body: &[u8]) -> KeyedRequest {
    let mut whose = digest::Context::new(&digest::SHA256);
    for part in [operation.as_bytes(), client.unwrap_or_default().as_bytes()] {
        whose.update(&(part.len() as u64).to_be_bytes());
        whose.update(part);
    }
    whose.update(&[u8::from(client.is_some())]);
    whose.update(key);
    // A body may hold a password, of which the vault must keep nothing that can be guessed at fast: this digest is made
    // with the client's key, which is kept nowhere.
    let body = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), body);
    KeyedRequest { key: first_half(whose.finish().as_ref()), body: first_half(body.as_ref()) }
}

fn first_half(digest: &[u8]) -> [u8; 16] {
    digest.first_chunk().copied().unwrap_or_default()
}
