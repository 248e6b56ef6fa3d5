//! The page's files, which are in the program, and how they are answered: a browser may keep them, and asks each time
//! whether they are still the same, so that a new version is never mixed with an old one for longer than a visit.

use aws_lc_rs::digest::{SHA256, digest};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_NONE_MATCH, REFERRER_POLICY,
    X_FRAME_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use data_encoding::BASE64URL_NOPAD;

pub(super) struct File {
    pub(super) path: &'static str,
    content_type: &'static str,
    text: &'static str,
}

macro_rules! file {
    ($path:literal, $name:literal, $content_type:expr) => {
        File { path: $path, content_type: $content_type, text: include_str!(concat!("assets/", $name)) }
    };
}

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";

pub(super) const PAGE: File = file!("/account", "page.html", HTML);

/// All others. Each is named by the page or by another script, relative to itself, so that a proxy may put all of it
/// below a path.
pub(super) const FILES: &[File] = &[
    file!("/account/page.css", "page.css", CSS),
    file!("/account/icon.svg", "icon.svg", "image/svg+xml"),
    file!("/account/main.js", "main.js", SCRIPT),
    file!("/account/activity.js", "activity.js", SCRIPT),
    file!("/account/api.js", "api.js", SCRIPT),
    file!("/account/clock-check.js", "clock-check.js", SCRIPT),
    file!("/account/dialogs.js", "dialogs.js", SCRIPT),
    file!("/account/elements.js", "elements.js", SCRIPT),
    file!("/account/enrol.js", "enrol.js", SCRIPT),
    file!("/account/faults.js", "faults.js", SCRIPT),
    file!("/account/language.js", "language.js", SCRIPT),
    file!("/account/overview.js", "overview.js", SCRIPT),
    file!("/account/pin.js", "pin.js", SCRIPT),
    file!("/account/pin-rules.js", "pin-rules.js", SCRIPT),
    file!("/account/proof.js", "proof.js", SCRIPT),
    file!("/account/renewal.js", "renewal.js", SCRIPT),
    file!("/account/session.js", "session.js", SCRIPT),
    file!("/account/sign-in.js", "sign-in.js", SCRIPT),
    file!("/account/texts.js", "texts.js", SCRIPT),
];

/// Beside those that every answer has. The opener policy keeps whoever opened the page from a handle on its window.
const HEADERS: [(HeaderName, &str); 6] = [
    (CACHE_CONTROL, "no-cache"),
    (REFERRER_POLICY, "no-referrer"),
    (X_FRAME_OPTIONS, "DENY"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (HeaderName::from_static("permissions-policy"), "camera=(), geolocation=(), microphone=()"),
];

/// A file with its policy, ready to be sent.
#[derive(Clone)]
pub(super) struct Asset {
    text: &'static str,
    tag: String,
    headers: HeaderMap,
}

impl Asset {
    pub(super) fn new(file: &File, policy: &str) -> Self {
        // The policy, too: with the file that a browser has kept it keeps the headers, and may not learn of new ones.
        let hash = digest(&SHA256, [file.text, policy].join("\0").as_bytes());
        let tag = format!("\"{}\"", BASE64URL_NOPAD.encode(hash.as_ref()));
        let mut headers = HeaderMap::new();
        let own =
            [(CONTENT_TYPE, file.content_type), (CONTENT_SECURITY_POLICY, policy), (ETAG, tag.as_str())];
        for (name, value) in HEADERS.into_iter().chain(own) {
            // All of them are visible ASCII: what is written here, hashes, and origins of URLs.
            if let Ok(value) = HeaderValue::try_from(value) {
                headers.insert(name, value);
            }
        }
        Self { text: file.text, tag, headers }
    }

    pub(super) fn answer(&self, request: &HeaderMap) -> Response {
        if self.is_kept(request) {
            return (StatusCode::NOT_MODIFIED, self.headers.clone()).into_response();
        }
        (self.headers.clone(), self.text).into_response()
    }

    /// Whether the client has exactly this (RFC 9110 section 13.1.2).
    fn is_kept(&self, request: &HeaderMap) -> bool {
        let lines = request.get_all(IF_NONE_MATCH).iter().filter_map(|line| line.to_str().ok());
        let mut tags = lines.flat_map(|line| line.split(',')).map(str::trim);
        tags.any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == self.tag)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn every_file_is_served_is_small_and_names_nothing_from_elsewhere() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/page/assets");
        for entry in std::fs::read_dir(folder).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            let is_served = |file: &File| file.path.ends_with(&format!("/{name}"));
            assert!(name == "page.html" || FILES.iter().any(is_served), "{name}");
        }
        for file in FILES.iter().chain([&PAGE]) {
            assert!(file.text.lines().count() <= 350, "{}", file.path);
            let is_elsewhere = file.text.replace("http://www.w3.org/2000/svg", "").contains("://");
            assert!(!is_elsewhere, "{}", file.path);
            for forbidden in
                ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", " style="]
            {
                assert!(!file.text.contains(forbidden), "{}: {forbidden}", file.path);
            }
        }
        assert!(!PAGE.text.contains("<style") && !PAGE.text.contains("<script>"));
    }

    #[test]
    fn a_tag_is_of_the_text_and_the_policy_and_found_in_any_list() {
        let [asset, other] =
            ["default-src 'none'", "default-src 'self'"].map(|policy| Asset::new(&PAGE, policy));
        assert_ne!(asset.tag, other.tag);
        let is_kept = |value: String| {
            asset.is_kept(&HeaderMap::from_iter([(IF_NONE_MATCH, HeaderValue::try_from(value).unwrap())]))
        };
        assert!(is_kept(asset.tag.clone()) && is_kept(format!("W/{}", asset.tag)) && is_kept("*".to_owned()));
        assert!(is_kept(format!("\"x\", {}", asset.tag)));
        assert!(!is_kept(other.tag) && !is_kept("\"\"".to_owned()) && !asset.is_kept(&HeaderMap::new()));
    }
}
