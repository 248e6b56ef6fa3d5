//! A device as a JSON:API resource, and the path that names one.

use super::error::{ApiError, ErrorCode};
use super::resource;
use crate::accounts::rfc_3339;
use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;
use einmal_core::account::Credential;
use serde_json::{Value, json};
use uuid::Uuid;

/// The resource's type, spelled as clients know it.
pub(super) const TYPE: &str = "deviceTOTP";
pub(super) const MAX_LABEL_LENGTH: usize = 64;

/// Without its secret.
pub(super) fn described(device: &Credential) -> Value {
    let totp = &device.totp;
    json!({
        "type": TYPE,
        "id": device.id.to_string(),
        "attributes": {
            "label": device.label,
            "algorithm": totp.algorithm().name(),
            "digits": totp.digits(),
            "period": totp.period(),
            "createdAt": rfc_3339(device.created_at),
            "lastUsedAt": device.progress.last_used_at.and_then(rfc_3339),
        },
    })
}

/// Of such a resource.
pub(super) fn schema() -> Value {
    json!({
        "type": "object",
        "required": ["type", "id", "attributes"],
        "properties": {
            "type": { "const": TYPE },
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
pub(super) fn example() -> Value {
    json!({
        "type": TYPE,
        "id": "738e379f-fe30-45ab-819c-ba88804b6368",
        "attributes": {
            "label": "Glove box", "algorithm": "SHA1", "digits": 6, "period": 30,
            "createdAt": "2026-11-24T10:00:00Z", "lastUsedAt": null,
        },
    })
}

/// The id at the end of the path; what is no UUID is no device.
pub(super) struct DeviceId(pub(super) Uuid);

impl<S: Send + Sync> FromRequestParts<S> for DeviceId {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let id = Path::<String>::from_request_parts(parts, state).await.ok();
        let id = id.and_then(|Path(id)| resource::uuid(&id));
        id.map(Self).ok_or_else(|| ApiError::new(ErrorCode::NotFound))
    }
}

impl DeviceId {
    /// For the OpenAPI document.
    pub(super) fn parameter() -> Value {
        json!({ "name": "id", "in": "path", "required": true, "schema": { "type": "string", "format": "uuid" } })
    }
}
