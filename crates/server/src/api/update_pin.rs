//! `UpdateUserPIN`: a new PIN against a one-time password of any type. A PIN that is not secure burns no code.

use super::document::Document;
use super::documentation::Documentation;
use super::error::{ApiError, ErrorCode, Fault};
use super::faults::Faults;
use super::idempotency_key::{IdempotencyKey, refuse_reused_key, reused};
use super::negotiate::AcceptsJsonApi;
use super::request::LoggedOutcome;
use super::resource;
use super::router::Route;
use super::throttled::throttled;
use crate::accounts::{NewPin, PinChange};
use crate::auth::caller::{Caller, Operation};
use crate::context::Context;
use axum::Extension;
use axum::extract::State;
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::put;
use einmal_core::account::{Account, OtpTypes, PinFault, check_pin};
use einmal_core::otp::Code;
use serde_json::json;
use std::sync::Arc;
use zeroize::Zeroizing;

struct UpdatePin;

impl Operation for UpdatePin {
    const SCOPE: &'static str = "user:users.pin:update";
}

pub(super) fn route() -> Route {
    Route::operation("/user/pin", put(update_pin)).describe(documentation)
}

fn documentation() -> Documentation {
    Documentation::new(
        Method::PUT,
        "UpdateUserPIN",
        "Set the PIN",
        "Sets or replaces the account's PIN. The one-time password may be of any type, and is spent. A PIN has four \
         digits, at least three of them different, and is no run upwards or downwards; one that is not secure is \
         refused before the code is looked at.",
    )
    .scope(UpdatePin::SCOPE)
    .parameter(IdempotencyKey::parameter())
    .body(resource::schema(
        TYPE,
        &json!({
            "type": "object",
            "required": ["pin", "otp"],
            "properties": {
                "pin": { "type": "string", "maxLength": MAX_PIN_LENGTH, "examples": ["8299"] },
                "otp": { "type": "string", "minLength": 1, "maxLength": Code::MAX_SENT_LENGTH, "examples": ["123456"] },
            },
        }),
    ), resource::example(TYPE, &json!({ "pin": "8299", "otp": "123456" })))
    .answer(StatusCode::OK, "The PIN is set, and the code is spent")
    .refuses(&[
        ErrorCode::ProofInvalid,
        ErrorCode::PinNotSecure,
        ErrorCode::IdempotencyKeyReused,
        ErrorCode::Throttled,
    ])
}

async fn update_pin(
    State(context): State<Arc<Context>>,
    caller: Caller<UpdatePin>,
    _: AcceptsJsonApi,
    key: IdempotencyKey,
    document: Document,
) -> Result<Response, ApiError> {
    let Request { pin, code } = Request::read(&document)?;
    let keyed = key.of("UpdateUserPIN", &caller.token, document.bytes())?;
    let (id, now, policy) = (caller.account(), caller.now, Arc::clone(&context.policy));
    let checked = check_pin(&pin).map_err(not_secure);
    let (Some(code), Ok(())) = (code, &checked) else {
        let earlier = |account: &mut Account, keyed: &_| account.earlier_change(keyed, now);
        refuse_reused_key(&context.accounts, id, keyed.as_ref(), earlier).await?;
        checked?;
        caller.reporter.not_a_code(&context.accounts.metrics().attempts, OtpTypes::ALL);
        return Err(refused("not 6 to 8 digits"));
    };
    let new = NewPin { pin, code, keyed };
    let accounts = context.accounts.reporting(&caller.reporter);
    match accounts.change_pin(id.clone(), new, now, policy).await? {
        PinChange::Changed => Ok(set("changed")),
        PinChange::Repeated => Ok(set("repeated")),
        PinChange::KeyReused => Err(reused()),
        PinChange::Refused(refusal) => Err(refused(refusal.reason())),
        PinChange::UnknownAccount => Err(refused("unknown account")),
        PinChange::Throttled(wait) => Err(throttled(&context, ErrorCode::ProofInvalid, wait)),
    }
}

fn set(outcome: &'static str) -> Response {
    (StatusCode::OK, Extension(LoggedOutcome(outcome))).into_response()
}

fn not_secure(fault: PinFault) -> ApiError {
    let fault = Fault::new(ErrorCode::PinNotSecure).detail(format!("Choose another one: {fault}."));
    fault.pointer("/data/attributes/pin").into()
}

/// The reason is for the operator's log alone.
fn refused(reason: &'static str) -> ApiError {
    ApiError::new(ErrorCode::ProofInvalid).logged(reason)
}

pub(super) struct Request {
    pin: Zeroizing<String>,
    /// `None` for what cannot be a code.
    code: Option<Code>,
}

const TYPE: &str = "pin";
/// Longer ones are no PINs either, but need not be told apart from other mistakes.
const MAX_PIN_LENGTH: usize = 64;

impl Request {
    pub(super) fn read(document: &Document) -> Result<Self, ApiError> {
        let mut faults = Faults::default();
        let mut members = document.members(resource::DOCUMENT)?;
        let request =
            resource::read(&mut members, TYPE, &["pin", "otp"], &mut faults).map(|(_, attributes)| {
                let pin =
                    attributes.required_text("pin", 0..=MAX_PIN_LENGTH, &mut faults).unwrap_or_default();
                let otp = attributes.required_text("otp", 1..=Code::MAX_SENT_LENGTH, &mut faults);
                Self { pin: Zeroizing::new(pin.to_owned()), code: otp.and_then(Code::parse) }
            });
        faults.finish()?;
        request.ok_or_else(|| ApiError::new(ErrorCode::InvalidValue))
    }
}
