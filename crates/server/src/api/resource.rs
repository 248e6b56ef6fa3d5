//! The JSON:API document that a client sends: one resource of the operation's type, with attributes.

use super::faults::Faults;
use super::members::Members;
use serde_json::{Value, json};
use uuid::Uuid;

/// Members of the document, for [`super::document::Document::members`].
pub(super) const DOCUMENT: &[&str] = &["data"];

const RESOURCE: &[&str] = &["type", "id", "attributes"];

const MAX_ID_LENGTH: usize = 64;

/// The resource's id, if there is one, and its attributes. It must be of `kind`. `None` if there are no attributes, and
/// then there is a fault.
pub(super) fn read<'a>(
    document: &mut Members<'a>,
    kind: &'static str,
    known: &[&'static str],
    faults: &mut Faults,
) -> Option<(Option<Uuid>, Members<'a>)> {
    let mut resource = document.required_object("data", RESOURCE, faults)?;
    let found = resource.required_text("type", 1..=64, faults).map(|found| found == kind);
    if found == Some(false) {
        faults.invalid(resource.pointer("type"), format!("Must be {kind}."));
    }
    let id = id(&resource, faults);
    Some((id, resource.required_object("attributes", known, faults)?))
}

/// The JSON Schema of such a document.
pub(super) fn schema(kind: &str, attributes: &Value) -> Value {
    json!({
        "type": "object",
        "required": ["data"],
        "properties": { "data": {
            "type": "object",
            "required": ["type", "attributes"],
            "properties": {
                "type": { "const": kind },
                "id": { "type": ["string", "null"], "format": "uuid" },
                "attributes": attributes,
            },
        } },
    })
}

/// In the one spelling with hyphens.
pub(super) fn uuid(text: &str) -> Option<Uuid> {
    Uuid::try_parse(text).ok().filter(|_| text.len() == 36)
}

/// The `id` of the resource that a client sends, if there is one.
fn id(resource: &Members<'_>, faults: &mut Faults) -> Option<Uuid> {
    let text = resource.text("id", 0..=MAX_ID_LENGTH, faults)?;
    let id = uuid(text);
    if id.is_none() {
        faults.invalid(resource.pointer("id"), "Must be a UUID.");
    }
    id
}
