//! `CreateTOTP`: enrols a device, against a proof or right after registration. The secret is in this one answer.

use super::credential;
use super::device::TYPE;
use super::document::Document;
use super::documentation::Documentation;
use super::error::{ApiError, ErrorCode, JSON_API};
use super::faults::Faults;
use super::idempotency_key::{IdempotencyKey, reused};
use super::members::Members;
use super::negotiate::AcceptsJsonApi;
use super::proof::{self, Sent};
use super::request::LoggedOutcome;
use super::resource;
use super::router::Route;
use super::throttled::throttled;
use crate::accounts::{Deed, Proof};
use crate::auth::VerifiedToken;
use crate::auth::caller::{Caller, Operation, insufficient_scope};
use crate::context::Context;
use crate::entropy::random_uuid;
use axum::Extension;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use einmal_core::account::{Account, Earlier, KeyedRequest};
use einmal_core::otp::{Algorithm, Secret, Totp};
use einmal_core::policy::Policy;
use einmal_core::{EntropyError, Timestamp};
use serde_json::json;
use std::sync::Arc;
use uuid::Uuid;

struct CreateTotp;

/// For those who have just registered and have nothing yet.
const AFTER_LOGIN: &str = "user:device-totps:create-after-login";

impl Operation for CreateTotp {
    const SCOPE: &'static str = "user:device-totps:create";

    fn is_permitted(token: &VerifiedToken) -> bool {
        token.has_scope(Self::SCOPE) || token.has_scope(AFTER_LOGIN)
    }
}

pub(super) fn route() -> Route {
    Route::operation("/user/devices/totp", post(create_totp)).describe(documentation)
}

fn documentation() -> Documentation {
    Documentation::new(
        Method::POST,
        "CreateTOTP",
        "Enrol a device",
        "A TOTP secret for a mobile app or a car. `otp`, `password` and `pin` are looked at in this order, and one \
         right value is enough; a code may be of any type, and is spent. Without any of them only within five minutes \
         of the registration, with the scope `user:device-totps:create-after-login`, and while the account has neither \
         PIN nor password nor secret. The same `id` again replaces that device.",
    )
    .scope(CreateTotp::SCOPE)
    .scope(AFTER_LOGIN)
    .parameter(IdempotencyKey::parameter())
    .body(resource::schema(TYPE, &proof::schema(&json!({
        "algorithm": { "type": ["string", "null"], "enum": ["SHA1", "SHA256", "SHA512", null], "default": "SHA1" },
        "digits": { "type": ["integer", "null"], "minimum": 6, "maximum": 8, "default": 6 },
        "period": { "type": ["integer", "null"], "minimum": 15, "maximum": 120, "default": 30 },
    }))), resource::example(TYPE, &json!({ "pin": "8299" })))
    .answer_with(StatusCode::CREATED, "The device with its secret", "application/vnd.api+json", credential::made_schema(TYPE))
    .example(json!({ "data": {
        "type": TYPE,
        "id": "738e379f-fe30-45ab-819c-ba88804b6368",
        "attributes": { "secret": "PBVDSNDDKZ4HGZ3UG5CHUUSEMJCTCSCU", "algorithm": "SHA1", "digits": 6, "period": 30 },
    } }))
    .refuses(&[
        ErrorCode::ProofInvalid,
        ErrorCode::LimitReached,
        ErrorCode::IdempotencyKeyReused,
        ErrorCode::Throttled,
    ])
}

async fn create_totp(
    State(context): State<Arc<Context>>,
    caller: Caller<CreateTotp>,
    _: AcceptsJsonApi,
    key: IdempotencyKey,
    document: Document,
) -> Result<Response, ApiError> {
    let Request { id, algorithm, digits, period, sent } = Request::read(&document)?;
    let entropy = context.entropy.as_ref();
    let made = (|| {
        let id = id.map_or_else(|| random_uuid(entropy), Ok)?;
        Ok::<_, EntropyError>((id, Secret::generate(algorithm, entropy)?))
    })();
    let (id, secret) = made.map_err(|error| ApiError::internal(error.to_string()))?;
    // The request's own bounds are those of the secret.
    let totp = Totp::new(secret, algorithm, digits, period);
    let totp = totp.map_err(|error| ApiError::internal(error.to_string()))?;
    let keyed = key.of("CreateTOTP", &caller.token, document.bytes())?;
    let (now, policy) = (caller.now, Arc::clone(&context.policy));
    let enrolment = Enrolment { id, totp, now, policy, keyed };
    match enrol(&context, &caller, enrolment, sent).await? {
        Proof::Right((id, totp)) => Ok(created(id, &totp, "created")),
        Proof::Repeated((id, totp)) => Ok(created(id, &totp, "repeated")),
        Proof::KeyReused => Err(reused()),
        Proof::Wrong => Err(ApiError::new(ErrorCode::ProofInvalid)),
        Proof::Throttled(wait) => Err(throttled(&context, ErrorCode::ProofInvalid, wait)),
        Proof::Barred => Err(credential::limit_reached(context.policy.max_devices, "devices")),
    }
}

async fn enrol(
    context: &Context,
    caller: &Caller<CreateTotp>,
    enrolment: Enrolment,
    sent: Sent,
) -> Result<Proof<(Uuid, Totp)>, ApiError> {
    let (accounts, id, now) = (context.accounts.reporting(&caller.reporter), caller.account(), caller.now);
    let registered_at = caller.token.registered_at;
    let is_after_login = caller.token.has_scope(AFTER_LOGIN) && {
        let mut as_it_is = accounts.read(id).await?.unwrap_or_default();
        // What was accepted right after registration is not fresh any more when it is repeated.
        as_it_is.is_fresh(registered_at, now) || enrolment.earlier(&mut as_it_is).is_some()
    };
    if !is_after_login && !caller.token.has_scope(CreateTotp::SCOPE) {
        return Err(insufficient_scope(CreateTotp::SCOPE));
    }
    if !sent.is_empty() {
        let offered = sent.offered_with(&caller.token)?;
        let policy = Arc::clone(&context.policy);
        return Ok(accounts.prove(id.clone(), offered, now, policy, enrolment).await?);
    }
    if !is_after_login {
        return Err(proof::missing());
    }
    // Looked at once more in the commit: of several at once only the first finds the account without a secret.
    let is_fresh = move |account: &Account| account.is_fresh(registered_at, now);
    Ok(accounts.enrol_first(id.clone(), is_fresh, enrolment).await?)
}

struct Enrolment {
    id: Uuid,
    totp: Totp,
    now: Timestamp,
    policy: Arc<Policy>,
    keyed: Option<KeyedRequest>,
}

impl Deed for Enrolment {
    /// What the answer tells.
    type Done = (Uuid, Totp);

    fn earlier(&self, account: &mut Account) -> Option<Proof<(Uuid, Totp)>> {
        match account.earlier_change(&self.keyed?, self.now) {
            Earlier::Nothing => None,
            Earlier::OtherBody => Some(Proof::KeyReused),
            Earlier::Accepted(accepted) => {
                let device = account.devices.iter().find(|device| Some(device.id) == accepted.device)?;
                Some(Proof::Repeated((device.id, device.totp.clone())))
            }
        }
    }

    fn is_possible(&self, account: &Account) -> bool {
        account.has_room_for_device(self.id, &self.policy)
    }

    fn run(&self, account: &mut Account) -> (Uuid, Totp) {
        account.enrol_device(self.id, self.totp.clone(), self.now);
        if let Some(keyed) = self.keyed {
            account.remember_change(keyed, self.now, Some(self.id));
        }
        (self.id, self.totp.clone())
    }
}

fn created(id: Uuid, totp: &Totp, outcome: &'static str) -> Response {
    let body = json!({ "data": credential::made(TYPE, id, totp) });
    let headers = [(CONTENT_TYPE, JSON_API)];
    (StatusCode::CREATED, headers, Extension(LoggedOutcome(outcome)), body.to_string()).into_response()
}

pub(super) struct Request {
    /// Chosen by the client, or ours.
    id: Option<Uuid>,
    algorithm: Algorithm,
    digits: u64,
    period: u64,
    sent: Sent,
}

impl Request {
    pub(super) fn read(document: &Document) -> Result<Self, ApiError> {
        let mut faults = Faults::default();
        let mut members = document.members(resource::DOCUMENT)?;
        let request = resource::read(&mut members, TYPE, ATTRIBUTES, &mut faults)
            .map(|(id, attributes)| Self::of(id, &attributes, &mut faults));
        faults.finish()?;
        request.ok_or_else(|| ApiError::new(ErrorCode::InvalidValue))
    }

    fn of(id: Option<Uuid>, attributes: &Members<'_>, faults: &mut Faults) -> Self {
        let name = attributes.text("algorithm", 1..=16, faults);
        let algorithm = Algorithm::ALL.into_iter().find(|one| name.is_none_or(|name| name == one.name()));
        if algorithm.is_none() {
            faults.invalid(attributes.pointer("algorithm"), "Must be SHA1, SHA256 or SHA512.");
        }
        let mut number = |name, range, default: u64| {
            attributes
                .integer(name, range, faults)
                .and_then(|given| u64::try_from(given).ok())
                .unwrap_or(default)
        };
        let digits = number("digits", 6..=8, Totp::DEFAULT_DIGITS.into());
        let period = number("period", 15..=120, Totp::DEFAULT_PERIOD.into());
        let sent = proof::read(attributes, faults);
        Self { id, algorithm: algorithm.unwrap_or_default(), digits, period, sent }
    }
}

const ATTRIBUTES: &[&str] = &["otp", "password", "pin", "algorithm", "digits", "period"];
