//! `GET` an account: what support may know of it, which is no secret, hash or code.

use super::request::{AdminRequest, known, not_found};
use super::{ACCOUNT, Administration, json};
use crate::accounts::Description;
use crate::api::error::ApiError;
use crate::api::router::Route;
use crate::auth::caller::Caller;
use crate::context::Context;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;
use std::sync::Arc;

pub(super) fn route() -> Route {
    Route::plain(ACCOUNT, get(show))
}

async fn show(State(context): State<Arc<Context>>, request: AdminRequest) -> Result<Response, ApiError> {
    let show = async move |caller: Caller<Administration>, id| {
        let id = known(&context, id)?;
        let account = context.accounts.read(&id).await?.ok_or_else(|| not_found("unknown account"))?;
        json(StatusCode::OK, &Description::of(&id, &account, caller.now, &context.policy))
    };
    request.audited("show", show).await
}
