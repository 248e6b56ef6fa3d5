//! A device as a JSON:API resource.

use super::credential;
use einmal_core::account::Credential;
use serde_json::Value;

/// The resource's type, spelled as clients know it.
pub(super) const TYPE: &str = "deviceTOTP";

/// Without its secret.
pub(super) fn described(device: &Credential) -> Value {
    credential::described(TYPE, device)
}

/// Of such a resource.
pub(super) fn schema() -> Value {
    credential::schema(TYPE)
}

/// Such a resource, for the OpenAPI document.
pub(super) fn example() -> Value {
    credential::example(TYPE, "738e379f-fe30-45ab-819c-ba88804b6368", "Glove box")
}
