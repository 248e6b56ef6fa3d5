//! `POST /user/authenticators/{id}/confirm`: a code shows that the app has the secret, which is live from then on. That
//! code is spent.

use super::authenticator;
use super::credential::CredentialId;
use super::document::Document;
use super::documentation::Documentation;
use super::error::{ApiError, ErrorCode, Fault, JSON_API};
use super::faults::Faults;
use super::negotiate::AcceptsJson;
use super::request::LoggedOutcome;
use super::router::Route;
use crate::accounts::UseDescription;
use crate::auth::caller::{Caller, Operation};
use crate::context::Context;
use crate::events::AuthenticatorFault;
use crate::metrics::{Attempts, EnrolmentOutcome};
use axum::Extension;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use einmal_core::account::{Account, AuthenticatorState, Confirmation, NearMiss};
use einmal_core::otp::{Code, Parameters};
use serde_json::{Value, json};
use std::sync::Arc;
use uuid::Uuid;

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
         code ends the attempt: then begin again with another secret. Some apps use a secret in another way than they are \
         told: where the code is right for such a use, that is stored in the place of what was told, and the answer is 200 \
         with `meta.adjusted`. A wrong code that is right for a clock that is off has `clockOffsetSeconds` in the `meta` of \
         its error, less than 0 if the clock is slow. One that is right for another use has `appUses`, where the operator \
         does not take such apps, and beside `clockOffsetSeconds` where the clock is off as well.",
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
    .answer_with(
        StatusCode::OK,
        "The same, and the app uses the secret in another way than it was told, which is what is stored now",
        "application/vnd.api+json",
        adjusted_schema(),
    )
    .example(adjusted_example())
    .refuses(&[ErrorCode::ProofInvalid, ErrorCode::NotFound])
}

fn adjusted_schema() -> Value {
    let adjusted = json!({
        "type": "object",
        "required": ["algorithm", "digits", "period"],
        "properties": {
            "algorithm": { "type": "string", "enum": ["SHA1", "SHA256", "SHA512"] },
            "digits": { "type": "integer" },
            "period": { "type": "integer", "description": "Seconds" },
        },
        "description": "How the app uses the secret",
    });
    let meta = json!({ "type": "object", "required": ["adjusted"], "properties": { "adjusted": adjusted } });
    json!({
        "type": "object",
        "required": ["data", "meta"],
        "properties": { "data": authenticator::schema(), "meta": meta },
    })
}

fn adjusted_example() -> Value {
    let mut data = authenticator::example();
    if let Some(algorithm) = data.pointer_mut("/attributes/algorithm") {
        *algorithm = "SHA256".into();
    }
    json!({ "data": data, "meta": { "adjusted": { "algorithm": "SHA256", "digits": 6, "period": 30 } } })
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
        Confirmation::Adjusted(_) => attempts.enrolment(EnrolmentOutcome::Adjusted),
        Confirmation::Wrong | Confirmation::NearMiss(_) => {
            attempts.enrolment(EnrolmentOutcome::Wrong);
            reporter.authenticator_refused(id, fault);
        }
        Confirmation::NotPending => {}
    };
    let confirmation = match code {
        Some(code) => {
            let confirm = move |account: &mut Account| {
                let confirmation = account.confirm_authenticator(id, &code, now, &policy);
                let is_adjusted = matches!(confirmation, Confirmation::Adjusted(_));
                (confirmation, is_adjusted.then(|| described(account, id)).flatten())
            };
            let count = move |attempts: &Attempts, (confirmation, _): &(Confirmation, _)| {
                count(attempts, confirmation, AuthenticatorFault::Wrong);
            };
            accounts.change_counted(account.clone(), confirm, count).await?
        }
        // What cannot be a code is a slip of the hand, and not counted.
        None => accounts.read(account).await?.map(|account| {
            let is_pending = account.pending_authenticator(id, now).is_some();
            let confirmation = if is_pending { Confirmation::Wrong } else { Confirmation::NotPending };
            count(&accounts.metrics().attempts, &confirmation, AuthenticatorFault::NotACode);
            (confirmation, None)
        }),
    };
    let (confirmation, described) = confirmation.unwrap_or((Confirmation::NotPending, None));
    match confirmation {
        Confirmation::Confirmed => {
            Ok((StatusCode::NO_CONTENT, Extension(LoggedOutcome("confirmed"))).into_response())
        }
        Confirmation::Adjusted(parameters) => Ok(adjusted(described.as_ref(), parameters)),
        Confirmation::Wrong => Err(ApiError::new(ErrorCode::ProofInvalid)),
        Confirmation::NearMiss(near) => Err(near_miss(near)),
        Confirmation::NotPending => Err(ApiError::new(ErrorCode::NotFound)),
    }
}

/// The live one.
fn described(account: &Account, id: Uuid) -> Option<Value> {
    let live = account.authenticators.iter().find(|credential| credential.id == id)?;
    Some(authenticator::described((live, AuthenticatorState::Confirmed)))
}

fn adjusted(described: Option<&Value>, parameters: Parameters) -> Response {
    let body =
        json!({ "data": described, "meta": { "adjusted": UseDescription::of(parameters) } }).to_string();
    ([(CONTENT_TYPE, JSON_API)], Extension(LoggedOutcome("adjusted")), body).into_response()
}

fn near_miss(near: NearMiss) -> ApiError {
    let is_clock_off = near.clock_seconds != 0;
    let (detail, logged) = match (near.parameters, is_clock_off) {
        (None, _) => ("The code is right at another time: the clock of the app is off.", "clock is off"),
        (Some(_), false) => (OTHER_USE, "app uses other parameters"),
        (Some(_), true) => (OTHER_USE_AND_CLOCK, "app uses other parameters"),
    };
    let mut fault = Fault::new(ErrorCode::ProofInvalid).detail(detail);
    if is_clock_off {
        fault = fault.meta("clockOffsetSeconds", near.clock_seconds);
    }
    if let Some(parameters) = near.parameters {
        fault = fault.meta("appUses", json!(UseDescription::of(parameters)));
    }
    ApiError::from(fault).logged(logged)
}

const OTHER_USE: &str = "The app uses the secret in another way than it was told.";
const OTHER_USE_AND_CLOCK: &str =
    "The app uses the secret in another way than it was told, and its clock is off.";

/// `None` for what cannot be a code.
pub(super) fn read(document: &Document) -> Result<Option<Code>, ApiError> {
    let members = document.members(&["otp"])?;
    let mut faults = Faults::default();
    let otp = members.required_text("otp", 1..=Code::MAX_SENT_LENGTH, &mut faults);
    let code = otp.and_then(Code::parse);
    faults.finish()?;
    Ok(code)
}
