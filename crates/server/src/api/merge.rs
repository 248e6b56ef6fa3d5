//! JSON that is like other JSON and has more in it, for what resources and their schemas have in common.

use serde_json::Value;

/// `base` with the members of `further`, down to the innermost objects; what is no object is replaced.
pub(super) fn merged(mut base: Value, further: Value) -> Value {
    merge(&mut base, further);
    base
}

fn merge(base: &mut Value, further: Value) {
    match (base, further) {
        (Value::Object(base), Value::Object(further)) => {
            for (name, value) in further {
                merge(base.entry(name).or_insert(Value::Null), value);
            }
        }
        (base, further) => *base = further,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn objects_are_merged_and_all_else_is_replaced() {
        let base = json!({ "a": { "b": [1, 2], "c": { "d": 1 } }, "e": "f" });
        let further = json!({ "a": { "b": [3], "c": { "g": null } }, "e": { "h": 2 } });
        let expected = json!({ "a": { "b": [3], "c": { "d": 1, "g": null } }, "e": { "h": 2 } });
        assert_eq!(merged(base, further), expected);
    }
}
