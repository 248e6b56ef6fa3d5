//! The JSON:API document that a client sends: one resource of the operation's type, with attributes.

use super::error::JSON_API;
use super::faults::Faults;
use super::members::Members;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
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
    let mut resource = of_kind(document, kind, faults)?;
    let id = id(&resource, faults);
    Some((id, resource.required_object("attributes", known, faults)?))
}

/// The attributes of a resource whose id is ours to choose. The same otherwise.
pub(super) fn read_new<'a>(
    document: &mut Members<'a>,
    kind: &'static str,
    known: &[&'static str],
    faults: &mut Faults,
) -> Option<Members<'a>> {
    let mut resource = of_kind(document, kind, faults)?;
    if resource.has("id") {
        faults.invalid(resource.pointer("id"), "Must be absent: the server chooses the id.");
    }
    resource.required_object("attributes", known, faults)
}

fn of_kind<'a>(document: &mut Members<'a>, kind: &'static str, faults: &mut Faults) -> Option<Members<'a>> {
    let resource = document.required_object("data", RESOURCE, faults)?;
    let found = resource.required_text("type", 1..=64, faults).map(|found| found == kind);
    if found == Some(false) {
        faults.invalid(resource.pointer("type"), format!("Must be {kind}."));
    }
    Some(resource)
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

/// The same for a resource whose id is ours to choose.
pub(super) fn new_schema(kind: &str, attributes: &Value) -> Value {
    let mut schema = schema(kind, attributes);
    let properties = schema.pointer_mut("/properties/data/properties").and_then(Value::as_object_mut);
    if let Some(properties) = properties {
        properties.remove("id");
    }
    schema
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

/// The answer that such a document is, or one with several resources.
pub(super) fn answer(data: &Value) -> Response {
    ([(CONTENT_TYPE, JSON_API)], json!({ "data": data }).to_string()).into_response()
}

/// The JSON Schema of such an answer.
pub(super) fn answer_schema(data: &Value) -> Value {
    json!({ "type": "object", "required": ["data"], "properties": { "data": data } })
}

/// Such a document, for the OpenAPI document.
pub(super) fn example(kind: &str, attributes: &Value) -> Value {
    json!({ "data": { "type": kind, "attributes": attributes } })
}
