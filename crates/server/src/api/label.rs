//! The name that an owner gives to something enrolled, for their own eyes.

use super::document::Document;
use super::error::ApiError;
use super::faults::Faults;
use super::members::Members;
use super::resource;
use serde_json::{Value, json};
use uuid::Uuid;

const MAX_LENGTH: usize = 64;

/// The member `label`, which may be absent. An empty one is none.
pub(super) fn read(attributes: &Members<'_>, faults: &mut Faults) -> Option<String> {
    let label = attributes.text("label", 0..=MAX_LENGTH, faults)?;
    if label.chars().any(char::is_control) {
        faults.invalid(attributes.pointer("label"), "Must have no control characters.");
    }
    Some(label.to_owned()).filter(|label| !label.is_empty())
}

/// The document of a `PATCH` that names the resource of `kind` with this `id`.
pub(super) fn read_patch(
    document: &Document,
    kind: &'static str,
    id: Uuid,
) -> Result<Option<String>, ApiError> {
    let mut faults = Faults::default();
    let mut members = document.members(resource::DOCUMENT)?;
    let mut label = None;
    if let Some((given, attributes)) = resource::read(&mut members, kind, &["label"], &mut faults) {
        if given.is_some_and(|given| given != id) {
            faults.invalid("/data/id", "Must be the id in the path, or absent.");
        }
        if !attributes.has("label") {
            faults.missing(attributes.pointer("label"));
        }
        label = read(&attributes, &mut faults);
    }
    faults.finish()?;
    Ok(label)
}

/// The JSON Schema of the member; `kinds` are its types.
pub(super) fn schema(kinds: &Value) -> Value {
    // No control characters.
    json!({ "type": kinds, "maxLength": MAX_LENGTH, "pattern": r"^[^\u0000-\u001F\u007F-\u009F]*$" })
}

/// The JSON Schema of such a `PATCH`.
pub(super) fn patch_schema(kind: &str) -> Value {
    let label = schema(&json!("string"));
    let attributes = json!({ "type": "object", "required": ["label"], "properties": { "label": label } });
    resource::schema(kind, &attributes)
}
