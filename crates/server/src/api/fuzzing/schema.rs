//! JSON Schema, as much of it as the API's own documents use. It is the second opinion on what a body may be, and must
//! not share code with what reads bodies.

use serde_json::Value;

/// Whether every keyword in it is one that [`fits`] knows.
#[cfg(test)]
pub(super) fn is_understood(schema: &Value) -> bool {
    const KNOWN: [&str; 17] = [
        "type",
        "enum",
        "const",
        "required",
        "properties",
        "items",
        "anyOf",
        "minLength",
        "maxLength",
        "minimum",
        "maximum",
        "maxItems",
        "pattern",
        "format",
        "description",
        "default",
        "examples",
    ];
    schema.as_object().is_some_and(|schema| {
        schema.iter().all(|(keyword, value)| {
            let is_inner_understood = match keyword.as_str() {
                "properties" => value.as_object().is_some_and(|all| all.values().all(is_understood)),
                "anyOf" => value.as_array().is_some_and(|all| all.iter().all(is_understood)),
                "items" => is_understood(value),
                "pattern" => value == NO_CONTROL,
                "format" => value == "uuid",
                _ => true,
            };
            KNOWN.contains(&keyword.as_str()) && is_inner_understood
        })
    })
}

/// The one pattern that there is.
#[cfg(test)]
const NO_CONTROL: &str = r"^[^\u0000-\u001F\u007F-\u009F]*$";

pub(super) fn fits(schema: &Value, value: &Value) -> bool {
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        // One spelling of a whole number: 6.0 is none here, unlike in JSON Schema.
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let has_kind = match schema.get("type") {
        Some(Value::String(only)) => only == kind,
        Some(Value::Array(several)) => several.iter().any(|one| one == kind),
        _ => true,
    };
    let is_one_of = schema.get("enum").and_then(Value::as_array).is_none_or(|all| all.contains(value));
    let is_const = schema.get("const").is_none_or(|only| only == value);
    let any_of = schema.get("anyOf").and_then(Value::as_array);
    let fits_any = any_of.is_none_or(|all| all.iter().any(|one| fits(one, value)));
    has_kind && is_one_of && is_const && fits_any && fits_inside(schema, value)
}

fn fits_inside(schema: &Value, value: &Value) -> bool {
    let number = |keyword: &str| schema.get(keyword).and_then(Value::as_u64);
    match value {
        Value::String(text) => {
            let length = text.chars().count() as u64;
            let has_length = number("minLength").is_none_or(|least| length >= least)
                && number("maxLength").is_none_or(|most| length <= most);
            let matches = schema.get("pattern").is_none() || !text.chars().any(char::is_control);
            let is_uuid = |text: &str| {
                let hyphens = [8, 13, 18, 23];
                text.len() == 36
                    && text.bytes().enumerate().all(|(place, byte)| {
                        if hyphens.contains(&place) { byte == b'-' } else { byte.is_ascii_hexdigit() }
                    })
            };
            has_length && matches && (schema.get("format").is_none() || is_uuid(text))
        }
        Value::Number(value) => {
            let value = value.as_i64();
            let bound = |keyword: &str| schema.get(keyword).and_then(Value::as_i64);
            bound("minimum").is_none_or(|least| value.is_some_and(|value| value >= least))
                && bound("maximum").is_none_or(|most| value.is_some_and(|value| value <= most))
        }
        Value::Array(items) => {
            let fits_items =
                schema.get("items").is_none_or(|schema| items.iter().all(|item| fits(schema, item)));
            fits_items && number("maxItems").is_none_or(|most| items.len() as u64 <= most)
        }
        Value::Object(members) => {
            let required = schema.get("required").and_then(Value::as_array).into_iter().flatten();
            let has_all = required.filter_map(Value::as_str).all(|name| members.contains_key(name));
            let mut properties = schema.get("properties").and_then(Value::as_object).into_iter().flatten();
            has_all
                && properties.all(|(name, schema)| members.get(name).is_none_or(|value| fits(schema, value)))
        }
        Value::Null | Value::Bool(_) => true,
    }
}
