//! `POST …/diagnose`: why a code that a user reads out would be refused. It is neither consumed nor counted, and nowhere
//! in the answer or the log. Whoever may ask may try codes: so it is asked a few times, for each account, and no more.

use super::request::{AdminRequest, known, not_found};
use super::{Administration, json};
use crate::accounts::DiagnosisDescription;
use crate::api::document::Document;
use crate::api::error::{ApiError, ErrorCode};
use crate::api::router::Route;
use crate::api::verify_otp::Request;
use crate::auth::caller::Caller;
use crate::context::Context;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::post;
use std::sync::Arc;

pub(super) fn route() -> Route {
    Route::plain("/admin/accounts/{issuer}/{id}/diagnose", post(diagnose))
}

async fn diagnose(
    State(context): State<Arc<Context>>,
    request: AdminRequest,
    document: Document,
) -> Result<Response, ApiError> {
    let diagnose = async move |caller: Caller<Administration>, id| {
        let Request { code, types } = Request::read(&document)?;
        let (id, policy) = (known(&context, id)?, Arc::clone(&context.policy));
        let accounts = context.accounts.reporting(&caller.reporter);
        let diagnosed = accounts.diagnose(id, code, types, caller.now, policy).await?;
        match diagnosed.ok_or_else(|| not_found("unknown account"))? {
            Ok(diagnosis) => json(StatusCode::OK, &DiagnosisDescription::of(&diagnosis, caller.now)),
            Err(wait) => {
                caller.reporter.diagnosis_throttled(wait);
                let error = ApiError::new(ErrorCode::Throttled).retry_after(wait.seconds);
                Err(error
                    .detail("This account was diagnosed as often as it may be.")
                    .logged("diagnosed too often"))
            }
        }
    };
    request.audited("diagnose", diagnose).await
}
