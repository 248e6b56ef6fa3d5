//! The OpenAPI document: what the operations say about themselves, and what holds for all of them. Must not describe
//! any of them itself: that is done beside its route.

use super::documentation::{Answer, Documentation};
use super::error_code::ErrorCode;
use super::router::{self, Route, VERSIONS};
use axum::body::Bytes;
use axum::http::header::CONTENT_TYPE;
use axum::routing::get;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::sync::LazyLock;

const JSON: &str = "application/json";
const JSON_API: &str = "application/vnd.api+json";

/// Refusals that every operation has.
const OF_ALL: &[ErrorCode] = &[
    ErrorCode::BadRequest,
    ErrorCode::TokenMissing,
    ErrorCode::TokenInvalid,
    ErrorCode::TokenExpired,
    ErrorCode::MissingLinkedIdentity,
    ErrorCode::InsufficientScope,
    ErrorCode::NotAcceptable,
    ErrorCode::RequestTimeout,
    ErrorCode::UriTooLong,
    ErrorCode::HeadersTooLarge,
    ErrorCode::Internal,
    ErrorCode::Unavailable,
];

/// Refusals that every operation has which takes a body.
const OF_A_BODY: &[ErrorCode] = &[
    ErrorCode::BodyTooLarge,
    ErrorCode::UnsupportedMediaType,
    ErrorCode::MalformedJson,
    ErrorCode::InvalidValue,
    ErrorCode::MissingValue,
];

/// Where clients and their generators find it.
pub(super) fn route() -> Route {
    // Not before it is asked for: it is made of all routes, and this is one of them.
    static DOCUMENT: LazyLock<Bytes> = LazyLock::new(|| document().unwrap_or_default().into());
    Route::plain("/openapi.json", get(async || ([(CONTENT_TYPE, JSON)], DOCUMENT.clone())))
}

/// The document as a text for people, the same every time.
pub fn document() -> Result<String, serde_json::Error> {
    serde_json::to_string_pretty(&build())
}

fn build() -> Value {
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "einmal",
            "version": env!("CARGO_PKG_VERSION"),
            "license": { "name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0" },
            "description": "Verifies one-time passwords. Every answer has the id of its request in the header \
                `Request-Id`; a client may choose it. Every error is a JSON:API document, and clients decide by its \
                `code`.",
        },
        "servers": servers(),
        "paths": paths(),
        "components": {
            "securitySchemes": { "bearer": {
                "type": "http", "scheme": "bearer", "bearerFormat": "JWT",
                "description": "An access token of the user, from an issuer that the operator has configured.",
            } },
            "headers": {
                "Request-Id": header("string", "The id of the request, as in the operator's log"),
                "Allow": header("string", "The methods of the path, with status 405"),
                "Retry-After": header("integer", "Seconds, where waiting helps"),
                "WWW-Authenticate": header("string", "What is wrong with the token (RFC 6750)"),
            },
            "schemas": { "Errors": errors(), "Error": error() },
        },
    })
}

/// The newest first, for that is the one which generated clients take. One for each, with no variable: linters judge
/// what is put together, and a path alone is no URL to them.
fn servers() -> Vec<Value> {
    let server = |version: &&str| json!({ "url": format!("/user/{version}"), "description": "All versions behave alike." });
    VERSIONS.iter().rev().map(server).collect()
}

fn paths() -> BTreeMap<&'static str, Map<String, Value>> {
    let mut paths: BTreeMap<&'static str, Map<String, Value>> = BTreeMap::new();
    for route in router::routes() {
        for describe in route.documentation() {
            let documentation = describe();
            let method = documentation.method.as_str().to_ascii_lowercase();
            paths.entry(route.path()).or_default().insert(method, operation(&documentation));
        }
    }
    paths
}

fn operation(documentation: &Documentation) -> Value {
    let scopes = documentation.scopes.iter().map(|scopes| json!({ "bearer": scopes }));
    let mut operation = json!({
        "operationId": documentation.id,
        "summary": documentation.summary,
        "description": documentation.description,
        "security": scopes.collect::<Vec<_>>(),
        "responses": responses(documentation),
    });
    if let (Some(body), Some(operation)) = (&documentation.body, operation.as_object_mut()) {
        let content = json!({ "schema": body, "example": documentation.example });
        // Generators make two types of what has two media types, and some of them a client that does not compile.
        let also = format!("Taken as `{JSON_API}`, too.");
        let body = json!({ "required": true, "description": also, "content": { JSON: content } });
        operation.insert("requestBody".to_owned(), body);
    }
    if let ([_, ..], Some(operation)) = (documentation.parameters.as_slice(), operation.as_object_mut()) {
        operation.insert("parameters".to_owned(), json!(documentation.parameters));
    }
    operation
}

fn responses(documentation: &Documentation) -> BTreeMap<String, Value> {
    let mut responses = BTreeMap::new();
    for Answer { status, description, content, example, tells_when_to_retry } in &documentation.answers {
        let of = |(media_type, schema): &(&str, Value)| match example {
            Some(example) => ((*media_type).to_owned(), json!({ "schema": schema, "example": example })),
            None => ((*media_type).to_owned(), json!({ "schema": schema })),
        };
        let content: Map<String, Value> = content.iter().map(of).collect();
        let content = (!content.is_empty()).then_some(Value::Object(content));
        let headers: &[&str] =
            if *tells_when_to_retry { &["Request-Id", "Retry-After"] } else { &["Request-Id"] };
        responses.insert(status.as_str().to_owned(), response(description, headers, content));
    }
    for (status, codes) in refusals(documentation) {
        let lines = codes.iter().map(|code| format!("`{}`: {}", code.as_str(), code.title()));
        let mut headers = vec!["Request-Id"];
        headers.extend(codes.iter().any(|code| code.challenges()).then_some("WWW-Authenticate"));
        headers.extend(codes.iter().any(|code| code.tells_when_to_retry()).then_some("Retry-After"));
        let description = lines.collect::<Vec<_>>().join("\n\n");
        let content = codes.first().map(|code| of_errors(*code));
        responses.insert(status.to_owned(), response(&description, &headers, content));
    }
    // No method that is described gets this one; whoever tries another finds it here.
    let other = ErrorCode::MethodNotAllowed;
    let description = format!(
        "Anything else that is refused before the operation is looked at, such as `{}`: {}",
        other.as_str(),
        other.title()
    );
    let content = Some(of_errors(other));
    responses.insert("default".to_owned(), response(&description, &["Request-Id", "Allow"], content));
    responses
}

/// By status, in the order of the table of codes.
pub(super) fn refusals(documentation: &Documentation) -> BTreeMap<&'static str, Vec<ErrorCode>> {
    let of_a_body = if documentation.body.is_some() { OF_A_BODY } else { &[] };
    let has = |code: &&ErrorCode| {
        [OF_ALL, of_a_body, &documentation.refusals].iter().any(|codes| codes.contains(code))
    };
    let mut refusals: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for code in ErrorCode::ALL.iter().filter(has) {
        refusals.entry(code.status_text()).or_default().push(*code);
    }
    refusals
}

fn response(description: &str, headers: &[&str], content: Option<Value>) -> Value {
    let header =
        |name: &&str| ((*name).to_owned(), json!({ "$ref": format!("#/components/headers/{name}") }));
    let headers: Map<String, Value> = headers.iter().map(header).collect();
    match content {
        Some(content) => json!({ "description": description, "headers": headers, "content": content }),
        None => json!({ "description": description, "headers": headers }),
    }
}

fn of_errors(code: ErrorCode) -> Value {
    json!({ JSON_API: { "schema": { "$ref": "#/components/schemas/Errors" }, "example": example(code) } })
}

/// An answer with this error, with nothing in it that depends on the case.
fn example(code: ErrorCode) -> Value {
    json!({ "errors": [{
        "id": "ec7ef21e4cc736e81392601c62fd46a6",
        "links": { "about": format!("https://otp.example.com/docs/errors#{}", code.as_str()) },
        "status": code.status_text(), "code": code.as_str(), "title": code.title(),
    }] })
}

fn header(kind: &str, description: &str) -> Value {
    json!({ "description": description, "schema": { "type": kind } })
}

fn errors() -> Value {
    json!({
        "type": "object",
        "examples": [example(ErrorCode::OtpInvalid)],
        "required": ["errors"],
        "properties": {
            "errors": { "type": "array", "minItems": 1, "items": { "$ref": "#/components/schemas/Error" } },
        },
    })
}

/// As `error` writes it.
fn error() -> Value {
    let codes: Vec<_> = ErrorCode::ALL.iter().map(|code| code.as_str()).collect();
    let text = |description: &str| json!({ "type": "string", "description": description });
    json!({
        "type": "object",
        "required": ["id", "links", "status", "code", "title"],
        "properties": {
            "id": text("The id of the request"),
            "links": {
                "type": "object",
                "required": ["about"],
                "properties": { "about": { "type": "string", "format": "uri", "description": "The page about this code" } },
            },
            "status": { "type": "string", "pattern": "^[45][0-9]{2}$", "description": "The status of the answer" },
            "code": { "type": "string", "enum": codes, "description": "What clients decide by" },
            "title": text("The same for every error of this code"),
            "detail": text("What is expected, in this case"),
            "source": {
                "type": "object",
                "description": "The place in the request, one of these",
                "properties": {
                    "pointer": text("JSON pointer into the body; empty for the whole of it"),
                    "parameter": text("Of the query"),
                    "header": text("Its name"),
                },
            },
            "meta": { "type": "object" },
        },
    })
}
