//! The keys of one issuer as one document gave them, and the choice among them. A key serves only the
//! algorithms of its own type: the token's word never decides how a key is used.

use super::TokenError;
use super::algorithm::Algorithm;
use super::jwk::{self, VerificationKey};
use super::outgoing::FetchError;
use super::token::Token;
use serde_json::Value;

const MAX_KEYS: usize = 100;

#[derive(PartialEq)]
pub(super) struct KeySet {
    pub(super) keys: Vec<VerificationKey>,
}

/// What a set says about a token.
pub(super) enum Judgement {
    Authentic,
    Refused(TokenError),
    /// A newer set may have the key.
    UnknownKey,
}

impl KeySet {
    /// A document without a single usable key is no key set: it counts as a failed fetch, so that an issuer's
    /// mishap does not take the last good set away. Whoever withdraws a key publishes the others.
    pub(super) fn parse(document: &[u8], allowed: &[Algorithm]) -> Result<Self, FetchError> {
        let document: Value =
            serde_json::from_slice(document).map_err(|_| FetchError::UnusableKeySet("it is not JSON"))?;
        let Some(Value::Array(jwks)) = document.get("keys") else {
            return Err(FetchError::UnusableKeySet("it has no array \"keys\""));
        };
        if jwks.len() > MAX_KEYS {
            return Err(FetchError::UnusableKeySet("it has more than 100 keys"));
        }
        let keys: Vec<_> = jwks.iter().flat_map(|jwk| jwk::parse(jwk, allowed)).collect();
        if keys.is_empty() {
            return Err(FetchError::UnusableKeySet("none of its keys serves an allowed algorithm"));
        }
        Ok(Self { keys })
    }

    pub(super) fn judge(&self, token: &Token<'_>) -> Judgement {
        let verifies = |key: &VerificationKey| key.verify(token.signing_input, &token.signature);
        let mut fitting = self.keys.iter().filter(|key| key.algorithm == token.algorithm);

        let Some(kid) = token.kid.as_deref() else {
            return match (fitting.next(), fitting.next()) {
                (Some(only), None) if verifies(only) => Judgement::Authentic,
                // Without key ids a rotation shows only in signatures that no longer fit.
                (_, None) => Judgement::UnknownKey,
                _ => Judgement::Refused(TokenError::Invalid("no kid, and several keys fit")),
            };
        };
        // Some issuers give a new key the name of the old one: then, too, a rotation shows only in signatures.
        if fitting.any(|key| key.kid.as_deref() == Some(kid) && verifies(key)) {
            Judgement::Authentic
        } else {
            Judgement::UnknownKey
        }
    }
}
