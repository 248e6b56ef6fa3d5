//! What a client offers to prove who is asking, in the attributes of a JSON:API resource or the members of an object.

use super::faults::Faults;
use super::members::Members;
use super::merge::merged;
use crate::accounts::Offered;
use einmal_core::otp::Code;
use serde_json::{Value, json};
use zeroize::Zeroizing;

/// In characters. A PIN has four, but one that is none is as wrong as another.
pub(super) const MAX_PIN_LENGTH: usize = 64;
pub(super) const MAX_PASSWORD_LENGTH: usize = 1024;

/// `otp`, `password` and `pin`, each of which may be absent.
pub(super) fn read(members: &Members<'_>, faults: &mut Faults) -> Offered {
    let mut read =
        |name, longest| members.text(name, 1..=longest, faults).map(|text| Zeroizing::new(text.to_owned()));
    let otp = read("otp", Code::MAX_SENT_LENGTH).map(|otp| Code::parse(&otp));
    Offered { otp, password: read("password", MAX_PASSWORD_LENGTH), pin: read("pin", MAX_PIN_LENGTH) }
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
