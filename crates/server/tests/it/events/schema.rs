//! docs/events.schema.json, and as much of JSON Schema as it uses. A keyword that is not known here fails the test.

use serde_json::{Map, Value};
use std::fs;
use std::path::Path;

pub(super) fn schema() -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/events.schema.json");
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

/// What is wrong with a line.
pub(super) fn faults(line: &Value) -> Vec<String> {
    let mut faults = Vec::new();
    check(&schema(), line, "", &mut faults);
    faults
}

fn check(schema: &Value, value: &Value, place: &str, faults: &mut Vec<String>) {
    for (keyword, rule) in schema.as_object().unwrap() {
        let is_kept = match keyword.as_str() {
            "$schema" | "title" | "description" => true,
            "type" => match rule.as_str().unwrap() {
                "object" => value.is_object(),
                "string" => value.is_string(),
                "array" => value.is_array(),
                "integer" => value.is_u64() || value.is_i64(),
                other => panic!("type {other}"),
            },
            "const" => rule == value,
            "enum" => rule.as_array().unwrap().contains(value),
            "minimum" => value.as_u64() >= rule.as_u64(),
            "minItems" => value.as_array().unwrap().len() as u64 >= rule.as_u64().unwrap(),
            "pattern" => matches(rule.as_str().unwrap(), value.as_str().unwrap_or_default()),
            "required" => {
                let names = rule.as_array().unwrap().iter().map(|name| name.as_str().unwrap());
                names.into_iter().all(|name| value.get(name).is_some())
            }
            "additionalProperties" => {
                assert_eq!(rule, false);
                let known = schema["properties"].as_object().unwrap();
                value.as_object().unwrap().keys().all(|name| known.contains_key(name))
            }
            "properties" => {
                properties(rule.as_object().unwrap(), value, place, faults);
                true
            }
            "items" => {
                value.as_array().unwrap().iter().for_each(|item| check(rule, item, place, faults));
                true
            }
            "oneOf" => {
                let fits = |one: &&Value| {
                    let mut faults = Vec::new();
                    check(one, value, place, &mut faults);
                    faults.is_empty()
                };
                rule.as_array().unwrap().iter().filter(fits).count() == 1
            }
            other => panic!("keyword {other}"),
        };
        if !is_kept {
            faults.push(format!("{place}: {keyword} {rule}"));
        }
    }
}

fn properties(rules: &Map<String, Value>, value: &Value, place: &str, faults: &mut Vec<String>) {
    for (name, rule) in rules {
        if let Some(member) = value.get(name) {
            check(rule, member, &format!("{place}/{name}"), faults);
        }
    }
}

/// The patterns that there are.
fn matches(pattern: &str, text: &str) -> bool {
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let hex = |text: &str| text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    match pattern {
        "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{6}Z$" => {
            let shape: String = text.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
            shape == "0000-00-00T00:00:00.000000Z"
        }
        "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$" => {
            let parts: Vec<_> = text.split('-').collect();
            parts.iter().map(|part| part.len()).eq([8, 4, 4, 4, 12]) && parts.iter().all(|part| hex(part))
        }
        "^[0-9a-f]{8}$" => text.len() == 8 && hex(text),
        "^[A-Za-z0-9._-]{1,128}$" => {
            (1..=128).contains(&text.len())
                && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
        }
        other => panic!("pattern {other}, {}", digits("")),
    }
}

#[test]
fn the_schema_takes_what_it_should_and_nothing_else() {
    let good = serde_json::json!({
        "event": "verified", "time": "2026-11-29T15:04:05.000001Z", "issuer": "main", "account": "a",
        "type": "totp", "request_id": "r-1",
    });
    assert_eq!(faults(&good), Vec::<String>::new());
    for (member, wrong) in [
        ("event", Value::from("unheard_of")),
        ("event", "keys_changed".into()),
        ("event", "refused".into()),
        ("time", "2026-11-29T15:04:05Z".into()),
        ("time", Value::Null),
        ("account", 1.into()),
        ("type", "sms".into()),
        ("type", Value::Null),
        ("request_id", "\n".into()),
        ("otp", "123456".into()),
    ] {
        let mut line = good.clone();
        line[member] = wrong.clone();
        if wrong.is_null() {
            line.as_object_mut().unwrap().remove(member);
        }
        assert!(!faults(&line).is_empty(), "{line}");
    }
}
