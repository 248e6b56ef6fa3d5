//! `POST /user/authenticators/{id}/confirm`: a code shows that the app has the secret, which is live from then on. That
//! code is spent.

use super::credential::CredentialId;
use super::document::Document;
use super::documentation::Documentation;
use super::error::{ApiError, ErrorCode};
use super::faults::Faults;
use super::negotiate::AcceptsJson;
use super::request::LoggedOutcome;
use super::router::Route;
use crate::auth::caller::{Caller, Operation};
use crate::context::Context;
use crate::events::AuthenticatorFault;
use crate::metrics::{Attempts, EnrolmentOutcome};
use axum::Extension;
use axum::extract::State;
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use einmal_core::account::{Account, Confirmation};
use einmal_core::otp::Code;
use serde_json::json;
use std::sync::Arc;

struct ConfirmAuthenticator;

impl Operation for ConfirmAuthenticator {
    const SCOPE: &'static str = "user:device-totps:create";
}

pub(super) fn route() -> Route {
    Route::operation("/user/authenticators/{id}/confirm", post(confirm_authenticator)).describe(documentation)
}

fn documentation() -> Documentation {
    Documentation::new(
        Method::POST,
        "ConfirmAuthenticator",
        "Confirm an authenticator app",
        "With a code that the app shows. From then on its codes are good as `totp`; this one is spent. The fifth wrong \
         code ends the attempt: then begin again with another secret.",
    )
    .scope(ConfirmAuthenticator::SCOPE)
    .parameter(CredentialId::parameter())
    .body(
        json!({
            "type": "object",
            "required": ["otp"],
            "properties": { "otp": {
                "type": "string", "minLength": 1, "maxLength": Code::MAX_SENT_LENGTH,
                "description": "As the app shows it; spaces and hyphens in it are ignored",
            } },
        }),
        json!({ "otp": "123456" }),
    )
    .answer(StatusCode::NO_CONTENT, "The authenticator is live, and the code is spent")
    .refuses(&[ErrorCode::ProofInvalid, ErrorCode::NotFound])
}

async fn confirm_authenticator(
    State(context): State<Arc<Context>>,
    caller: Caller<ConfirmAuthenticator>,
    _: AcceptsJson,
    CredentialId(id): CredentialId,
    document: Document,
) -> Result<Response, ApiError> {
    let code = read(&document)?;
    let (now, policy, account) = (caller.now, Arc::clone(&context.policy), caller.account());
    let (accounts, reporter) = (context.accounts.reporting(&caller.reporter), caller.reporter.clone());
    let count = move |attempts: &Attempts, confirmation: &Confirmation, fault| match confirmation {
        Confirmation::Confirmed => attempts.enrolment(EnrolmentOutcome::Confirmed),
        Confirmation::Wrong => {
            attempts.enrolment(EnrolmentOutcome::Wrong);
            reporter.authenticator_refused(id, fault);
        }
        Confirmation::NotPending => {}
    };
    let confirmation = match code {
        Some(code) => {
            let confirm = move |account: &mut Account| account.confirm_authenticator(id, &code, now, &policy);
            let count = move |attempts: &Attempts, confirmation: &Confirmation| {
                count(attempts, confirmation, AuthenticatorFault::Wrong);
            };
            accounts.change_counted(account.clone(), confirm, count).await?
        }
        // What cannot be a code is a slip of the hand, and not counted.
        None => accounts.read(account).await?.map(|account| {
            let is_pending = account.pending_authenticator(id, now).is_some();
            let confirmation = if is_pending { Confirmation::Wrong } else { Confirmation::NotPending };
            count(&accounts.metrics().attempts, &confirmation, AuthenticatorFault::NotACode);
            confirmation
        }),
    };
    match confirmation {
        Some(Confirmation::Confirmed) => {
            Ok((StatusCode::NO_CONTENT, Extension(LoggedOutcome("confirmed"))).into_response())
        }
        Some(Confirmation::Wrong) => Err(ApiError::new(ErrorCode::ProofInvalid)),
        Some(Confirmation::NotPending) | None => Err(ApiError::new(ErrorCode::NotFound)),
    }
}

/// `None` for what cannot be a code.
pub(super) fn read(document: &Document) -> Result<Option<Code>, ApiError> {
    let members = document.members(&["otp"])?;
    let mut faults = Faults::default();
    let otp = members.required_text("otp", 1..=Code::MAX_SENT_LENGTH, &mut faults);
    let code = otp.and_then(Code::parse);
    faults.finish()?;
    Ok(code)
}
