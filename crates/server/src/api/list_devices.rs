//! `GET /user/devices/totp`: which devices the account has. Never their secrets.

use super::device;
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

struct ListDevices;

impl Operation for ListDevices {
    const SCOPE: &'static str = "user:device-totps:create";
}

pub(super) fn route() -> Route {
    Route::operation("/user/devices/totp", get(list_devices)).describe(documentation)
}

fn documentation() -> Documentation {
    Documentation::new(Method::GET, "ListTOTPs", "List devices", "In the order in which they were enrolled.")
        .scope(ListDevices::SCOPE)
        .answer_with(
            StatusCode::OK,
            "The devices, without secrets",
            "application/vnd.api+json",
            resource::answer_schema(&json!({ "type": "array", "items": device::schema() })),
        )
        .example(json!({ "data": [device::example()] }))
}

async fn list_devices(
    State(context): State<Arc<Context>>,
    caller: Caller<ListDevices>,
    _: AcceptsJsonApi,
) -> Result<Response, ApiError> {
    let account = context.accounts.read(caller.account()).await?.unwrap_or_default();
    let devices: Vec<_> = account.devices.iter().map(device::described).collect();
    Ok(resource::answer(&json!(devices)))
}
