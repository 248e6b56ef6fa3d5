//! `/docs/errors`, where `links.about` points: one entry for each code, from the table that the answers come
//! from. It must work without a network and without scripts.

use super::error_code::ErrorCode;
use super::html::{self, Escaped};
use super::router::Route;
use axum::body::Bytes;
use axum::routing::get;
use std::fmt::Write;

pub(super) fn route() -> Route {
    let page = page();
    Route::plain("/docs/errors", get(async move || html::answer(page)))
}

fn page() -> Bytes {
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
    let main = format!(
        "<p>Every error is a <a href=\"https://jsonapi.org/format/1.1/#errors\">JSON:API</a> document. Clients \
         decide by <code>code</code>; <code>id</code> is also in the header <code>Request-Id</code> and in the \
         operator's log. The operations are on <a href=\"/docs\">their page</a>.</p>\n\
         <table>\n<thead><tr><th>Status</th><th>Code</th><th>Title</th></tr></thead>\n<tbody>\n{contents}</tbody>\n\
         </table>\n{entries}"
    );
    html::page("Errors", &main)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_code_has_one_entry_with_its_anchor() {
        let page = String::from_utf8(page().to_vec()).unwrap();
        for code in ErrorCode::ALL {
            assert_eq!(page.matches(&format!("id=\"{}\"", code.as_str())).count(), 1, "{code:?}");
        }
        let names: HashSet<_> = ErrorCode::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(names.len(), ErrorCode::ALL.len());
    }

    #[test]
    fn the_page_needs_nothing_from_anywhere() {
        html::tests::assert_needs_nothing(&page());
    }
}
