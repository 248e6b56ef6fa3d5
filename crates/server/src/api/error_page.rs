//! `/docs/errors`, where `links.about` points: one entry for each code, from the table that the answers come
//! from. It must work without a network and without scripts.

use super::error_code::ErrorCode;
use super::router::Route;
use aws_lc_rs::digest::{SHA256, digest};
use axum::body::Bytes;
use axum::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::response::IntoResponse;
use axum::routing::get;
use data_encoding::BASE64;
use std::fmt::Write;

const STYLE: &str = include_str!("error_page.css");

pub(super) fn route() -> Route {
    let page = Bytes::from(page());
    // The one inline style is named by its hash; everything else is forbidden, whatever may get into the page.
    let style = BASE64.encode(digest(&SHA256, STYLE.as_bytes()).as_ref());
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{style}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    );
    Route::plain(
        "/docs/errors",
        get(async move || {
            let headers = [(CONTENT_TYPE, "text/html; charset=utf-8"), (CONTENT_SECURITY_POLICY, &policy)];
            (headers, page).into_response()
        }),
    )
}

fn page() -> String {
    let mut contents = String::new();
    let mut entries = String::new();
    for code in ErrorCode::ALL {
        let (name, status, title) = (code.as_str(), code.status(), Escaped(code.title()));
        let explanation = Escaped(code.explanation());
        let status_code = status.as_u16();
        // Writing to a String cannot fail.
        let _ = writeln!(
            contents,
            "<tr><td>{status_code}</td><td><a href=\"#{name}\"><code>{name}</code></a></td><td>{title}</td></tr>"
        );
        let _ = writeln!(
            entries,
            "<section id=\"{name}\">\n<h2><a href=\"#{name}\"><code>{name}</code></a></h2>\n\
             <p class=\"title\">{title} <span class=\"status\">{status}</span></p>\n<p>{explanation}</p>\n</section>"
        );
    }
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>Errors · einmal</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n\
         <h1>Errors</h1>\n\
         <p>Every error is a <a href=\"https://jsonapi.org/format/1.1/#errors\">JSON:API</a> document. Clients \
         decide by <code>code</code>; <code>id</code> is also in the header <code>Request-Id</code> and in the \
         operator's log.</p>\n\
         <table>\n<thead><tr><th>Status</th><th>Code</th><th>Title</th></tr></thead>\n<tbody>\n{contents}</tbody>\n\
         </table>\n{entries}</main>\n</body>\n</html>\n"
    )
}

/// Text in HTML.
struct Escaped(&'static str);

impl std::fmt::Display for Escaped {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.chars().try_for_each(|character| match character {
            '&' => formatter.write_str("&amp;"),
            '<' => formatter.write_str("&lt;"),
            '>' => formatter.write_str("&gt;"),
            other => formatter.write_char(other),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_code_has_one_entry_with_its_anchor() {
        let page = page();
        for code in ErrorCode::ALL {
            assert_eq!(page.matches(&format!("id=\"{}\"", code.as_str())).count(), 1, "{code:?}");
        }
        let names: HashSet<_> = ErrorCode::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(names.len(), ErrorCode::ALL.len());
    }

    #[test]
    fn the_page_needs_nothing_from_anywhere() {
        let page = page();
        for forbidden in ["<script", "<img", "<link", " src=", " style=", "@import", "url(", " on"] {
            let found =
                page.split('<').any(|tag| format!("<{}", tag.split('>').next().unwrap()).contains(forbidden));
            assert!(!found, "{forbidden}");
        }
        assert!(!STYLE.contains("url(") && !STYLE.contains("@import") && !STYLE.contains('<'));
    }
}
