//! What is fuzzed of the API: headers and bodies, held against a second, plainer reading of them. Each target takes any
//! bytes and panics where its property does not hold. It must not be in what is shipped.

mod schema;

use super::accept_image::{self, AcceptsImage};
use super::admin::record_shape;
use super::document::{Document, MAX_BODY_BYTES};
use super::error::ApiError;
use super::negotiate::{Parameters, accepts, check_content_type};
use super::router;
use super::{authenticator, device, label};
use super::{confirm_authenticator, create_authenticator, create_otp, create_totp, update_pin, verify_otp};
use crate::accounts::{IssuerNames, Reading, RecordError, read_record_of};
use crate::fuzzing::Repeating;
use axum::body::Bytes;
use axum::http::header::{ACCEPT, CONTENT_ENCODING, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use einmal_core::Timestamp;
use einmal_core::account::AccountId;
use einmal_core::policy::Policy;
use serde_json::Value;
use std::sync::LazyLock;
use uuid::Uuid;

struct Operation {
    id: &'static str,
    read: fn(&Document) -> Result<(), ApiError>,
}

/// All operations that read a body.
const OPERATIONS: [Operation; 8] = [
    Operation { id: "VerifyOTP", read: |document| verify_otp::Request::read(document).map(drop) },
    Operation { id: "CreateOTP", read: |document| create_otp::read(document).map(drop) },
    Operation { id: "CreateTOTP", read: |document| create_totp::Request::read(document).map(drop) },
    Operation { id: "UpdateUserPIN", read: |document| update_pin::Request::read(document).map(drop) },
    Operation { id: "CreateAuthenticator", read: |one| create_authenticator::Request::read(one).map(drop) },
    Operation {
        id: "ConfirmAuthenticator",
        read: |document| confirm_authenticator::read(document).map(drop),
    },
    Operation { id: "LabelTOTP", read: |document| patch(document, device::TYPE) },
    Operation { id: "LabelAuthenticator", read: |document| patch(document, authenticator::TYPE) },
];

fn patch(document: &Document, kind: &'static str) -> Result<(), ApiError> {
    label::read_patch(document, kind, Uuid::nil()).map(drop)
}

/// The bodies' schemas, in the same order: those that clients are told.
static SCHEMAS: LazyLock<Vec<Value>> = LazyLock::new(|| {
    let documented: Vec<_> = router::routes()
        .iter()
        .flat_map(|route| route.documentation().iter().map(|describe| describe()).collect::<Vec<_>>())
        .collect();
    let of = |operation: &Operation| {
        let documentation = documented.iter().find(|documentation| documentation.id == operation.id);
        documentation.and_then(|documentation| documentation.body.clone()).unwrap_or_default()
    };
    OPERATIONS.iter().map(of).collect()
});

/// A digit for the operation, and the body. What is taken is what the schema allows, what is refused is not, and every
/// fault has its place in the body.
pub(crate) fn body(data: &[u8]) {
    let Some((choice, body)) = data.split_first().filter(|(_, body)| body.len() <= MAX_BODY_BYTES) else {
        return;
    };
    let index = usize::from(choice.wrapping_sub(b'0')) % OPERATIONS.len();
    let (Some(operation), Some(schema)) = (OPERATIONS.get(index), SCHEMAS.get(index)) else { return };
    let read = |body: &[u8]| (operation.read)(&Document::of(Bytes::copy_from_slice(body)));
    let value: Option<Value> = serde_json::from_slice(body).ok();
    let (outcome, id) = (read(body), operation.id);
    let Some(value) = value else {
        let error = outcome.err();
        assert!(
            error.is_some_and(|error| codes(&error) == ["malformed-json"]),
            "{id}: no JSON, and no fault"
        );
        return;
    };
    let fits = schema::fits(schema, &value);
    match outcome {
        Ok(()) => {
            assert!(fits, "{id} takes what its schema forbids: {value}");
            // As another library would write it, it is the same.
            assert!(
                read(value.to_string().as_bytes()).is_ok(),
                "{id} takes one spelling and not another: {value}"
            );
            let known = |name: &str| schema.pointer("/properties").is_some_and(|all| all.get(name).is_some());
            for twice in Repeating::members_of(body, &value).filter(|twice| known(&twice.member)) {
                let codes = read(&twice.text).err().map(|error| codes(&error));
                assert_eq!(
                    codes.as_deref(),
                    Some(&["malformed-json".to_owned()][..]),
                    "{id}: {}",
                    twice.member
                );
            }
        }
        Err(error) if codes(&error) == ["malformed-json"] => {
            // A member was there twice: it is not any more once somebody has settled on one of the two.
            let settled = read(value.to_string().as_bytes()).err();
            assert!(settled.is_none_or(|error| codes(&error) != ["malformed-json"]), "{id}: {value}");
        }
        Err(error) => {
            let places = places(&error);
            // That the id in the body is the one of the path, no schema can say.
            assert!(!fits || places == ["/data/id"], "{id} refuses what its schema allows: {value}");
            for place in places {
                let parent = place.rsplit_once('/').map_or("", |(parent, _)| parent);
                assert!(value.pointer(parent).is_some(), "{id}: {place} is nowhere in {value}");
            }
        }
    }
}

fn members<T>(error: &ApiError, member: fn(&Value) -> Option<T>) -> Vec<T> {
    let body: Value = serde_json::from_slice(&error.body("", "")).unwrap_or_default();
    body.pointer("/errors").and_then(Value::as_array).into_iter().flatten().filter_map(member).collect()
}

fn codes(error: &ApiError) -> Vec<String> {
    members(error, |fault| fault.get("code")?.as_str().map(str::to_owned))
}

fn places(error: &ApiError) -> Vec<String> {
    members(error, |fault| fault.pointer("/source/pointer")?.as_str().map(str::to_owned))
}

/// The body of the admin operation that provisions. Its shape is checked first, for pointers: what passes there, the
/// record must not find malformed, and what the record takes must pass.
pub(crate) fn record(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    // A clear PIN or password is hashed, which is slow and not looked at here.
    if text.contains("pin\"") || text.contains("password\"") {
        return;
    }
    let policy = Policy::default();
    let now = Timestamp::from_seconds(1_800_000_000);
    let issuers = IssuerNames(Vec::new());
    let reading = Reading { issuers: &issuers, policy: &policy, entropy: &crate::fuzzing::NoEntropy, now };
    let shape = record_shape::check(data);
    let record = read_record_of(AccountId::new("main", "alice"), text, &reading);
    match record {
        Ok(_) => assert!(shape.is_ok(), "the shape refuses what the record takes: {text}"),
        Err(error) if shape.is_ok() => {
            let only = |error: &RecordError| matches!(error, RecordError::Member { .. });
            let has_places = match &error {
                RecordError::Several(several) => several.iter().all(only),
                one => only(one),
            };
            assert!(has_places, "{error}: {text}");
        }
        Err(_) => {}
    }
}

/// The lines of one header, one a line. `None` if HTTP would not have let them through.
fn headers(data: &[u8], name_of: fn(&[u8]) -> (HeaderName, &[u8])) -> Option<HeaderMap> {
    let mut headers = HeaderMap::new();
    for line in data.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let (name, value) = name_of(line);
        headers.append(name, HeaderValue::from_bytes(value.trim_ascii()).ok()?);
    }
    Some(headers)
}

/// Of an `Accept` header, read plainly: the type in lower case, its weights, and its other parameters.
struct Range {
    kind: String,
    /// `None` if one of them is no weight; 1 if there is none.
    weight: Option<f64>,
    others: Vec<(String, String)>,
}

fn ranges(headers: &HeaderMap) -> Vec<Range> {
    let lines = headers.get_all(ACCEPT).iter();
    let lines = lines.map(|line| line.as_bytes().iter().map(|byte| char::from(*byte)).collect::<String>());
    let lines: Vec<String> = lines.collect();
    let blank = |c: char| matches!(c, ' ' | '\t');
    let range = |text: &str| {
        let (kind, parameters) = text.split_once(';').unwrap_or((text, ""));
        let kind = kind.trim_matches(blank).to_ascii_lowercase();
        let parameters = parameters.split(';').map(|one| one.split_once('=').unwrap_or((one, "")));
        let parameters: Vec<_> = parameters
            .map(|(name, value)| {
                (name.trim_matches(blank).to_ascii_lowercase(), value.trim_matches(blank).to_owned())
            })
            .collect();
        let (weights, others): (Vec<_>, Vec<_>) = parameters.into_iter().partition(|(name, _)| name == "q");
        let weights: Option<Vec<f64>> = weights.iter().map(|(_, weight)| number(weight)).collect();
        let weight = weights.map(|weights| weights.into_iter().fold(1.0, f64::min));
        Range { kind, weight, others }
    };
    lines
        .iter()
        .flat_map(|line| line.split(','))
        .filter(|text| !text.trim_matches(blank).is_empty())
        .map(range)
        .collect()
}

/// RFC 9110 section 12.4.2: `0` or `1`, with up to three decimals.
fn number(text: &str) -> Option<f64> {
    let is_shaped = match text.split_once('.') {
        None => matches!(text, "0" | "1"),
        Some((whole, decimals)) => {
            matches!(whole, "0" | "1")
                && decimals.len() <= 3
                && decimals.bytes().all(|byte| byte.is_ascii_digit())
        }
    };
    text.parse().ok().filter(|number| is_shaped && *number <= 1.0)
}

/// Lines of `Accept`. What is answered is what one of the ranges allows, and 406 is only for whom none does.
pub(crate) fn accept(data: &[u8]) {
    let Some(headers) = headers(data, |line| (ACCEPT, line)) else { return };
    let ranges = ranges(&headers);
    let is_wanted = |range: &Range| range.weight.is_some_and(|weight| weight > 0.0);
    let is_json = |range: &Range| {
        let kinds = ["*/*", "application/*", "application/json", "application/vnd.api+json"];
        kinds.contains(&&*range.kind)
    };
    let json = ranges.is_empty() || ranges.iter().any(|range| is_json(range) && is_wanted(range));
    assert_eq!(accepts(&headers, Parameters::Ignored), json, "JSON");

    let is_of_json_api = |(name, value): &(String, String)| {
        let is_utf8 = ["utf-8", "\"utf-8\""].contains(&&*value.to_ascii_lowercase());
        name.is_empty() || name == "profile" || name == "charset" && is_utf8
    };
    let takes =
        |range: &Range| range.kind != "application/vnd.api+json" || range.others.iter().all(is_of_json_api);
    let json_api =
        ranges.is_empty() || ranges.iter().any(|range| is_json(range) && is_wanted(range) && takes(range));
    assert_eq!(accepts(&headers, Parameters::OfJsonApi), json_api, "JSON:API");

    let weight = |image: AcceptsImage| {
        let specific = |range: &&Range| match &*range.kind {
            "*/*" => 1,
            "image/*" => 2,
            kind if kind == image.media_type() => 3,
            _ => 0,
        };
        let heard: Vec<_> =
            ranges.iter().filter(|range| range.weight.is_some() && specific(range) > 0).collect();
        let best = heard.iter().map(specific).max().unwrap_or(0);
        let weights = heard.iter().filter(|range| specific(range) == best).filter_map(|range| range.weight);
        weights.fold(0.0, f64::max)
    };
    let (svg, png) = (weight(AcceptsImage::Svg), weight(AcceptsImage::Png));
    let best = if png > svg { AcceptsImage::Png } else { AcceptsImage::Svg };
    let expected = (ranges.is_empty() || svg > 0.0 || png > 0.0).then_some(best);
    let expected = if ranges.is_empty() { Some(AcceptsImage::Svg) } else { expected };
    assert_eq!(accept_image::choose(&headers), expected, "images");
}

/// Lines of `Content-Type`, and those of `Content-Encoding` with a `!` before them. A body is taken only if every line
/// says the same, and that is JSON in UTF-8.
pub(crate) fn content_type(data: &[u8]) {
    let Some(headers) = headers(data, type_or_coding) else { return };
    let text =
        |value: &HeaderValue| -> String { value.as_bytes().iter().map(|byte| char::from(*byte)).collect() };
    let is_plain =
        headers.get_all(CONTENT_ENCODING).iter().all(|coding| text(coding).eq_ignore_ascii_case("identity"));
    let mut types: Vec<String> = headers.get_all(CONTENT_TYPE).iter().map(text).collect();
    types.dedup();
    for has_body in [false, true] {
        let expected = is_plain
            && match types.as_slice() {
                [] => !has_body,
                [only] => is_json(only),
                _ => false,
            };
        assert_eq!(check_content_type(&headers, has_body).is_ok(), expected, "{types:?}");
    }
}

fn type_or_coding(line: &[u8]) -> (HeaderName, &[u8]) {
    match line {
        [b'!', coding @ ..] => (CONTENT_ENCODING, coding),
        _ => (CONTENT_TYPE, line),
    }
}

fn is_json(content_type: &str) -> bool {
    let plain = |text: &str| text.trim_matches([' ', '\t']).to_ascii_lowercase();
    let mut parts = content_type.split(';');
    let kind = plain(parts.next().unwrap_or_default());
    let is_utf8 = |parameter: &str| match parameter.split_once('=') {
        Some((name, value)) if plain(name) == "charset" => ["utf-8", "\"utf-8\""].contains(&&*plain(value)),
        Some(_) => true,
        // A charset without a value is none that we know.
        None => plain(parameter) != "charset",
    };
    ["application/json", "application/vnd.api+json"].contains(&&*kind) && parts.all(is_utf8)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::openapi;

    #[test]
    fn every_operation_that_reads_a_body_is_fuzzed() {
        let document: Value = serde_json::from_str(&openapi::document().unwrap()).unwrap();
        let paths = document["paths"].as_object().unwrap().values();
        let operations = paths.flat_map(|path| path.as_object().unwrap().values());
        let with_body = operations.filter(|operation| operation["requestBody"].is_object());
        let mut ids: Vec<_> = with_body.map(|operation| operation["operationId"].as_str().unwrap()).collect();
        ids.sort_unstable();
        let mut fuzzed = OPERATIONS.map(|operation| operation.id);
        fuzzed.sort_unstable();
        assert_eq!(ids, fuzzed);
        assert!(SCHEMAS.iter().all(schema::is_understood));
    }
}
