//! `DELETE` an account: everything of it is gone, last steps and waits too.

use super::ACCOUNT;
use super::request::{AdminRequest, known, not_found};
use crate::api::error::ApiError;
use crate::api::router::Route;
use crate::context::Context;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::delete;
use std::sync::Arc;

pub(super) fn route() -> Route {
    Route::plain(ACCOUNT, delete(erase))
}

async fn erase(State(context): State<Arc<Context>>, request: AdminRequest) -> Result<Response, ApiError> {
    let erase = async move |_, id| {
        let was_there = context.accounts.delete(&known(&context, id)?).await?;
        if was_there { Ok(StatusCode::NO_CONTENT.into_response()) } else { Err(not_found("unknown account")) }
    };
    request.audited("delete", erase).await
}
