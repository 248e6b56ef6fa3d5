//! Files that are made from the code are what the code makes now.

use crate::authorization::{ID, operations};
use crate::harness::program::run;
use crate::harness::service::Service;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

fn document() -> Value {
    let run = run(&["openapi"]);
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""));
    serde_json::from_str(&run.stdout).unwrap()
}

#[test]
fn openapi_json_is_current() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap().join("openapi.json");
    let made = run(&["openapi"]).stdout;
    assert_eq!(run(&["openapi"]).stdout, made, "the same every time");
    assert!(fs::read_to_string(path).unwrap() == made, "run `cargo run -- openapi > openapi.json`");
}

#[tokio::test]
async fn every_operation_is_in_the_document_and_nothing_else() {
    let service = Service::start_administered().await;
    let served: BTreeSet<_> = operations(&service)
        .await
        .iter()
        .filter_map(|operation| {
            let (method, path) = operation.split_once(' ')?;
            // The private listener's are no part of it.
            let path = path.strip_prefix("/user/2025-1")?.replace(ID, "{id}");
            // Whatever answers GET answers HEAD.
            (method != "HEAD").then(|| format!("{method} {path}"))
        })
        .collect();
    let document = document();
    let mut documented = BTreeSet::new();
    let mut ids = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            documented.insert(format!("{} {path}", method.to_uppercase()));
            let id = operation["operationId"].as_str().unwrap();
            assert!(ids.insert(id.to_owned()), "{id} twice");
        }
    }
    assert_eq!(documented, served);
    assert!(ids.contains("VerifyOTP"));
}

#[test]
fn every_operation_has_scope_success_and_refusals() {
    let document = document();
    assert_eq!(document["openapi"], "3.1.0");
    let servers: Vec<_> = document["servers"].as_array().unwrap().iter().map(|one| &one["url"]).collect();
    assert_eq!((servers.len(), servers[0], servers[8]), (9, &json!("/user/2025-1"), &json!("/user/2020-4")));
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let scopes = operation["security"].as_array().unwrap();
            assert!(
                scopes.iter().all(|one| one["bearer"][0].is_string()) && !scopes.is_empty(),
                "{method} {path}"
            );
            assert!(
                operation["summary"].is_string() && operation["description"].is_string(),
                "{method} {path}"
            );
            let responses = operation["responses"].as_object().unwrap();
            assert!(responses.keys().any(|status| status.starts_with('2')), "{method} {path}");
            for status in ["401", "403", "406", "500", "503", "default"] {
                assert!(responses.contains_key(status), "{method} {path}: {status}");
            }
            let in_query = |one: &Value| one["in"] == "query";
            let has_query = operation["parameters"].as_array().is_some_and(|all| all.iter().any(in_query));
            let can_be_wrong = operation["requestBody"].is_object() || has_query;
            assert_eq!(responses.contains_key("422"), can_be_wrong, "{method} {path}");
        }
    }
}

#[test]
fn every_reference_leads_somewhere() {
    fn walk(document: &Value, value: &Value, found: &mut usize) {
        if let Some(reference) = value["$ref"].as_str() {
            let pointer = reference.strip_prefix('#').unwrap();
            assert!(document.pointer(pointer).is_some(), "{reference}");
            *found += 1;
        }
        let below: Vec<&Value> = match value {
            Value::Object(members) => members.values().collect(),
            Value::Array(items) => items.iter().collect(),
            _ => return,
        };
        for value in below {
            walk(document, value, found);
        }
    }
    let document = document();
    let mut found = 0;
    walk(&document, &document, &mut found);
    assert!(found > 5);
}

#[test]
fn verify_otp_is_described_as_it_is() {
    let document = document();
    let operation = &document["paths"]["/user/otp/verify"]["post"];
    assert_eq!(operation["security"], json!([{ "bearer": ["user:otp:verify"] }]));
    let body = &operation["requestBody"];
    assert_eq!(body["required"], true);
    let schema = &body["content"]["application/json"]["schema"];
    assert!(body["description"].as_str().unwrap().contains("application/vnd.api+json"));
    assert_eq!(schema["required"], json!(["otp"]));
    assert_eq!(schema["properties"]["otp"]["maxLength"], 64);
    let types = &schema["properties"]["types"];
    assert_eq!(types["items"]["enum"], json!(["login", "account", "totp", "device-totp"]));
    assert_eq!((&types["maxItems"], &types["default"]), (&json!(16), &json!(["account", "device-totp"])));
    assert_eq!(operation["responses"]["204"].get("content"), None);
    let refused = &operation["responses"]["404"];
    assert_eq!(refused["description"], "`otp-invalid`: Code not valid");
    assert!(refused["headers"]["Retry-After"].is_object() && refused["headers"]["Request-Id"].is_object());
}

#[tokio::test]
async fn the_document_and_the_page_are_served_as_they_are_made() {
    let service = Service::start().await;
    let get = |path: &str| service.client.get(service.url(path)).send();
    let served = get("/openapi.json").await.unwrap();
    assert_eq!(served.headers()["content-type"], "application/json");
    let served: Value = serde_json::from_str(&served.text().await.unwrap()).unwrap();
    assert_eq!(served, document());

    let page = get("/docs").await.unwrap();
    let policy = page.headers()["content-security-policy"].to_str().unwrap().to_owned();
    assert!(
        policy.starts_with("default-src 'none'; style-src 'sha256-") && !policy.contains("unsafe"),
        "{policy}"
    );
    let page = page.text().await.unwrap();
    for item in document()["paths"].as_object().unwrap().values() {
        for operation in item.as_object().unwrap().values() {
            let id = operation["operationId"].as_str().unwrap();
            assert!(page.contains(&format!("<section id=\"{id}\">")), "{id}");
        }
    }
    let links = page.split("href=\"").skip(1).map(|rest| rest.split('"').next().unwrap().to_owned());
    for link in links.filter(|link| link.starts_with('/')).collect::<BTreeSet<_>>() {
        let (path, anchor) = link.split_once('#').unwrap_or((&link, ""));
        let target = get(path).await.unwrap();
        assert_eq!(target.status(), 200, "{link}");
        let is_there = target.text().await.unwrap().contains(&format!("id=\"{anchor}\""));
        assert!(anchor.is_empty() || is_there, "{link}");
    }
}

/// Of JSON Schema only what the document uses of it.
fn fits(document: &Value, schema: &Value, value: &Value) -> bool {
    if let Some(reference) = schema["$ref"].as_str() {
        return fits(document, document.pointer(&reference[1..]).unwrap(), value);
    }
    let kind = match value {
        Value::Object(_) => "object",
        Value::Array(_) => "array",
        Value::String(_) => "string",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "integer",
        Value::Null => "null",
    };
    let has_kind = match &schema["type"] {
        Value::String(one) => one == kind,
        Value::Array(several) => several.contains(&json!(kind)),
        _ => true,
    };
    let is_one_of = schema["enum"].as_array().is_none_or(|all| all.contains(value));
    let is_const = schema.get("const").is_none_or(|only| only == value);
    let required = schema["required"].as_array().into_iter().flatten();
    let is_complete = required.clone().all(|name| value.get(name.as_str().unwrap()).is_some());
    let members = value.as_object().into_iter().flatten();
    // An example with a member that the schema does not have is a misspelling.
    let members_fit = members.clone().all(|(name, value)| {
        schema["properties"].get(name).is_some_and(|schema| fits(document, schema, value))
    });
    let items_fit = value.as_array().into_iter().flatten().all(|item| fits(document, &schema["items"], item));
    has_kind && is_one_of && is_const && is_complete && members_fit && items_fit
}

#[test]
fn everything_that_has_content_has_an_example_that_fits_its_schema() {
    let document = document();
    let mut tried = 0;
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let responses = operation["responses"].as_object().unwrap();
            let all = responses.iter().chain(operation.get("requestBody").map(|body| (method, body)));
            for (what, value) in all {
                for (kind, content) in value["content"].as_object().into_iter().flatten() {
                    // A QR code of an example would be a page of nothing to read.
                    if kind.starts_with("image/") {
                        continue;
                    }
                    let fits = fits(&document, &content["schema"], &content["example"]);
                    assert!(fits, "{method} {path}, {what}: {}", content["example"]);
                    tried += 1;
                }
            }
        }
    }
    assert!(tried > 50, "{tried}");
}

#[tokio::test]
async fn no_example_of_a_request_is_refused_for_how_it_looks() {
    let service = Service::start().await;
    service.provision(&json!({ "id": "alice" })).await;
    for (path, item) in document()["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let scope = operation["security"][0]["bearer"].as_array().unwrap();
            let scope: Vec<_> = scope.iter().map(|one| one.as_str().unwrap()).collect();
            let token = service.token_with("alice", &json!({ "scope": scope.join(" ") }));
            for (kind, content) in operation["requestBody"]["content"].as_object().into_iter().flatten() {
                let url = service.url(&format!("/user/2025-1{}", path.replace("{id}", ID)));
                let request = service.client.request(method.to_uppercase().parse().unwrap(), url);
                let request = request.bearer_auth(&token).header("content-type", kind);
                let answer = request.body(content["example"].to_string()).send().await.unwrap();
                assert!([403, 404].contains(&answer.status().as_u16()), "{method} {path}: {answer:?}");
                let answer: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
                assert_ne!(answer["errors"][0]["code"], "insufficient-scope", "{method} {path}");
            }
        }
    }
}

/// What no operation can be told is still somewhere, and with the headers that come with it.
#[test]
fn every_status_that_any_request_can_get_is_in_every_operation() {
    let document = document();
    assert!(document["components"]["headers"]["Allow"].is_object());
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            for status in ["400", "408", "414", "431"] {
                assert!(operation["responses"][status].is_object(), "{method} {path}: {status}");
            }
            let other = &operation["responses"]["default"];
            assert!(other["description"].as_str().unwrap().contains("`method-not-allowed`"));
            assert!(other["headers"]["Allow"].is_object(), "{method} {path}");
        }
    }
}
