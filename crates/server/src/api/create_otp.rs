//! `CreateOTP`: a code on demand, against password or PIN. Whoever has neither right learns nothing but that.

use super::document::Document;
use super::documentation::Documentation;
use super::error::{ApiError, ErrorCode, Fault};
use super::faults::Faults;
use super::issued_code::issued;
use super::negotiate::AcceptsJson;
use super::proof::{MAX_PASSWORD_LENGTH, MAX_PIN_LENGTH, Sent};
use super::router::Route;
use super::throttled::throttled;
use crate::accounts::{Deed, Offered, Proof};
use crate::auth::caller::{Caller, Operation};
use crate::context::Context;
use crate::metrics::{Attempts, CodeOutcome};
use axum::extract::State;
use axum::http::{Method, StatusCode};
use axum::response::Response;
use axum::routing::post;
use einmal_core::Timestamp;
use einmal_core::account::Account;
use einmal_core::otp::Code;
use einmal_core::policy::Policy;
use serde_json::json;
use std::sync::Arc;
use zeroize::Zeroizing;

struct CreateOtp;

impl Operation for CreateOtp {
    const SCOPE: &'static str = "user:otp:create";
}

pub(super) fn route() -> Route {
    Route::operation("/user/otp", post(create_otp)).describe(documentation)
}

fn documentation() -> Documentation {
    Documentation::new(
        Method::POST,
        "CreateOTP",
        "Create a one-time password",
        "A new code of the type `account`, for whoever knows the account's password or PIN. The password is looked at \
         first; one right value is enough. It replaces the account's earlier code. Where the issuer judges passwords, \
         503 says that it gave no answer.",
    )
    .scope(CreateOtp::SCOPE)
    .body(json!({
        "type": "object",
        "description": "At least one of them",
        "anyOf": [
            { "required": ["pin"], "properties": { "pin": { "type": "string" } } },
            { "required": ["password"], "properties": { "password": { "type": "string" } } },
        ],
        "properties": {
            "pin": { "type": ["string", "null"], "minLength": 1, "maxLength": MAX_PIN_LENGTH },
            "password": { "type": ["string", "null"], "minLength": 1, "maxLength": MAX_PASSWORD_LENGTH },
        },
    }), json!({ "pin": "8299" }))
    .answer_with(
        StatusCode::CREATED,
        "The code, and the moment from which on it is no good",
        "application/json",
        json!({
            "type": "object",
            "required": ["otp", "expiresAt"],
            "properties": {
                "otp": { "type": "string", "pattern": "^[0-9]{6}$" },
                "expiresAt": { "type": "string", "format": "date-time" },
            },
        }),
    )
    .example(json!({ "otp": "042617", "expiresAt": "2026-11-24T10:05:00Z" }))
    .refuses(&[ErrorCode::CredentialsInvalid, ErrorCode::Throttled])
}

async fn create_otp(
    State(context): State<Arc<Context>>,
    caller: Caller<CreateOtp>,
    _: AcceptsJson,
    document: Document,
) -> Result<Response, ApiError> {
    let offered = read(&document)?.offered_with(&caller.token)?;
    let code =
        Code::random(context.entropy.as_ref()).map_err(|error| ApiError::internal(error.to_string()))?;
    let (now, policy) = (caller.now, Arc::clone(&context.policy));
    let issue = Issue { code: code.clone(), now, policy: Arc::clone(&policy) };
    let accounts = context.accounts.reporting(&caller.reporter);
    let proof = accounts.prove(caller.account().clone(), offered, now, policy, issue).await?;
    match proof {
        Proof::Right(expires_at) => Ok(issued(&code, expires_at)),
        Proof::Throttled(wait) => Err(throttled(&context, ErrorCode::CredentialsInvalid, wait)),
        // There is always room for a code, and none is told twice.
        Proof::Wrong | Proof::Barred | Proof::Repeated(_) | Proof::KeyReused => {
            Err(ApiError::new(ErrorCode::CredentialsInvalid))
        }
    }
}

struct Issue {
    code: Code,
    now: Timestamp,
    policy: Arc<Policy>,
}

impl Deed for Issue {
    type Done = Timestamp;

    fn run(&self, account: &mut Account) -> Timestamp {
        account.issue_account_code(self.code.clone(), self.now, &self.policy)
    }

    fn count(&self, attempts: &Attempts, proof: &Proof<Timestamp>) {
        attempts.code(match proof {
            Proof::Right(_) => CodeOutcome::Created,
            Proof::Throttled(_) => CodeOutcome::Throttled,
            Proof::Wrong | Proof::Barred | Proof::Repeated(_) | Proof::KeyReused => CodeOutcome::Wrong,
        });
    }
}

pub(super) fn read(document: &Document) -> Result<Sent, ApiError> {
    let members = document.members(&["pin", "password"])?;
    let mut faults = Faults::default();
    if !members.has("pin") && !members.has("password") {
        let missing = Fault::new(ErrorCode::MissingValue).pointer("");
        faults.push(missing.detail("One of pin and password is needed."));
    }
    let mut read = |name, longest| {
        members.text(name, 1..=longest, &mut faults).map(|text| Zeroizing::new(text.to_owned()))
    };
    let password = read("password", MAX_PASSWORD_LENGTH);
    let sent = Sent { password, others: Offered { pin: read("pin", MAX_PIN_LENGTH), ..Offered::default() } };
    faults.finish()?;
    Ok(sent)
}
