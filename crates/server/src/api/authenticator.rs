//! A user's authenticator app as a JSON:API resource, and the URI by which the app gets its secret.

use super::credential;
use super::merge::merged;
use crate::auth::VerifiedToken;
use crate::context::Context;
use einmal_core::account::{AuthenticatorState, Credential};
use einmal_core::otp::{OtpauthUri, Totp};
use serde_json::{Value, json};
use zeroize::Zeroizing;

/// The resource's type.
pub(super) const TYPE: &str = "authenticator";
/// Of the resource in examples.
pub(super) const EXAMPLE_ID: &str = "0d6f1a52-9c1e-4c56-8f0b-5f2f1d0c7a11";

pub(super) const fn name(state: AuthenticatorState) -> &'static str {
    match state {
        AuthenticatorState::Pending => "pending",
        AuthenticatorState::Confirmed => "confirmed",
    }
}

/// Without its secret.
pub(super) fn described((credential, state): (&Credential, AuthenticatorState)) -> Value {
    merged(credential::described(TYPE, credential), with_state(name(state)))
}

/// Of such a resource.
pub(super) fn schema() -> Value {
    let attributes = json!({
        "required": ["label", "algorithm", "digits", "period", "createdAt", "lastUsedAt", "state"],
        "properties": { "state": {
            "type": "string", "enum": ["pending", "confirmed"],
            "description": "Codes of a pending one are good for nothing but to confirm it",
        } },
    });
    merged(credential::schema(TYPE), json!({ "properties": { "attributes": attributes } }))
}

/// Such a resource, for the OpenAPI document.
pub(super) fn example() -> Value {
    merged(credential::example(TYPE, EXAMPLE_ID, "My phone"), with_state("confirmed"))
}

fn with_state(state: &str) -> Value {
    json!({ "attributes": { "state": state } })
}

/// What of a new one is put into the app. `email` is that of the account's record.
pub(super) fn uri(
    context: &Context,
    token: &VerifiedToken,
    email: Option<&str>,
    label: Option<&str>,
    totp: Totp,
) -> Zeroizing<String> {
    let names = [token.verified_email.as_deref(), email, label];
    let account = names.into_iter().flatten().find(|name| is_presentable(name));
    let account = cut(account.unwrap_or(token.account.subject())).to_owned();
    OtpauthUri { totp, issuer: Some(context.issuer_label.as_ref().to_owned()), account }.to_uri()
}

fn is_presentable(name: &str) -> bool {
    // Colons are not shown.
    name.chars().any(|c| c != ':' && !c.is_whitespace()) && !name.chars().any(char::is_control)
}

/// With the longest issuer label beside it and every byte escaped, so much fits into a QR code. A claim may be as long as
/// a token.
const MAX_NAME_BYTES: usize = 192;

fn cut(name: &str) -> &str {
    let ends = name.char_indices().map(|(start, c)| start + c.len_utf8());
    let end = ends.take_while(|end| *end <= MAX_NAME_BYTES).last();
    end.and_then(|end| name.get(..end)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::qr_code;
    use einmal_core::otp::{Algorithm, Secret};

    #[test]
    fn a_name_that_nobody_could_read_names_nobody() {
        for name in ["alice@example.com", "Jörg: Büro", "a", "a:"] {
            assert!(is_presentable(name), "{name}");
        }
        for name in ["", " ", ": :", "a\nb"] {
            assert!(!is_presentable(name), "{name}");
        }
    }

    #[test]
    fn the_longest_label_and_name_still_fit_into_a_qr_code() {
        // Four bytes a character, each of them escaped.
        let longest = |count| "\u{1f600}".repeat(count);
        let totp = Totp::new(Secret::from_bytes(vec![7; 20]).unwrap(), Algorithm::Sha1, 6, 30).unwrap();
        let account = cut(&longest(5_000)).to_owned();
        assert_eq!(account, longest(48));
        let uri = OtpauthUri { totp, issuer: Some(longest(64)), account }.to_uri();
        assert!(qr_code::svg(&uri).is_ok() && qr_code::png(&uri).is_ok());
    }
}
