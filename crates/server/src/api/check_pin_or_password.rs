//! `CheckUserPinOrPassword`: which of the two the account has.

use super::check_password::CheckPassword;
use super::check_pin::CheckPin;
use super::documentation::Documentation;
use super::error::ApiError;
use super::negotiate::AcceptsJson;
use super::router::Route;
use crate::auth::VerifiedToken;
use crate::auth::caller::{Caller, Operation};
use crate::context::Context;
use axum::Json;
use axum::extract::State;
use axum::http::{Method, StatusCode};
use axum::routing::get;
use serde_json::{Value, json};
use std::sync::Arc;

struct CheckPinOrPassword;

impl Operation for CheckPinOrPassword {
    const SCOPE: &'static str = "user:users.pin:check user:users.password:check";

    fn is_permitted(token: &VerifiedToken) -> bool {
        CheckPin::is_permitted(token) && CheckPassword::is_permitted(token)
    }
}

pub(super) fn route() -> Route {
    Route::operation("/user/pin-or-password", get(check_pin_or_password)).describe(documentation)
}

fn documentation() -> Documentation {
    Documentation::new(
        Method::GET,
        "CheckUserPinOrPassword",
        "Check which of PIN and password there is",
        "A PIN that died of wrong guesses counts as not set. Where the issuer judges passwords, there is one.",
    )
    .scopes(&[CheckPin::SCOPE, CheckPassword::SCOPE])
    .answer_with(
        StatusCode::OK,
        "What there is",
        "application/json",
        json!({
            "type": "object",
            "required": ["pin", "password"],
            "properties": { "pin": { "type": "boolean" }, "password": { "type": "boolean" } },
        }),
    )
    .example(json!({ "pin": true, "password": false }))
}

async fn check_pin_or_password(
    State(context): State<Arc<Context>>,
    caller: Caller<CheckPinOrPassword>,
    _: AcceptsJson,
) -> Result<Json<Value>, ApiError> {
    let account = context.accounts.read(caller.account()).await?.unwrap_or_default();
    let has_password = caller.token.password_owner.is_some() || account.password.is_some();
    Ok(Json(json!({ "pin": account.has_live_pin(), "password": has_password })))
}
