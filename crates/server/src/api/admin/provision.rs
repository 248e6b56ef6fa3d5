//! `PUT` an account, in the form of an import line: made, or put in the place of the one that exists. A member that is
//! not known is refused and not ignored as elsewhere: a misspelled one would leave an account half made.

use super::record_faults::refusal;
use super::request::{AdminRequest, known};
use super::{ACCOUNT, Administration, json, record_shape};
use crate::accounts::{Description, IssuerNames, Provisioned, Put, Reading, UpdateError, read_record_of};
use crate::api::document::Document;
use crate::api::error::{ApiError, ErrorCode};
use crate::api::router::Route;
use crate::auth::caller::Caller;
use crate::context::Context;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::put;
use einmal_core::account::AccountId;
use serde::Serialize;
use std::sync::Arc;

pub(super) fn route() -> Route {
    Route::plain(ACCOUNT, put(provision))
}

#[derive(Serialize)]
struct Answer<'a> {
    #[serde(flatten)]
    account: Description<'a>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    warnings: &'a [String],
}

async fn provision(
    State(context): State<Arc<Context>>,
    request: AdminRequest,
    document: Document,
) -> Result<Response, ApiError> {
    let body = document.bytes().clone();
    let provision = async move |caller: Caller<Administration>, id| {
        record_shape::check(&body)?;
        let read = read(&context, known(&context, id)?, body, &caller).await?;
        let (id, warnings) = (read.id.clone(), read.warnings.clone());
        let accounts = context.accounts.reporting(&caller.reporter);
        let (status, account) = match accounts.put(read, caller.now).await? {
            Put::Created(account) => (StatusCode::CREATED, account),
            Put::Replaced(account) => (StatusCode::OK, account),
        };
        let account = Description::of(&id, &account, caller.now, &context.policy);
        json(status, &Answer { account, warnings: &warnings })
    };
    request.audited("provision", provision).await
}

/// In the pool, for a clear PIN or password is hashed.
async fn read(
    context: &Arc<Context>,
    id: AccountId,
    body: Bytes,
    caller: &Caller<Administration>,
) -> Result<Provisioned, ApiError> {
    let (context, now) = (Arc::clone(context), caller.now);
    let place = context.accounts.hashing().enter().map_err(UpdateError::from)?;
    let work = move || {
        let issuers = IssuerNames(Vec::new());
        let reading = Reading { issuers: &issuers, policy: &context.policy, entropy: &*context.entropy, now };
        let line = std::str::from_utf8(&body).map_err(|_| ApiError::new(ErrorCode::MalformedJson))?;
        read_record_of(id, line, &reading).map_err(refusal)
    };
    place.run(work).await.map_err(UpdateError::from)?
}
