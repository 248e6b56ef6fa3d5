//! The frame of the pages that this server has itself: no script, one style, nothing from anywhere else.

use aws_lc_rs::digest::{SHA256, digest};
use axum::body::Bytes;
use axum::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use data_encoding::BASE64;
use std::fmt::{self, Write};
use std::sync::LazyLock;

const STYLE: &str = include_str!("page.css");

/// The one inline style is named by its hash; everything else is forbidden, whatever may get into a page.
static POLICY: LazyLock<String> = LazyLock::new(|| {
    let style = BASE64.encode(digest(&SHA256, STYLE.as_bytes()).as_ref());
    format!(
        "default-src 'none'; style-src 'sha256-{style}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
});

/// A whole page. `main` is HTML, with everything in it escaped that needs it.
pub(super) fn page(title: &str, main: &str) -> Bytes {
    let title = Escaped(title);
    Bytes::from(format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{title} · einmal</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n\
         <h1>{title}</h1>\n{main}</main>\n</body>\n</html>\n"
    ))
}

pub(super) fn answer(page: Bytes) -> Response {
    let headers = [(CONTENT_TYPE, "text/html; charset=utf-8"), (CONTENT_SECURITY_POLICY, POLICY.as_str())];
    (headers, page).into_response()
}

/// Text in HTML.
pub(super) struct Escaped<'a>(pub(super) &'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|character| match character {
            '&' => formatter.write_str("&amp;"),
            '<' => formatter.write_str("&lt;"),
            '>' => formatter.write_str("&gt;"),
            '"' => formatter.write_str("&quot;"),
            other => formatter.write_char(other),
        })
    }
}

/// The little of Markdown that descriptions use: `code` between backticks.
pub(super) struct Described<'a>(pub(super) &'a str);

impl fmt::Display for Described<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.split('`').enumerate().try_for_each(|(index, part)| match index % 2 {
            0 => write!(formatter, "{}", Escaped(part)),
            _ => write!(formatter, "<code>{}</code>", Escaped(part)),
        })
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// That a browser which shows this page asks nobody for anything and runs nothing.
    pub(in crate::api) fn assert_needs_nothing(page: &[u8]) {
        let page = std::str::from_utf8(page).unwrap();
        for forbidden in ["<script", "<img", "<link", " src=", " style=", "@import", "url(", " on"] {
            let found =
                page.split('<').any(|tag| format!("<{}", tag.split('>').next().unwrap()).contains(forbidden));
            assert!(!found, "{forbidden}");
        }
        assert!(!STYLE.contains("url(") && !STYLE.contains("@import") && !STYLE.contains('<'));
    }

    #[test]
    fn what_looks_like_html_is_text() {
        let shown = Described("a <b> & \"c\" in `x < y`, then `z`").to_string();
        assert_eq!(shown, "a &lt;b&gt; &amp; &quot;c&quot; in <code>x &lt; y</code>, then <code>z</code>");
    }
}
