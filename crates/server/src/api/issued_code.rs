//! The one answer that tells a code: to whoever has just proved that it is theirs, and never again.

use super::error::ApiError;
use super::request::LoggedOutcome;
use crate::accounts::rfc_3339;
use axum::Extension;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use einmal_core::Timestamp;
use einmal_core::otp::Code;
use serde::Serialize;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Issued<'a> {
    otp: &'a str,
    expires_at: String,
}

/// 201 with the code and the moment from which on it is no good.
pub(super) fn issued(code: &Code, expires_at: Timestamp) -> Response {
    let expires_at = rfc_3339(expires_at).unwrap_or_default();
    match serde_json::to_vec(&Issued { otp: code.as_str(), expires_at }) {
        Ok(body) => {
            let headers = [(CONTENT_TYPE, "application/json")];
            (StatusCode::CREATED, headers, Extension(LoggedOutcome("created")), body).into_response()
        }
        Err(_) => ApiError::internal("an answer cannot be written").into_response(),
    }
}
