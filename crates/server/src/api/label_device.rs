//! `PATCH /user/devices/totp/{id}`: a name for a device, for its owner's eyes.

use super::device::{self, DeviceId, MAX_LABEL_LENGTH, TYPE};
use super::document::Document;
use super::documentation::Documentation;
use super::error::{ApiError, ErrorCode, JSON_API};
use super::faults::Faults;
use super::negotiate::AcceptsJsonApi;
use super::resource;
use super::router::Route;
use crate::auth::caller::{Caller, Operation};
use crate::context::Context;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::patch;
use einmal_core::account::Account;
use serde_json::json;
use std::sync::Arc;
use uuid::Uuid;

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
        .parameter(DeviceId::parameter())
        .body(
            resource::schema(
                TYPE,
                &json!({
                    "type": "object",
                    "required": ["label"],
                    "properties": { "label": {
                    "type": "string", "maxLength": MAX_LABEL_LENGTH,
                    // No control characters.
                    "pattern": r"^[^\u0000-\u001F\u007F-\u009F]*$",
                } },
                }),
            ),
            resource::example(TYPE, &json!({ "label": "Glove box" })),
        )
        .answer_with(
            StatusCode::OK,
            "The device, without its secret",
            "application/vnd.api+json",
            json!({ "type": "object", "required": ["data"], "properties": { "data": device::schema() } }),
        )
        .example(json!({ "data": device::example() }))
        .refuses(&[ErrorCode::NotFound])
}

async fn label_device(
    State(context): State<Arc<Context>>,
    caller: Caller<LabelDevice>,
    _: AcceptsJsonApi,
    DeviceId(id): DeviceId,
    document: Document,
) -> Result<Response, ApiError> {
    let label = read(&document, id)?;
    let put = move |account: &mut Account| account.label_device(id, label.clone()).map(device::described);
    let described = context.accounts.change(caller.account().clone(), put).await?;
    let described = described.flatten().ok_or_else(|| ApiError::new(ErrorCode::NotFound))?;
    Ok(([(CONTENT_TYPE, JSON_API)], json!({ "data": described }).to_string()).into_response())
}

fn read(document: &Document, id: Uuid) -> Result<Option<String>, ApiError> {
    let mut faults = Faults::default();
    let mut members = document.members(resource::DOCUMENT)?;
    let mut label = None;
    if let Some((given, attributes)) = resource::read(&mut members, TYPE, &["label"], &mut faults) {
        if given.is_some_and(|given| given != id) {
            faults.invalid("/data/id", "Must be the id in the path, or absent.");
        }
        label = attributes.required_text("label", 0..=MAX_LABEL_LENGTH, &mut faults).map(str::to_owned);
        if label.as_ref().is_some_and(|label| label.chars().any(char::is_control)) {
            faults.invalid(attributes.pointer("label"), "Must have no control characters.");
        }
    }
    faults.finish()?;
    Ok(label.filter(|label| !label.is_empty()))
}
