//! The JSON:API document that a client sends: one resource of the operation's type, with attributes.

use super::faults::Faults;
use super::members::Members;
use serde_json::{Value, json};

/// Members of the document, for [`super::document::Document::members`].
pub(super) const DOCUMENT: &[&str] = &["data"];

const RESOURCE: &[&str] = &["type", "id", "attributes"];

/// The attributes of the resource, which must be of `kind`. `None` if there are none, and then there is a fault.
pub(super) fn attributes<'a>(
    document: &mut Members<'a>,
    kind: &'static str,
    known: &[&'static str],
    faults: &mut Faults,
) -> Option<Members<'a>> {
    let mut resource = document.required_object("data", RESOURCE, faults)?;
    let found = resource.required_text("type", 1..=64, faults).map(|found| found == kind);
    if found == Some(false) {
        faults.invalid(resource.pointer("type"), format!("Must be {kind}."));
    }
    resource.required_object("attributes", known, faults)
}

/// The JSON Schema of such a document.
pub(super) fn schema(kind: &str, attributes: &Value) -> Value {
    json!({
        "type": "object",
        "required": ["data"],
        "properties": { "data": {
            "type": "object",
            "required": ["type", "attributes"],
            "properties": { "type": { "const": kind }, "attributes": attributes },
        } },
    })
}
