//! `VerifyOTP`: is this code good for the account of the token? 204 if so; 404, always the same one, if not.

use super::document::Document;
use super::documentation::Documentation;
use super::error::{ApiError, ErrorCode};
use super::faults::Faults;
use super::idempotency_key::{IdempotencyKey, refuse_reused_key, reused};
use super::negotiate::AcceptsJson;
use super::request::LoggedOutcome;
use super::router::Route;
use super::throttled::throttled;
use crate::auth::caller::{Caller, Operation};
use crate::context::Context;
use crate::metrics::{Attempts, VerificationOutcome};
use axum::Extension;
use axum::extract::State;
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use einmal_core::account::{Account, Keyed, OtpType, OtpTypes, Verdict, Verification};
use einmal_core::otp::Code;
use serde_json::json;
use std::sync::Arc;

struct VerifyOtp;

impl Operation for VerifyOtp {
    const SCOPE: &'static str = "user:otp:verify";
}

pub(super) fn route() -> Route {
    Route::operation("/user/otp/verify", post(verify_otp)).describe(documentation)
}

fn documentation() -> Documentation {
    let names = |types: OtpTypes| -> Vec<_> {
        OtpType::ALL.into_iter().filter(|one| types.contains(*one)).map(OtpType::name).collect()
    };
    Documentation::new(
        Method::POST,
        "VerifyOTP",
        "Verify a one-time password",
        "Is this code good for the account of the token? A code is accepted once: on success it is spent, durably, \
         before the answer leaves, on every credential that it matches. All refusals are one answer, whether the code \
         is wrong, expired, used or of another type, or came too early after wrong ones.",
    )
    .scope(VerifyOtp::SCOPE)
    .parameter(IdempotencyKey::parameter())
    .body(json!({
        "type": "object",
        "required": ["otp"],
        "properties": {
            "otp": {
                "type": "string", "minLength": 1, "maxLength": Code::MAX_SENT_LENGTH, "examples": ["123456", "123 456"],
                "description": "6 to 8 digits with their leading zeros; spaces and hyphens in it are ignored",
            },
            "types": {
                "type": ["array", "null"], "maxItems": MAX_TYPES, "default": names(OtpTypes::DEFAULT),
                "items": { "type": "string", "enum": names(OtpTypes::ALL) },
                "description": "Kinds of codes that are good. `login`: mailed; `account`: created against PIN or \
                    password; `totp`: of the user's authenticator app; `device-totp`: of a mobile app or a car. Empty \
                    and null mean the default.",
            },
        },
    }), json!({ "otp": "123456", "types": ["device-totp", "account"] }))
    .answer(StatusCode::NO_CONTENT, "The code is good, and is spent now")
    .refuses(&[ErrorCode::OtpInvalid, ErrorCode::IdempotencyKeyReused, ErrorCode::Throttled])
}

async fn verify_otp(
    State(context): State<Arc<Context>>,
    caller: Caller<VerifyOtp>,
    _: AcceptsJson,
    key: IdempotencyKey,
    document: Document,
) -> Result<Response, ApiError> {
    let Request { code, types } = Request::read(&document)?;
    let keyed = key.of("VerifyOTP", &caller.token, document.bytes())?;
    let (id, now, policy) = (caller.account(), caller.now, Arc::clone(&context.policy));
    // What cannot be anybody's code is no guess at this account's, and not counted.
    let Some(code) = code else {
        let earlier = |account: &mut Account, keyed: &_| account.earlier_verification(keyed, now);
        refuse_reused_key(&context.accounts, id, keyed.as_ref(), earlier).await?;
        caller.reporter.not_a_code(&context.accounts.metrics().attempts, types);
        return Err(invalid("not 6 to 8 digits"));
    };
    let decide =
        move |account: &mut Account| account.verify_keyed(keyed.as_ref(), &code, types, now, &policy);
    let reporter = caller.reporter.clone();
    let count = move |attempts: &Attempts, decided: Option<&Keyed<Verdict>>| {
        let verdict = match decided {
            Some(Keyed::First(verdict)) => Some(verdict),
            Some(Keyed::Repeated) => return attempts.verified(types, VerificationOutcome::Repeated),
            Some(Keyed::KeyReused) => return,
            None => None,
        };
        reporter.decided(attempts, types, verdict);
    };
    let accounts = context.accounts.reporting(&caller.reporter);
    let verdict = match accounts.update_counted(id.clone(), decide, count).await? {
        Some(Keyed::First(verdict)) => verdict,
        Some(Keyed::Repeated) => return Ok(accepted("repeated")),
        Some(Keyed::KeyReused) => return Err(reused()),
        None => return Err(invalid("unknown account")),
    };
    match verdict.verification {
        Verification::Accepted => Ok(accepted("accepted")),
        Verification::Refused(refusal) => Err(invalid(refusal.reason())),
        Verification::Throttled(wait) => Err(throttled(&context, ErrorCode::OtpInvalid, wait)),
    }
}

fn accepted(outcome: &'static str) -> Response {
    (StatusCode::NO_CONTENT, Extension(LoggedOutcome(outcome))).into_response()
}

/// The reason is for the operator's log alone.
fn invalid(reason: &'static str) -> ApiError {
    ApiError::new(ErrorCode::OtpInvalid).logged(reason)
}

pub(super) struct Request {
    /// `None` for what cannot be a code.
    pub(super) code: Option<Code>,
    pub(super) types: OtpTypes,
}

const MAX_TYPES: usize = 16;

impl Request {
    pub(super) fn read(document: &Document) -> Result<Self, ApiError> {
        let members = document.members(&["otp", "types"])?;
        let mut faults = Faults::default();
        let otp = members.required_text("otp", 1..=Code::MAX_SENT_LENGTH, &mut faults);
        let code = otp.and_then(Code::parse);
        let expected = "Must be one of login, account, totp and device-totp.";
        let types: OtpTypes = members
            .items("types", MAX_TYPES, OtpType::from_name, expected, &mut faults)
            .into_iter()
            .collect();
        faults.finish()?;
        Ok(Self { code, types: if types.is_empty() { OtpTypes::DEFAULT } else { types } })
    }
}
