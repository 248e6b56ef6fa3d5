//! What a body must be for an operation to see its members.

use super::*;

/// Code and pointer of every error that `read` finds in `body`.
fn errors(body: &str, read: impl Fn(&mut Members<'_>, &mut Faults)) -> Vec<(String, Option<String>)> {
    let result = Members::parse(body.as_bytes(), &["otp", "types", "data"]).and_then(|mut members| {
        let mut faults = Faults::default();
        read(&mut members, &mut faults);
        faults.finish()
    });
    let Err(error) = result else { return Vec::new() };
    let document: serde_json::Value = serde_json::from_slice(&error.body("id", "http://a")).unwrap();
    let errors = document["errors"].as_array().unwrap().iter();
    errors
        .map(|error| {
            let pointer = error["source"]["pointer"].as_str().map(str::to_owned);
            (error["code"].as_str().unwrap().to_owned(), pointer)
        })
        .collect()
}

fn read_otp(members: &mut Members<'_>, faults: &mut Faults) {
    members.required_text("otp", 1..=64, faults);
}

fn only(code: &str, pointer: &str) -> Vec<(String, Option<String>)> {
    vec![(code.to_owned(), Some(pointer.to_owned()))]
}

#[test]
fn what_is_no_json_is_malformed() {
    let deep = "[".repeat(10_000);
    for body in [
        "",
        " ",
        "{",
        "[1,",
        "nul",
        "{\"otp\":\"1\"}x",
        "{\"otp\":\"1\",}",
        "{otp:1}",
        "{'otp':'1'}",
        "\u{feff}{\"otp\":\"1\"}",
        "{\"otp\":\"\\ud800\"}",
        "{\"otp\":\"\u{1}\"}",
        "{\"x\":1e999}",
        &deep,
    ] {
        assert_eq!(errors(body, read_otp), [("malformed-json".to_owned(), None)], "{body:.40?}");
    }
    assert!(Members::parse(b"{\"otp\":\"\xff\"}", &[]).is_err());
    assert!(Members::parse(b"{\"\xc0\xaf\":1}", &[]).is_err());
}

#[test]
fn what_is_no_object_is_an_invalid_value_at_the_root() {
    for body in ["null", "[]", "[{\"otp\":\"1\"}]", "\"x\"", "1", "1.5", "true"] {
        assert_eq!(errors(body, read_otp), only("invalid-value", ""), "{body}");
    }
}

#[test]
fn a_known_member_given_twice_is_malformed_however_it_is_spelled() {
    for body in [
        r#"{"otp":"1","otp":"1"}"#,
        r#"{"otp":"1","\u006ftp":"2"}"#,
        r#"{"\u006F\u0074p":null,"otp":"2"}"#,
        r#"{"otp":"1","a":{"otp":"3"},"otp":null}"#,
    ] {
        assert_eq!(errors(body, read_otp), only("malformed-json", "/otp"), "{body}");
    }
    assert_eq!(errors(r#"{"a":1,"a":2,"otp":"1"}"#, read_otp), [], "an unknown one is nothing");
}

#[test]
fn null_is_absent() {
    for body in ["{}", r#"{"otp":null}"#] {
        assert_eq!(errors(body, read_otp), only("missing-value", "/otp"), "{body}");
        assert_eq!(errors(body, |members, faults| assert_eq!(members.text("otp", 1..=64, faults), None)), []);
    }
}

#[test]
fn lengths_count_code_points() {
    let body = |text: &str| format!("{{\"otp\":\"{text}\"}}");
    assert_eq!(errors(&body(&"ü".repeat(64)), read_otp), []);
    assert_eq!(errors(&body(&"ü".repeat(65)), read_otp), only("invalid-value", "/otp"));
    assert_eq!(errors(&body(""), read_otp), only("invalid-value", "/otp"));
    for value in ["1", "123456", "true", "[]", "{}", "0.5"] {
        assert_eq!(
            errors(&format!("{{\"otp\":{value}}}"), read_otp),
            only("invalid-value", "/otp"),
            "{value}"
        );
    }
}

#[test]
fn an_unknown_item_is_named_by_its_index_and_a_wrong_array_as_a_whole() {
    let read = |members: &mut Members<'_>, faults: &mut Faults| {
        let known = |item: &str| (item == "totp").then_some(());
        drop(members.items("types", 3, known, "Must be totp.", faults));
    };
    assert_eq!(errors(r#"{"types":["totp","totp"]}"#, read), []);
    assert_eq!(errors(r#"{"types":[]}"#, read), []);
    for item in [r#""sms""#, r#""TOTP""#, r#"" totp""#, r#""totp\u0000""#, "1", "null", r#"["totp"]"#] {
        assert_eq!(
            errors(&format!("{{\"types\":[\"totp\",{item}]}}"), read),
            only("invalid-value", "/types/1")
        );
    }
    for value in [r#""totp""#, "{}", "5", "true", r#"["totp","totp","totp","totp"]"#] {
        assert_eq!(
            errors(&format!("{{\"types\":{value}}}"), read),
            only("invalid-value", "/types"),
            "{value}"
        );
    }
}

#[test]
fn all_faults_of_a_nested_document_are_told_at_once() {
    let read = |members: &mut Members<'_>, faults: &mut Faults| {
        if let Some(mut data) = members.required_object("data", &["type", "attributes"], faults) {
            data.required_text("type", 1..=10, faults);
            if let Some(attributes) = data.object("attributes", &["digits", "pin"], faults) {
                attributes.integer("digits", 6..=8, faults);
                attributes.text("pin", 4..=4, faults);
            }
        }
    };
    assert_eq!(errors("{}", read), only("missing-value", "/data"));
    assert_eq!(errors(r#"{"data":[]}"#, read), only("invalid-value", "/data"));
    let body = r#"{"data":{"type":7,"attributes":{"digits":6.5,"pin":"12345"}}}"#;
    let pointers: Vec<_> = errors(body, read).into_iter().map(|(_, pointer)| pointer.unwrap()).collect();
    assert_eq!(pointers, ["/data/type", "/data/attributes/digits", "/data/attributes/pin"]);
    let twice = r#"{"data":{"type":"a","attributes":{"pin":"1234","p\u0069n":"1234"}}}"#;
    assert_eq!(errors(twice, read), only("malformed-json", "/data/attributes/pin"));
    assert_eq!(errors(r#"{"data":{"type":"a","attributes":{"digits":8,"pin":"1234"}}}"#, read), []);
}
