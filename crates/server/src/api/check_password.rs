//! `CheckUserPassword`: whether the account has a password, now or soon. It never says anything about the value, and
//! an issuer that judges passwords is taken to have one of everybody.

use super::documentation::Documentation;
use super::error::{ApiError, ErrorCode};
use super::long_poll::{Patience, wait_until_set};
use super::negotiate::AcceptsJson;
use super::router::Route;
use crate::auth::caller::{Caller, Operation};
use crate::context::Context;
use axum::extract::State;
use axum::http::{Method, StatusCode};
use axum::routing::get;
use einmal_core::account::Account;
use std::sync::Arc;

pub(super) struct CheckPassword;

impl Operation for CheckPassword {
    const SCOPE: &'static str = "user:users.password:check";
}

pub(super) fn route() -> Route {
    Route::operation("/user/password", get(check_password)).describe(documentation)
}

fn documentation() -> Documentation {
    Documentation::new(
        Method::GET,
        "CheckUserPassword",
        "Check whether there is a password",
        "With `timeout` the answer waits until a password is set or the time is up. Where the issuer judges passwords, \
         there is one.",
    )
    .scope(CheckPassword::SCOPE)
    .parameter(Patience::parameter())
    .answer(StatusCode::OK, "There is a password")
    .refuses(&[ErrorCode::NotSet, ErrorCode::InvalidValue])
}

async fn check_password(
    State(context): State<Arc<Context>>,
    caller: Caller<CheckPassword>,
    _: AcceptsJson,
    patience: Patience,
) -> Result<StatusCode, ApiError> {
    if caller.token.password_owner.is_some() {
        return Ok(StatusCode::OK);
    }
    let is_set = |account: &Account| account.password.is_some();
    if wait_until_set(&context, caller.account(), &patience, is_set).await? {
        Ok(StatusCode::OK)
    } else {
        Err(ApiError::new(ErrorCode::NotSet))
    }
}
