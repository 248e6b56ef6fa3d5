//! `GET /user/devices/totp`: which devices the account has. Never their secrets.

use super::device;
use super::documentation::Documentation;
use super::error::{ApiError, JSON_API};
use super::negotiate::AcceptsJsonApi;
use super::router::Route;
use crate::auth::caller::{Caller, Operation};
use crate::context::Context;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
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
            json!({
                "type": "object",
                "required": ["data"],
                "properties": { "data": { "type": "array", "items": device::schema() } },
            }),
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
    Ok(([(CONTENT_TYPE, JSON_API)], json!({ "data": devices }).to_string()).into_response())
}
