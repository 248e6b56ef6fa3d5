//! What a client offers to prove who is asking, in the attributes of a JSON:API resource or the members of an object.

use super::error::{ApiError, ErrorCode};
use super::faults::Faults;
use super::members::Members;
use super::merge::merged;
use super::update_error::issuer_unavailable;
use crate::accounts::{Judged, Offered, Password};
use crate::auth::{PasswordQuestion, PasswordVerdict, VerifiedToken};
use einmal_core::otp::Code;
use serde_json::{Value, json};
use zeroize::Zeroizing;

/// In characters. A PIN has four, but one that is none is as wrong as another.
pub(super) const MAX_PIN_LENGTH: usize = 64;
pub(super) const MAX_PASSWORD_LENGTH: usize = 1024;

/// What a client sent, before it is settled who judges the password.
pub(super) struct Sent {
    pub(super) password: Option<Zeroizing<String>>,
    /// Without a password.
    pub(super) others: Offered,
}

impl Sent {
    pub(super) fn is_empty(&self) -> bool {
        self.password.is_none() && self.others.otp.is_none() && self.others.pin.is_none()
    }

    /// The password is judged by the token's issuer where the operator says so, and then by nobody else.
    pub(super) fn offered_with(self, token: &VerifiedToken) -> Result<Offered, ApiError> {
        let password = match (self.password, &token.password_owner) {
            (Some(password), Some(owner)) => {
                let question = owner.question().map_err(|error| issuer_unavailable(error.to_string()))?;
                Some(Password::Elsewhere(Box::pin(ask(question, password))))
            }
            (password, _) => password.map(Password::Compared),
        };
        Ok(Offered { password, ..self.others })
    }
}

async fn ask(question: PasswordQuestion, password: Zeroizing<String>) -> Judged {
    match question.ask(password).await {
        PasswordVerdict::Right => Judged::Right,
        PasswordVerdict::Wrong => Judged::Wrong,
        PasswordVerdict::NotJudged => Judged::NotAtAll,
        PasswordVerdict::Unknown => Judged::Perhaps,
    }
}

/// `otp`, `password` and `pin`, each of which may be absent.
pub(super) fn read(members: &Members<'_>, faults: &mut Faults) -> Sent {
    let mut read =
        |name, longest| members.text(name, 1..=longest, faults).map(|text| Zeroizing::new(text.to_owned()));
    let otp = read("otp", Code::MAX_SENT_LENGTH).map(|otp| Code::parse(&otp));
    let password = read("password", MAX_PASSWORD_LENGTH);
    Sent { password, others: Offered { otp, pin: read("pin", MAX_PIN_LENGTH), ..Offered::default() } }
}

/// Where an operation has to have one of them.
pub(super) fn missing() -> ApiError {
    ApiError::new(ErrorCode::ProofInvalid).detail("An otp, a password or a PIN is needed.")
}

/// The JSON Schema of an object with these three members and `further` ones.
pub(super) fn schema(further: &Value) -> Value {
    let text = |longest: usize| json!({ "type": ["string", "null"], "minLength": 1, "maxLength": longest });
    let schema = json!({
        "type": "object",
        "properties": {
            "otp": text(Code::MAX_SENT_LENGTH),
            "password": text(MAX_PASSWORD_LENGTH),
            "pin": text(MAX_PIN_LENGTH),
        },
    });
    merged(schema, json!({ "properties": further }))
}
