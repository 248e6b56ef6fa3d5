//! `ListEvents`: what was done to the account of late, for its owner, who sees by it what somebody else has done. Nothing in
//! it is a secret.

use super::documentation::Documentation;
use super::error::ApiError;
use super::negotiate::AcceptsJsonApi;
use super::resource;
use super::router::Route;
use crate::accounts::rfc_3339;
use crate::auth::caller::{Caller, Operation};
use crate::context::Context;
use axum::extract::State;
use axum::http::{Method, StatusCode};
use axum::response::Response;
use axum::routing::get;
use einmal_core::account::{History, HistoryEntry, HistoryKind};
use serde_json::{Value, json};
use std::sync::Arc;

struct ListEvents;

impl Operation for ListEvents {
    const SCOPE: &'static str = "user:device-totps:create";
}

/// The resource's type.
const TYPE: &str = "event";

pub(super) fn route() -> Route {
    Route::operation("/user/events", get(list_events)).describe(documentation)
}

fn documentation() -> Documentation {
    Documentation::new(
        Method::GET,
        "ListEvents",
        "List what was done to the account",
        "The last changes, the latest first: at most 20, of which at most 10 are about codes that were made. Codes that were \
         verified or refused are not among them. There may be further kinds of events.",
    )
    .scope(ListEvents::SCOPE)
    .answer_with(
        StatusCode::OK,
        "The events",
        "application/vnd.api+json",
        resource::answer_schema(&json!({ "type": "array", "maxItems": History::KEPT, "items": schema() })),
    )
    .example(json!({ "data": [
        {
            "type": TYPE,
            "id": "4",
            "attributes": {
                "event": "authenticator_confirmed",
                "at": "2026-11-24T10:01:00Z",
                "credential": "0d6f1a52-9c1e-4c56-8f0b-5f2f1d0c7a11",
            },
        },
        {
            "type": TYPE,
            "id": "3",
            "attributes": { "event": "pin_set", "at": "2026-11-24T10:00:00Z", "credential": null },
        },
    ] }))
}

fn schema() -> Value {
    let names = HistoryKind::ALL.map(HistoryKind::name);
    json!({
        "type": "object",
        "required": ["type", "id", "attributes"],
        "properties": {
            "type": { "const": TYPE },
            "id": {
                "type": "string", "pattern": "^[0-9]+$",
                "description": "Of this account; each is one more than that of the one before, which may be gone",
            },
            "attributes": {
                "type": "object",
                "required": ["event", "at", "credential"],
                "properties": {
                    "event": { "type": "string", "examples": names },
                    "at": { "type": "string", "format": "date-time" },
                    "credential": {
                        "type": ["string", "null"], "format": "uuid",
                        "description": "The device or authenticator that it was done to, which may be gone",
                    },
                },
            },
        },
    })
}

async fn list_events(
    State(context): State<Arc<Context>>,
    caller: Caller<ListEvents>,
    _: AcceptsJsonApi,
) -> Result<Response, ApiError> {
    let account = context.accounts.read(caller.account()).await?.unwrap_or_default();
    let events: Vec<_> = account.history.latest_first().map(described).collect();
    Ok(resource::answer(&json!(events)))
}

fn described(entry: &HistoryEntry) -> Value {
    json!({
        "type": TYPE,
        "id": entry.number.to_string(),
        "attributes": {
            "event": entry.kind.name(),
            "at": rfc_3339(entry.at),
            "credential": entry.credential.map(|id| id.to_string()),
        },
    })
}
