//! `POST …/code`: a code for somebody whose phone is lost, told by the support agent. It works as a `login` code, and
//! is nowhere but in this one answer.

use super::Administration;
use super::request::{AdminRequest, known, not_found};
use crate::api::error::ApiError;
use crate::api::issued_code::issued;
use crate::api::router::Route;
use crate::auth::caller::Caller;
use crate::context::Context;
use crate::metrics::CodeOutcome;
use axum::extract::State;
use axum::response::Response;
use axum::routing::post;
use einmal_core::otp::Code;
use std::sync::Arc;

pub(super) fn route() -> Route {
    Route::plain("/admin/accounts/{issuer}/{id}/code", post(issue_code))
}

async fn issue_code(
    State(context): State<Arc<Context>>,
    request: AdminRequest,
) -> Result<Response, ApiError> {
    let issue = async move |caller: Caller<Administration>, id| {
        let id = known(&context, id)?;
        let code = Code::random(&*context.entropy).map_err(|error| ApiError::internal(error.to_string()))?;
        let policy = Arc::clone(&context.policy);
        let accounts = context.accounts.reporting(&caller.reporter);
        let expires_at = accounts.issue_login_code(id, code.clone(), caller.now, policy).await?;
        let expires_at = expires_at.ok_or_else(|| not_found("unknown account"))?;
        context.accounts.metrics().attempts.code(CodeOutcome::Told);
        Ok(issued(&code, expires_at))
    };
    request.audited("issue-code", issue).await
}
