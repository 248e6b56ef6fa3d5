//! `CheckUserPIN`: whether the account has a PIN, now or soon. It never says anything about the value.

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

pub(super) struct CheckPin;

impl Operation for CheckPin {
    const SCOPE: &'static str = "user:users.pin:check";
}

pub(super) fn route() -> Route {
    Route::operation("/user/pin", get(check_pin)).describe(documentation)
}

fn documentation() -> Documentation {
    Documentation::new(
        Method::GET,
        "CheckUserPIN",
        "Check whether there is a PIN",
        "With `timeout` the answer waits until a PIN is set or the time is up. A PIN that died of wrong guesses counts as not set.",
    )
    .scope(CheckPin::SCOPE)
    .parameter(Patience::parameter())
    .answer(StatusCode::OK, "There is a PIN")
    .refuses(&[ErrorCode::NotSet, ErrorCode::InvalidValue])
}

async fn check_pin(
    State(context): State<Arc<Context>>,
    caller: Caller<CheckPin>,
    _: AcceptsJson,
    patience: Patience,
) -> Result<StatusCode, ApiError> {
    let is_set = |account: &Account| account.has_live_pin();
    if wait_until_set(&context, caller.account(), &patience, is_set).await? {
        Ok(StatusCode::OK)
    } else {
        Err(ApiError::new(ErrorCode::NotSet))
    }
}
