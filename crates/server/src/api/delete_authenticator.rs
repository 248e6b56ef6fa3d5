//! `DELETE /user/authenticators/{id}`: its codes are good no more. No proof is asked, for whoever lost the phone has none.

use super::credential::CredentialId;
use super::documentation::Documentation;
use super::error::{ApiError, ErrorCode};
use super::negotiate::AcceptsJsonApi;
use super::router::Route;
use crate::auth::caller::{Caller, Operation};
use crate::context::Context;
use axum::extract::State;
use axum::http::{Method, StatusCode};
use axum::routing::delete;
use einmal_core::account::Account;
use std::sync::Arc;

struct DeleteAuthenticator;

impl Operation for DeleteAuthenticator {
    const SCOPE: &'static str = "user:device-totps:delete";
}

pub(super) fn route() -> Route {
    Route::operation("/user/authenticators/{id}", delete(delete_authenticator)).describe(documentation)
}

fn documentation() -> Documentation {
    Documentation::new(
        Method::DELETE,
        "DeleteAuthenticator",
        "Delete an authenticator app",
        "Live or pending. Its codes are good no more. No proof is asked: whoever lost the phone has none.",
    )
    .scope(DeleteAuthenticator::SCOPE)
    .parameter(CredentialId::parameter())
    .answer(StatusCode::NO_CONTENT, "The authenticator is gone")
    .refuses(&[ErrorCode::NotFound])
}

async fn delete_authenticator(
    State(context): State<Arc<Context>>,
    caller: Caller<DeleteAuthenticator>,
    _: AcceptsJsonApi,
    CredentialId(id): CredentialId,
) -> Result<StatusCode, ApiError> {
    let now = caller.now;
    let delete = move |account: &mut Account| account.delete_authenticator(id, now);
    match context.accounts.reporting(&caller.reporter).change(caller.account().clone(), delete).await? {
        Some(true) => Ok(StatusCode::NO_CONTENT),
        Some(false) | None => Err(ApiError::new(ErrorCode::NotFound)),
    }
}
