//! One admin request: who asks, and for which account; and the line that auditors read afterwards. The line names
//! the account, and must never hold anything else of a request or an answer.

use super::Administration;
use super::account_path::account_of;
use crate::accounts::Accounts;
use crate::api::error::{ApiError, ErrorCode};
use crate::api::negotiate::AcceptsJson;
use crate::api::request::RequestId;
use crate::auth::VerifiedToken;
use crate::auth::caller::Caller;
use crate::context::Context;
use crate::events::{By, Origin};
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::response::Response;
use einmal_core::account::AccountId;
use std::future::Future;
use std::sync::Arc;

/// Somebody who may administer accounts, and the account that the path names.
pub(super) struct AdminRequest {
    pub(super) caller: Caller<Administration>,
    pub(super) account: AccountId,
    id: RequestId,
    accounts: Accounts,
}

impl FromRequestParts<Arc<Context>> for AdminRequest {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, context: &Arc<Context>) -> Result<Self, ApiError> {
        let account = account_of(parts.uri.path()).ok_or_else(|| ApiError::new(ErrorCode::NotFound))?;
        let id: RequestId = parts.extensions.get().cloned().unwrap_or_default();
        let origin = |token: &VerifiedToken| Origin {
            account: account.clone(),
            by: By::Administrator {
                client: token.client.as_deref().map(Box::from),
                subject: token.account.subject().into(),
            },
            request_id: id.as_str().into(),
        };
        let caller = Caller::admit(parts, context, origin).await?;
        AcceptsJson::from_request_parts(parts, context).await?;
        Ok(Self { caller, account, id, accounts: context.accounts.clone() })
    }
}

impl AdminRequest {
    /// Carries `work` out and logs what became of it, also if the client has gone: what was done must not be
    /// missing in the log.
    pub(super) async fn audited<F, W>(self, operation: &'static str, work: F) -> Result<Response, ApiError>
    where
        F: FnOnce(Caller<Administration>, AccountId) -> W,
        W: Future<Output = Result<Response, ApiError>> + Send + 'static,
    {
        let Self { caller, account, id, accounts } = self;
        let token = Arc::clone(&caller.token);
        let work = work(caller, account.clone());
        let task = accounts.detach(async move {
            let result = work.await;
            let outcome = result.as_ref().map_or_else(|error| error.code().as_str(), |_| "ok");
            tracing::info!(
                request_id = id.as_str(),
                operation,
                issuer = harmless(account.issuer()),
                account = harmless(account.subject()),
                by_client = harmless(token.client.as_deref().unwrap_or_default()),
                by_subject = harmless(token.account.subject()),
                outcome,
                "admin"
            );
            result
        });
        task.await.map_err(|_| ApiError::internal("panicked"))?
    }
}

/// ASCII that can be read back: no text from outside starts a line, colours a terminal, turns the direction of
/// writing round or passes for another account.
fn harmless(text: &str) -> String {
    text.escape_default().to_string()
}

/// The issuer that the path names must be a configured one: no other can have accounts.
pub(super) fn known(context: &Context, account: AccountId) -> Result<AccountId, ApiError> {
    let is_known = context.issuer_names.0.iter().any(|name| **name == *account.issuer());
    if is_known { Ok(account) } else { Err(not_found("unknown issuer")) }
}

pub(super) fn not_found(cause: &'static str) -> ApiError {
    ApiError::new(ErrorCode::NotFound).logged(cause)
}
