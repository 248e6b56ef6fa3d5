//! `PATCH /user/authenticators/{id}`: a name for an authenticator app, live or pending, for its owner's eyes.

use super::authenticator::{self, TYPE};
use super::credential::CredentialId;
use super::document::Document;
use super::documentation::Documentation;
use super::error::{ApiError, ErrorCode};
use super::label;
use super::negotiate::AcceptsJsonApi;
use super::resource;
use super::router::Route;
use crate::auth::caller::{Caller, Operation};
use crate::context::Context;
use axum::extract::State;
use axum::http::{Method, StatusCode};
use axum::response::Response;
use axum::routing::patch;
use einmal_core::account::Account;
use serde_json::json;
use std::sync::Arc;

struct LabelAuthenticator;

impl Operation for LabelAuthenticator {
    const SCOPE: &'static str = "user:device-totps:create";
}

pub(super) fn route() -> Route {
    Route::operation("/user/authenticators/{id}", patch(label_authenticator)).describe(documentation)
}

fn documentation() -> Documentation {
    Documentation::new(
        Method::PATCH,
        "LabelAuthenticator",
        "Name an authenticator app",
        "An empty label takes the name away.",
    )
    .scope(LabelAuthenticator::SCOPE)
    .parameter(CredentialId::parameter())
    .body(label::patch_schema(TYPE), resource::example(TYPE, &json!({ "label": "My phone" })))
    .answer_with(
        StatusCode::OK,
        "The authenticator, without its secret",
        "application/vnd.api+json",
        resource::answer_schema(&authenticator::schema()),
    )
    .example(json!({ "data": authenticator::example() }))
    .refuses(&[ErrorCode::NotFound])
}

async fn label_authenticator(
    State(context): State<Arc<Context>>,
    caller: Caller<LabelAuthenticator>,
    _: AcceptsJsonApi,
    CredentialId(id): CredentialId,
    document: Document,
) -> Result<Response, ApiError> {
    let label = label::read_patch(&document, TYPE, id)?;
    let now = caller.now;
    let put = move |account: &mut Account| {
        account.label_authenticator(id, label.clone(), now).map(authenticator::described)
    };
    let described = context.accounts.change(caller.account().clone(), put).await?;
    let described = described.flatten().ok_or_else(|| ApiError::new(ErrorCode::NotFound))?;
    Ok(resource::answer(&described))
}
