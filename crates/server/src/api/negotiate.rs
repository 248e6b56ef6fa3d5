//! Which media types go in and out (contract, section 1). It must look at headers alone: what is refused here
//! has consumed nothing.

use super::error::{ApiError, ErrorCode, Fault, Source};
use axum::extract::FromRequestParts;
use axum::http::header::{ACCEPT, CONTENT_ENCODING, CONTENT_TYPE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue};

/// The client takes what a plain JSON operation answers.
pub struct AcceptsJson;

/// The client takes what a JSON:API operation answers.
pub struct AcceptsJsonApi;

impl<S: Sync> FromRequestParts<S> for AcceptsJson {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        if accepts(&parts.headers, Parameters::Ignored) { Ok(Self) } else { Err(not_acceptable()) }
    }
}

impl<S: Sync> FromRequestParts<S> for AcceptsJsonApi {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        if accepts(&parts.headers, Parameters::OfJsonApi) { Ok(Self) } else { Err(not_acceptable()) }
    }
}

pub(super) fn not_acceptable() -> ApiError {
    Fault::new(ErrorCode::NotAcceptable).source(Source::Header("Accept")).into()
}

/// What parameters on a range for JSON:API mean.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Parameters {
    Ignored,
    /// JSON:API 1.1, server responsibilities: with parameters that the media type does not have, a range matches
    /// nothing. A charset of UTF-8 changes nothing and is sent by clients that copy their Content-Type.
    OfJsonApi,
}

pub(super) fn accepts(headers: &HeaderMap, parameters: Parameters) -> bool {
    let mut lines = headers.get_all(ACCEPT).iter().peekable();
    let mut is_empty = true;
    for line in &mut lines {
        // What clients really send, before anything is taken apart.
        if matches!(line.as_bytes(), b"application/json" | b"application/vnd.api+json" | b"*/*") {
            return true;
        }
        for range in line.as_bytes().split(|byte| *byte == b',').map(<[u8]>::trim_ascii) {
            if !range.is_empty() {
                is_empty = false;
                if matches(range, parameters) {
                    return true;
                }
            }
        }
    }
    is_empty
}

fn matches(range: &[u8], treatment: Parameters) -> bool {
    let mut parts = range.split(|byte| *byte == b';').map(<[u8]>::trim_ascii);
    let media_type = parts.next().unwrap_or_default();
    let is = |name: &str| media_type.eq_ignore_ascii_case(name.as_bytes());
    let is_json_api = is("application/vnd.api+json");
    if !(is_json_api || is("*/*") || is("application/*") || is("application/json")) {
        return false;
    }
    parts.all(|parameter| {
        let (name, value) = split_parameter(parameter);
        if name.eq_ignore_ascii_case(b"q") {
            return weight(value).is_some_and(|weight| weight > 0);
        }
        treatment == Parameters::Ignored || !is_json_api || is_of_json_api(name, value)
    })
}

fn is_of_json_api(name: &[u8], value: &[u8]) -> bool {
    let is_utf8 = name.eq_ignore_ascii_case(b"charset") && unquoted(value).eq_ignore_ascii_case(b"utf-8");
    name.is_empty() || is_utf8 || name.eq_ignore_ascii_case(b"profile")
}

/// RFC 9110 section 12.4.2, in thousandths. A weight that is none makes the range match nothing.
pub(super) fn weight(text: &[u8]) -> Option<u16> {
    let (whole, rest) = text.split_first()?;
    let decimals = match rest {
        [] => rest,
        [b'.', decimals @ ..] if decimals.len() <= 3 => decimals,
        _ => return None,
    };
    let whole = match whole {
        b'0' => 0,
        b'1' => 1_000,
        _ => return None,
    };
    let mut place = 1_000;
    let mut thousandths = whole;
    for digit in decimals {
        place /= 10;
        thousandths += u16::from(digit.is_ascii_digit().then(|| digit - b'0')?) * place;
    }
    (thousandths <= 1_000).then_some(thousandths)
}

pub(super) fn split_parameter(parameter: &[u8]) -> (&[u8], &[u8]) {
    let end = parameter.iter().position(|byte| *byte == b'=').unwrap_or(parameter.len());
    let (name, value) = parameter.split_at(end);
    (name.trim_ascii_end(), value.get(1..).unwrap_or_default().trim_ascii_start())
}

fn unquoted(value: &[u8]) -> &[u8] {
    value.strip_prefix(b"\"").and_then(|value| value.strip_suffix(b"\"")).unwrap_or(value)
}

/// 415 unless the body is JSON as it stands: no coding, no other charset, no two opinions about its type.
pub(super) fn check_content_type(headers: &HeaderMap, has_body: bool) -> Result<(), ApiError> {
    let mut codings = headers.get_all(CONTENT_ENCODING).iter();
    if codings.any(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"identity")) {
        return Err(unsupported("Content-Encoding", "A body is taken without a content coding only."));
    }
    let mut types = headers.get_all(CONTENT_TYPE).iter();
    let Some(first) = types.next() else {
        return if has_body {
            Err(unsupported("Content-Type", "The body has no Content-Type."))
        } else {
            Ok(())
        };
    };
    if types.any(|other| other != first) {
        return Err(unsupported("Content-Type", "There is more than one Content-Type."));
    }
    if is_json(first) { Ok(()) } else { Err(unsupported("Content-Type", "The body must be JSON in UTF-8.")) }
}

fn unsupported(header: &'static str, detail: &'static str) -> ApiError {
    Fault::new(ErrorCode::UnsupportedMediaType).source(Source::Header(header)).detail(detail).into()
}

fn is_json(content_type: &HeaderValue) -> bool {
    if matches!(content_type.as_bytes(), b"application/json" | b"application/vnd.api+json") {
        return true;
    }
    let mut parts = content_type.as_bytes().split(|byte| *byte == b';').map(<[u8]>::trim_ascii);
    let media_type = parts.next().unwrap_or_default();
    let is_json = media_type.eq_ignore_ascii_case(b"application/json")
        || media_type.eq_ignore_ascii_case(b"application/vnd.api+json");
    is_json
        && parts.all(|parameter| {
            let (name, value) = split_parameter(parameter);
            !name.eq_ignore_ascii_case(b"charset") || unquoted(value).eq_ignore_ascii_case(b"utf-8")
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderName;

    fn headers(name: &HeaderName, lines: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(name, line.parse().unwrap());
        }
        headers
    }

    #[test]
    fn an_accept_header_that_admits_json_is_accepted() {
        let long = format!("text/html;a={}, application/json", "x".repeat(8000));
        for lines in [
            &[][..],
            &[""],
            &[" , "],
            &["*/*"],
            &["application/*"],
            &["application/json"],
            &["APPLICATION/JSON"],
            &["application/vnd.api+json"],
            &["application/json;q=0, */*;q=0.1"],
            &["text/html, application/json;q=0.001"],
            &["text/html", "application/json"],
            &["application/json; charset=utf-8"],
            &["application/vnd.api+json; charset=\"UTF-8\""],
            &["application/json;q=1.000"],
            &[&long],
        ] {
            for treatment in [Parameters::Ignored, Parameters::OfJsonApi] {
                assert!(accepts(&headers(&ACCEPT, lines), treatment), "{lines:?}");
            }
        }
    }

    #[test]
    fn an_accept_header_that_admits_no_json_is_refused() {
        let long = "x".repeat(8192);
        for line in [
            "text/html",
            "*/*;q=0",
            "application/json;q=0",
            "application/json;q=0.000, */*;Q=0",
            "application/json;q=abc",
            "application/json;q=1.5",
            "application/json;q=",
            "application/json;q=0.0001",
            ";;",
            "json",
            "*/json",
            &long,
        ] {
            assert!(!accepts(&headers(&ACCEPT, &[line]), Parameters::Ignored), "{line:?}");
        }
    }

    #[test]
    fn a_json_api_range_with_foreign_parameters_matches_on_plain_operations_only() {
        let headers = headers(&ACCEPT, &["application/vnd.api+json; version=1"]);
        assert!(accepts(&headers, Parameters::Ignored));
        assert!(!accepts(&headers, Parameters::OfJsonApi));
    }

    #[test]
    fn json_in_utf_8_is_taken_however_it_is_spelled() {
        for lines in [
            &["application/json"][..],
            &["APPLICATION/JSON"],
            &["Application/Json; Charset=UTF-8"],
            &["application/vnd.api+json; charset=utf-8"],
            &["application/json;charset=\"utf-8\""],
            &["application/json; version=1"],
            &["application/json;"],
            &["application/json", "application/json"],
        ] {
            assert!(check_content_type(&headers(&CONTENT_TYPE, lines), true).is_ok(), "{lines:?}");
        }
        assert!(check_content_type(&HeaderMap::new(), false).is_ok(), "no body, no type");
    }

    #[test]
    fn what_is_not_clearly_json_in_utf_8_is_unsupported() {
        for lines in [
            &[][..],
            &[""],
            &["json"],
            &["text/plain"],
            &["multipart/form-data; boundary=x"],
            &["application/x-www-form-urlencoded"],
            &["application/json; charset=utf-16"],
            &["application/json; charset=iso-8859-1"],
            &["application/json; charset=utf-8; charset=utf-16"],
            &["application/json", "application/vnd.api+json"],
            &["application/json, text/plain"],
        ] {
            assert!(check_content_type(&headers(&CONTENT_TYPE, lines), true).is_err(), "{lines:?}");
        }
        assert!(check_content_type(&headers(&CONTENT_TYPE, &["text/plain"]), false).is_err());
    }

    #[test]
    fn a_compressed_body_is_unsupported_and_identity_is_not() {
        for (coding, is_taken) in
            [("identity", true), ("Identity", true), ("gzip", false), ("br", false), ("gzip, gzip", false)]
        {
            let mut headers = headers(&CONTENT_TYPE, &["application/json"]);
            headers.append(CONTENT_ENCODING, coding.parse().unwrap());
            assert_eq!(check_content_type(&headers, true).is_ok(), is_taken, "{coding}");
        }
    }
}
