//! What the operator's back office does with accounts, on the private listener. Nothing here may be reached with a
//! user's token, and no answer has a secret in it but the one code that it is about.

mod account_path;
mod code;
mod delete;
mod diagnose;
mod provision;
mod record_faults;
pub(super) mod record_shape;
mod request;
mod show;
mod unlock;

use super::error::ApiError;
use super::router::Route;
use crate::auth::VerifiedToken;
use crate::auth::caller::Operation;
use crate::context::Context;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde::Serialize;

const ACCOUNT: &str = "/admin/accounts/{issuer}/{id}";

/// Where the operator named who may call them; else there are none.
pub fn routes() -> Vec<Route> {
    vec![
        provision::route(),
        show::route(),
        delete::route(),
        unlock::route(),
        code::route(),
        diagnose::route(),
    ]
}

/// All admin operations are one permission.
struct Administration;

impl Operation for Administration {
    const SCOPE: &'static str = "einmal:admin";

    fn is_open_to(token: &VerifiedToken, context: &Context) -> Result<(), &'static str> {
        match &context.administrators {
            Some(administrators) if administrators.include(token) => Ok(()),
            _ => Err("The token is not one of an issuer and client that may administer accounts."),
        }
    }
}

fn json(status: StatusCode, body: &impl Serialize) -> Result<Response, ApiError> {
    let body = serde_json::to_vec(body).map_err(|error| ApiError::internal(error.to_string()))?;
    Ok((status, [(CONTENT_TYPE, "application/json")], body).into_response())
}
