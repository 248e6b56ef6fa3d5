//! `DELETE` an account: everything of it is gone, last steps and waits too.

use super::request::{AdminRequest, known, not_found};
use super::{ACCOUNT, Administration};
use crate::api::error::ApiError;
use crate::api::router::Route;
use crate::auth::caller::Caller;
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
    let erase = async move |caller: Caller<Administration>, id| {
        let accounts = context.accounts.reporting(&caller.reporter);
        let was_there = accounts.delete(&known(&context, id)?).await?;
        if was_there { Ok(StatusCode::NO_CONTENT.into_response()) } else { Err(not_found("unknown account")) }
    };
    request.audited("delete", erase).await
}
