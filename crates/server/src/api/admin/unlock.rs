//! `POST …/unlock`: the owner may try again at once. What is spent or dead stays so.

use super::Administration;
use super::request::{AdminRequest, known, not_found};
use crate::api::error::ApiError;
use crate::api::router::Route;
use crate::auth::caller::Caller;
use crate::context::Context;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use std::sync::Arc;

pub(super) fn route() -> Route {
    Route::plain("/admin/accounts/{issuer}/{id}/unlock", post(unlock))
}

async fn unlock(State(context): State<Arc<Context>>, request: AdminRequest) -> Result<Response, ApiError> {
    let unlock = async move |caller: Caller<Administration>, id| {
        let accounts = context.accounts.reporting(&caller.reporter);
        let unlocked = accounts.unlock(known(&context, id)?, caller.now).await?;
        unlocked.ok_or_else(|| not_found("unknown account"))?;
        Ok(StatusCode::NO_CONTENT.into_response())
    };
    request.audited("unlock", unlock).await
}
