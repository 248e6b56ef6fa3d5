//! A TOTP secret as a JSON:API resource, whoever holds it, and the path that names one. The secret itself is told when it
//! is made, and no list or change tells it again.

use super::error::{ApiError, ErrorCode, Fault};
use super::merge::merged;
use super::resource;
use crate::accounts::rfc_3339;
use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;
use einmal_core::account::Credential;
use einmal_core::otp::Totp;
use serde_json::{Value, json};
use uuid::Uuid;

/// Without its secret.
pub(super) fn described(kind: &str, credential: &Credential) -> Value {
    let totp = &credential.totp;
    json!({
        "type": kind,
        "id": credential.id.to_string(),
        "attributes": {
            "label": credential.label,
            "algorithm": totp.algorithm().name(),
            "digits": totp.digits(),
            "period": totp.period(),
            "createdAt": rfc_3339(credential.created_at),
            "lastUsedAt": credential.progress.last_used_at.and_then(rfc_3339),
        },
    })
}

/// Of such a resource.
pub(super) fn schema(kind: &str) -> Value {
    json!({
        "type": "object",
        "required": ["type", "id", "attributes"],
        "properties": {
            "type": { "const": kind },
            "id": { "type": "string", "format": "uuid" },
            "attributes": {
                "type": "object",
                "required": ["label", "algorithm", "digits", "period", "createdAt", "lastUsedAt"],
                "properties": {
                    "label": { "type": ["string", "null"] },
                    "algorithm": { "type": "string", "enum": ["SHA1", "SHA256", "SHA512"] },
                    "digits": { "type": "integer", "minimum": 6, "maximum": 8 },
                    "period": { "type": "integer", "description": "Seconds" },
                    "createdAt": { "type": "string", "format": "date-time" },
                    "lastUsedAt": { "type": ["string", "null"], "format": "date-time" },
                },
            },
        },
    })
}

/// Such a resource, for the OpenAPI document.
pub(super) fn example(kind: &str, id: &str, label: &str) -> Value {
    json!({
        "type": kind,
        "id": id,
        "attributes": {
            "label": label, "algorithm": "SHA1", "digits": 6, "period": 30,
            "createdAt": "2026-11-24T10:00:00Z", "lastUsedAt": null,
        },
    })
}

/// One that has just been made, with its secret.
pub(super) fn made(kind: &str, id: Uuid, totp: &Totp) -> Value {
    json!({ "type": kind, "id": id.to_string(), "attributes": {
        "secret": totp.secret().to_base32().as_str(),
        "algorithm": totp.algorithm().name(),
        "digits": totp.digits(),
        "period": totp.period(),
    } })
}

/// The JSON Schema of the document that has such a one.
pub(super) fn made_schema(kind: &str) -> Value {
    let attributes = json!({
        "type": "object",
        "required": ["secret", "algorithm", "digits", "period"],
        "properties": {
            "secret": { "type": "string", "description": "Base32 without padding; shown this once" },
            "algorithm": { "type": "string", "enum": ["SHA1", "SHA256", "SHA512"] },
            "digits": { "type": "integer" },
            "period": { "type": "integer", "description": "Seconds" },
        },
    });
    let id = json!({ "type": "string", "format": "uuid" });
    let further = json!({ "properties": { "data": { "properties": { "id": id } } } });
    merged(resource::schema(kind, &attributes), further)
}

/// An account has as many of `what` as it may.
pub(super) fn limit_reached(most: usize, what: &str) -> ApiError {
    let fault = Fault::new(ErrorCode::LimitReached).pointer("/data");
    fault.detail(format!("An account has at most {most} {what}.")).meta("limit", most).into()
}

/// The id in the path; what is no UUID names nothing.
pub(super) struct CredentialId(pub(super) Uuid);

impl<S: Send + Sync> FromRequestParts<S> for CredentialId {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let id = Path::<String>::from_request_parts(parts, state).await.ok();
        let id = id.and_then(|Path(id)| resource::uuid(&id));
        id.map(Self).ok_or_else(|| ApiError::new(ErrorCode::NotFound))
    }
}

impl CredentialId {
    /// For the OpenAPI document.
    pub(super) fn parameter() -> Value {
        json!({ "name": "id", "in": "path", "required": true, "schema": { "type": "string", "format": "uuid" } })
    }
}
