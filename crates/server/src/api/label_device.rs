//! `PATCH /user/devices/totp/{id}`: a name for a device, for its owner's eyes.

use super::credential::CredentialId;
use super::device::{self, TYPE};
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

struct LabelDevice;

impl Operation for LabelDevice {
    const SCOPE: &'static str = "user:device-totps:create";
}

pub(super) fn route() -> Route {
    Route::operation("/user/devices/totp/{id}", patch(label_device)).describe(documentation)
}

fn documentation() -> Documentation {
    Documentation::new(Method::PATCH, "LabelTOTP", "Name a device", "An empty label takes the name away.")
        .scope(LabelDevice::SCOPE)
        .parameter(CredentialId::parameter())
        .body(label::patch_schema(TYPE), resource::example(TYPE, &json!({ "label": "Glove box" })))
        .answer_with(
            StatusCode::OK,
            "The device, without its secret",
            "application/vnd.api+json",
            resource::answer_schema(&device::schema()),
        )
        .example(json!({ "data": device::example() }))
        .refuses(&[ErrorCode::NotFound])
}

async fn label_device(
    State(context): State<Arc<Context>>,
    caller: Caller<LabelDevice>,
    _: AcceptsJsonApi,
    CredentialId(id): CredentialId,
    document: Document,
) -> Result<Response, ApiError> {
    let label = label::read_patch(&document, TYPE, id)?;
    let put = move |account: &mut Account| account.label_device(id, label.clone()).map(device::described);
    let described = context.accounts.change(caller.account().clone(), put).await?;
    let described = described.flatten().ok_or_else(|| ApiError::new(ErrorCode::NotFound))?;
    Ok(resource::answer(&described))
}
