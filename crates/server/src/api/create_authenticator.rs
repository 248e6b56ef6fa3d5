//! `POST /user/authenticators`: a secret for the user's authenticator app, against a proof. It is good for nothing until a
//! code shows that the app has it, and from then on nobody is shown it.

use super::authenticator::{self, EXAMPLE_ID, TYPE};
use super::credential;
use super::document::Document;
use super::documentation::Documentation;
use super::error::{ApiError, ErrorCode, JSON_API};
use super::faults::Faults;
use super::label;
use super::merge::merged;
use super::negotiate::AcceptsJsonApi;
use super::proof::{self, Sent};
use super::request::LoggedOutcome;
use super::resource;
use super::router::Route;
use super::throttled::throttled;
use crate::accounts::{Deed, Proof};
use crate::auth::caller::{Caller, Operation};
use crate::context::Context;
use crate::entropy::random_uuid;
use crate::metrics::{Attempts, EnrolmentOutcome};
use axum::Extension;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use einmal_core::account::{Account, AuthenticatorState};
use einmal_core::otp::{Algorithm, Secret, Totp};
use einmal_core::policy::Policy;
use einmal_core::{Entropy, EntropyError, Timestamp};
use serde_json::{Value, json};
use std::sync::Arc;
use uuid::Uuid;

struct CreateAuthenticator;

impl Operation for CreateAuthenticator {
    const SCOPE: &'static str = "user:device-totps:create";
}

pub(super) fn route() -> Route {
    Route::operation("/user/authenticators", post(create_authenticator)).describe(documentation)
}

fn documentation() -> Documentation {
    Documentation::new(
        Method::POST,
        "CreateAuthenticator",
        "Begin to enrol an authenticator app",
        "A secret for the user's authenticator app: show `uri` as a link, or the image at `links.qr` for its camera, \
         and then confirm it with a code that the app shows. Until then it is pending and its codes are good for \
         nothing else; a pending one dies after 15 minutes, or of five wrong codes. `otp`, `password` and `pin` are \
         looked at in this order, and one right value is enough; a code may be of any type, and is spent.",
    )
    .scope(CreateAuthenticator::SCOPE)
    .body(
        resource::new_schema(
            TYPE,
            &proof::schema(&json!({ "label": label::schema(&json!(["string", "null"])) })),
        ),
        resource::example(TYPE, &json!({ "pin": "8299", "label": "My phone" })),
    )
    .answer_with(
        StatusCode::CREATED,
        "The pending authenticator with its secret",
        "application/vnd.api+json",
        answer_schema(),
    )
    .example(answer_example())
    .refuses(&[ErrorCode::ProofInvalid, ErrorCode::LimitReached, ErrorCode::Throttled])
}

fn answer_schema() -> Value {
    let text = |description: &str| json!({ "type": "string", "format": "uri", "description": description });
    let further = json!({
        "required": ["type", "id", "attributes", "links"],
        "properties": {
            "attributes": {
                "required": ["secret", "uri", "algorithm", "digits", "period", "label", "state"],
                "properties": {
                    "secret": { "description": "Base32 without padding, to be typed in where there is no camera" },
                    "uri": text("With the scheme otpauth, which authenticator apps open"),
                    "label": { "type": ["string", "null"] },
                    "state": { "const": "pending" },
                },
            },
            "links": {
                "type": "object",
                "required": ["qr"],
                "properties": { "qr": text("The same as an image; needs the token") },
            },
        },
    });
    merged(credential::made_schema(TYPE), json!({ "properties": { "data": further } }))
}

fn answer_example() -> Value {
    json!({ "data": {
        "type": TYPE,
        "id": EXAMPLE_ID,
        "attributes": {
            "secret": "KRUGS4ZANFZSAYJAONSWG4TFOQQGM33S",
            "uri": "otpauth://totp/einmal:demo%40example.com?secret=KRUGS4ZANFZSAYJAONSWG4TFOQQGM33S&issuer=einmal\
                    &algorithm=SHA1&digits=6&period=30",
            "algorithm": "SHA1", "digits": 6, "period": 30, "label": "My phone", "state": "pending",
        },
        "links": { "qr": format!("https://otp.example.com/user/2025-1/user/authenticators/{EXAMPLE_ID}/qr") },
    } })
}

async fn create_authenticator(
    State(context): State<Arc<Context>>,
    caller: Caller<CreateAuthenticator>,
    _: AcceptsJsonApi,
    path: Uri,
    document: Document,
) -> Result<Response, ApiError> {
    let Request { label, sent } = Request::read(&document)?;
    if sent.is_empty() {
        return Err(proof::missing());
    }
    let (id, secret) =
        make(context.entropy.as_ref()).map_err(|error| ApiError::internal(error.to_string()))?;
    // What every app takes: some take nothing else, and show wrong codes without a word.
    let (digits, period) = (Totp::DEFAULT_DIGITS.into(), Totp::DEFAULT_PERIOD.into());
    let totp = Totp::new(secret, Algorithm::Sha1, digits, period);
    let totp = totp.map_err(|error| ApiError::internal(error.to_string()))?;

    let (now, policy) = (caller.now, Arc::clone(&context.policy));
    let offered = sent.offered_with(&caller.token)?;
    let enrolment =
        Enrolment { id, label: label.clone(), totp: totp.clone(), now, policy: Arc::clone(&policy) };
    let accounts = context.accounts.reporting(&caller.reporter);
    match accounts.prove(caller.account().clone(), offered, now, policy, enrolment).await? {
        Proof::Right(email) => {
            let uri =
                authenticator::uri(&context, &caller.token, email.as_deref(), label.as_deref(), totp.clone());
            let qr = format!("{}{}/{id}/qr", context.public_url, path.path());
            Ok(created(id, &totp, &uri, label.as_deref(), &qr))
        }
        // It takes no key, so nothing is a repeat.
        Proof::Wrong | Proof::Repeated(_) | Proof::KeyReused => Err(ApiError::new(ErrorCode::ProofInvalid)),
        Proof::Throttled(wait) => Err(throttled(&context, ErrorCode::ProofInvalid, wait)),
        Proof::Barred => Err(credential::limit_reached(context.policy.max_authenticators, "authenticators")),
    }
}

struct Enrolment {
    id: Uuid,
    label: Option<String>,
    totp: Totp,
    now: Timestamp,
    policy: Arc<Policy>,
}

impl Deed for Enrolment {
    /// The account's address, which the app shows.
    type Done = Option<String>;

    fn is_possible(&self, account: &Account) -> bool {
        account.has_room_for_authenticator(self.now, &self.policy)
    }

    fn run(&self, account: &mut Account) -> Option<String> {
        account.begin_authenticator(self.id, self.label.clone(), self.totp.clone(), self.now);
        account.email.clone()
    }

    fn count(&self, attempts: &Attempts, proof: &Proof<Option<String>>) {
        if let Proof::Right(_) = proof {
            attempts.enrolment(EnrolmentOutcome::Begun);
        }
    }
}

fn make(entropy: &dyn Entropy) -> Result<(Uuid, Secret), EntropyError> {
    Ok((random_uuid(entropy)?, Secret::generate(Algorithm::Sha1, entropy)?))
}

fn created(id: Uuid, totp: &Totp, uri: &str, label: Option<&str>, qr: &str) -> Response {
    let state = authenticator::name(AuthenticatorState::Pending);
    let further =
        json!({ "attributes": { "uri": uri, "label": label, "state": state }, "links": { "qr": qr } });
    let made = merged(credential::made(TYPE, id, totp), further);
    let headers = [(CONTENT_TYPE, JSON_API)];
    let body = json!({ "data": made }).to_string();
    (StatusCode::CREATED, headers, Extension(LoggedOutcome("created")), body).into_response()
}

pub(super) struct Request {
    label: Option<String>,
    sent: Sent,
}

impl Request {
    pub(super) fn read(document: &Document) -> Result<Self, ApiError> {
        let mut faults = Faults::default();
        let mut members = document.members(resource::DOCUMENT)?;
        let attributes = resource::read_new(&mut members, TYPE, ATTRIBUTES, &mut faults);
        let request = attributes.map(|attributes| Self {
            label: label::read(&attributes, &mut faults),
            sent: proof::read(&attributes, &mut faults),
        });
        faults.finish()?;
        request.ok_or_else(|| ApiError::new(ErrorCode::InvalidValue))
    }
}

const ATTRIBUTES: &[&str] = &["otp", "password", "pin", "label"];
