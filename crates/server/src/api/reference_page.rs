//! `/docs`: every operation for people, from the same descriptions as the OpenAPI document. It must work without a
//! network and without scripts.

use super::documentation::Documentation;
use super::html::{self, Described, Escaped};
use super::openapi;
use super::router::{self, Route, VERSIONS};
use axum::body::Bytes;
use axum::routing::get;
use serde_json::Value;
use std::fmt::Write;
use std::sync::LazyLock;

pub(super) fn route() -> Route {
    // Not before it is asked for: it is made of all routes, and this is one of them.
    static PAGE: LazyLock<Bytes> = LazyLock::new(page);
    Route::plain("/docs", get(async || html::answer(PAGE.clone())))
}

fn page() -> Bytes {
    let version = VERSIONS.last().copied().unwrap_or_default();
    let (mut contents, mut entries) = (String::new(), String::new());
    for route in router::routes() {
        for describe in route.documentation() {
            let operation = describe();
            let (id, summary) = (operation.id, Escaped(operation.summary));
            let path = format!("/user/{version}{}", route.path());
            let request = format!("{} {path}", operation.method);
            // Writing to a String cannot fail.
            let _ = writeln!(
                contents,
                "<tr><td><a href=\"#{id}\">{id}</a></td><td><code>{request}</code></td><td>{summary}</td></tr>"
            );
            let _ = writeln!(
                entries,
                "<section id=\"{id}\">\n<h2><a href=\"#{id}\">{id}</a></h2>\n\
                 <p class=\"title\">{summary} <code>{request}</code></p>\n<p>{}</p>\n{}</section>",
                Described(operation.description),
                details(&operation, &path),
            );
        }
    }
    let known = VERSIONS.join(", ");
    let main = format!(
        "<p>Every operation needs an access token of the user. All versions behave alike: {known}. Errors are on \
         <a href=\"/docs/errors\">their page</a>; for programs all of this is <a href=\"/openapi.json\">an OpenAPI \
         document</a>.</p>\n<table>\n<thead><tr><th>Operation</th><th>Request</th><th></th></tr></thead>\n\
         <tbody>\n{contents}</tbody>\n</table>\n{entries}"
    );
    html::page("Operations", &main)
}

fn details(operation: &Documentation, path: &str) -> String {
    let scopes: Vec<_> = operation.scopes.iter().map(|together| together.join(" and ")).collect();
    let mut text = format!("<p>Scope: <code>{}</code></p>\n", Escaped(&scopes.join(", or ")));
    let mut rows = String::new();
    for parameter in &operation.parameters {
        let place = format!("{} ({})", text_of(parameter, "name"), text_of(parameter, "in"));
        row(
            &mut rows,
            &place,
            parameter.get("schema").unwrap_or(parameter),
            text_of(parameter, "description"),
        );
    }
    if let Some(body) = &operation.body {
        members(&mut rows, "", body);
    }
    // Writing to a String cannot fail.
    if !rows.is_empty() {
        let _ = writeln!(text, "<table>\n<tbody>\n{rows}</tbody>\n</table>");
    }
    let _ = writeln!(text, "<pre>{}</pre>", Escaped(&line(operation, path)));
    text.push_str("<table>\n<tbody>\n");
    for answer in &operation.answers {
        let description = Described(answer.description);
        let example =
            answer.example.as_ref().map(|example| format!("<pre>{}</pre>", Escaped(&format!("{example:#}"))));
        let (status, example) = (answer.status.as_u16(), example.unwrap_or_default());
        let _ = writeln!(text, "<tr><td>{status}</td><td>{description}{example}</td></tr>");
    }
    for (status, codes) in openapi::refusals(operation) {
        let links: Vec<_> = codes
            .iter()
            .map(|code| format!("<a href=\"/docs/errors#{0}\"><code>{0}</code></a>", code.as_str()))
            .collect();
        let _ = writeln!(text, "<tr><td>{status}</td><td>{}</td></tr>", links.join(", "));
    }
    text.push_str("</tbody>\n</table>\n");
    text
}

/// One row for each member that holds a value, with its path.
fn members(rows: &mut String, path: &str, schema: &Value) {
    let Some(properties) = schema.get("properties").and_then(Value::as_object) else { return };
    for (name, member) in properties {
        let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        if member.get("properties").is_some() {
            members(rows, &path, member);
        } else {
            row(rows, &path, member, text_of(member, "description"));
        }
    }
}

fn row(rows: &mut String, path: &str, schema: &Value, description: &str) {
    let kind = match (schema.get("const"), schema.get("type")) {
        (Some(value), _) => value.to_string(),
        (None, Some(Value::String(kind))) => kind.clone(),
        (None, Some(Value::Array(kinds))) => {
            kinds.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" or ")
        }
        _ => String::new(),
    };
    let bounds = ["minLength", "maxLength", "minimum", "maximum", "maxItems", "default", "enum"];
    let bounds = bounds.iter().filter_map(|name| Some(format!("{name} {}", schema.get(name)?)));
    let bounds = bounds.collect::<Vec<_>>().join(", ");
    // Writing to a String cannot fail.
    let _ = writeln!(
        rows,
        "<tr><td><code>{}</code></td><td>{}</td><td>{} <span class=\"status\">{}</span></td></tr>",
        Escaped(path),
        Escaped(&kind),
        Described(description),
        Escaped(&bounds),
    );
}

fn text_of<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// As it is typed into a shell, for whoever has a token in `TOKEN`.
fn line(operation: &Documentation, path: &str) -> String {
    let method = &operation.method;
    let mut line =
        format!("curl -X {method} https://otp.example.com{path} -H \"Authorization: Bearer $TOKEN\"");
    if let Some(example) = &operation.example {
        // Writing to a String cannot fail.
        let _ = write!(line, " \\\n  -H 'Content-Type: application/json' -d '{example}'");
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_is_there_with_its_request_members_and_refusals() {
        let page = page();
        html::tests::assert_needs_nothing(&page);
        let page = String::from_utf8(page.to_vec()).unwrap();
        for route in router::routes() {
            for describe in route.documentation() {
                let operation = describe();
                let entry = page.split(&format!("<section id=\"{}\">", operation.id)).nth(1).unwrap();
                let entry = entry.split("</section>").next().unwrap();
                assert!(entry.contains(&format!("{} /user/2025-1{}", operation.method, route.path())));
                assert!(entry.contains("curl -X") && entry.contains("#insufficient-scope"), "{entry}");
                let shown = entry.contains("<pre>{\n");
                assert_eq!(shown, operation.answers.iter().any(|answer| answer.example.is_some()), "{entry}");
                assert_eq!(entry.contains(" -d &#39;") || entry.contains(" -d '"), operation.body.is_some());
            }
        }
        for member in ["otp", "types", "data.attributes.pin", "timeout (query)", "id (path)"] {
            assert!(page.contains(&format!("<code>{member}</code>")), "{member}");
        }
    }
}
