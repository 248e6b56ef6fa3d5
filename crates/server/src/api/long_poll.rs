//! Waiting on a client's behalf until something is set. It holds a timer and no thread, looks into the store now and
//! then, for another replica may have set it, and ends with the service.

use super::error::{ApiError, ErrorCode, Fault, Source};
use crate::context::Context;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use einmal_core::account::{Account, AccountId};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::{Instant, sleep_until};
use url::form_urlencoded;

const LONGEST_SECONDS: u64 = 60;
const INTERVAL: Duration = Duration::from_secs(1);

/// How long a client is willing to wait: the parameter `timeout` of the query, in seconds; 0 if it is absent.
pub(super) struct Patience(Duration);

impl Patience {
    pub(super) fn parameter() -> Value {
        json!({
            "name": "timeout", "in": "query", "required": false,
            "description": "Seconds for which the answer may wait until there is a value",
            "schema": { "type": "integer", "minimum": 0, "maximum": LONGEST_SECONDS, "default": 0 },
        })
    }
}

impl<S: Sync> FromRequestParts<S> for Patience {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let query = parts.uri.query().unwrap_or_default();
        let mut given = form_urlencoded::parse(query.as_bytes()).filter(|(name, _)| name == "timeout");
        let Some((_, seconds)) = given.next() else { return Ok(Self(Duration::ZERO)) };
        let is_number = !seconds.is_empty() && seconds.bytes().all(|byte| byte.is_ascii_digit());
        let seconds = seconds.parse().ok().filter(|seconds| is_number && *seconds <= LONGEST_SECONDS);
        match (seconds, given.next()) {
            (Some(seconds), None) => Ok(Self(Duration::from_secs(seconds))),
            _ => Err(Fault::new(ErrorCode::InvalidValue)
                .detail(format!("Must be one whole number from 0 to {LONGEST_SECONDS}."))
                .source(Source::Parameter("timeout"))
                .into()),
        }
    }
}

/// Whether `is_set` holds, now or before the patience is over.
pub(super) async fn wait_until_set(
    context: &Context,
    id: &AccountId,
    patience: &Patience,
    is_set: impl Fn(&Account) -> bool,
) -> Result<bool, ApiError> {
    let end = Instant::now() + patience.0;
    loop {
        if context.accounts.read(id).await?.as_ref().is_some_and(&is_set) {
            return Ok(true);
        }
        let now = Instant::now();
        if now >= end {
            return Ok(false);
        }
        tokio::select! {
            () = sleep_until(end.min(now + INTERVAL)) => {}
            () = context.shutdown.begun() => return Ok(false),
        }
    }
}
