//! `GET /user/authenticators`: which authenticator apps the account has, pending ones too. Never their secrets.

use super::authenticator;
use super::documentation::Documentation;
use super::error::ApiError;
use super::negotiate::AcceptsJsonApi;
use super::resource;
use super::router::Route;
use crate::auth::caller::{Caller, Operation};
use crate::context::Context;
use axum::extract::State;
use axum::http::{Method, StatusCode};
use axum::response::Response;
use axum::routing::get;
use serde_json::json;
use std::sync::Arc;

struct ListAuthenticators;

impl Operation for ListAuthenticators {
    const SCOPE: &'static str = "user:device-totps:create";
}

pub(super) fn route() -> Route {
    Route::operation("/user/authenticators", get(list_authenticators)).describe(documentation)
}

fn documentation() -> Documentation {
    Documentation::new(
        Method::GET,
        "ListAuthenticators",
        "List authenticator apps",
        "Live ones, then pending ones.",
    )
    .scope(ListAuthenticators::SCOPE)
    .answer_with(
        StatusCode::OK,
        "The authenticators, without secrets",
        "application/vnd.api+json",
        resource::answer_schema(&json!({ "type": "array", "items": authenticator::schema() })),
    )
    .example(json!({ "data": [authenticator::example()] }))
}

async fn list_authenticators(
    State(context): State<Arc<Context>>,
    caller: Caller<ListAuthenticators>,
    _: AcceptsJsonApi,
) -> Result<Response, ApiError> {
    let account = context.accounts.read(caller.account()).await?.unwrap_or_default();
    let all: Vec<_> = account.all_authenticators(caller.now).map(authenticator::described).collect();
    Ok(resource::answer(&json!(all)))
}
