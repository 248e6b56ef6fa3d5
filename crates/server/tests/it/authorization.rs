//! No operation does anything for somebody who may not ask for it. The operations are taken from the router, so
//! that a new one is tried as soon as it exists.

use crate::harness::back_office::ADMIN;
use crate::harness::clock::NOW;
use crate::harness::service::Service;
use crate::harness::wire::{JSON, request};
use crate::http::client::{Answer, Client};
use einmal::api::{admin, router};
use serde_json::{Value, json};
use std::net::SocketAddr;

/// What anybody may read: documents about the API, which know no account.
const PUBLIC: [&str; 3] = ["/docs", "/docs/errors", "/openapi.json"];

/// What stands for the id of a resource.
pub(crate) const ID: &str = "8f14e45f-ceea-467f-a0e6-1b2c3d4e5f60";

/// Each operation as method and path, those on alice's account on the private listener among them. The router itself
/// is asked which methods a path has.
pub(crate) async fn operations(service: &Service) -> Vec<String> {
    let mut operations = Vec::new();
    let mut paths: Vec<_> = router::routes().iter().flat_map(router::Route::paths).collect();
    paths.retain(|path| !PUBLIC.contains(&path.as_str()));
    paths.extend(admin::routes().iter().flat_map(router::Route::paths));
    paths.dedup();
    for path in paths {
        let path = path.replace("/{issuer}/{id}", "/main/alice");
        let path = path.replace("{id}", ID);
        let mut client = Client::connect(listener_of(service, &path)).await;
        let answer = client.request(request(&format!("OPTIONS {path}"), &[], b"")).await;
        assert_eq!(answer.status, 405, "{path}");
        for method in answer.header("allow").unwrap().split(',').map(str::trim) {
            operations.push(format!("{method} {path}"));
        }
    }
    assert!(operations.contains(&"POST /user/2025-1/user/otp/verify".to_owned()), "{operations:?}");
    assert!(operations.contains(&"PUT /admin/accounts/main/alice".to_owned()), "{operations:?}");
    operations
}

fn listener_of(service: &Service, path: &str) -> SocketAddr {
    if path.starts_with("/admin/") { service.running.management_address } else { service.running.address }
}

/// A service where every token of the client `fleet-app` needs a linked identity, with an account of alice's.
async fn service() -> Service {
    let linked = "linked_identity = { claim = \"/links\", provider = \"fleet\", clients = [\"fleet-app\"] }";
    let service = Service::start_with(&format!("{linked}\n{ADMIN}")).await;
    let record = json!({
        "id": "alice", "pin": "8035", "email": "alice@example.com", "registeredAt": "2027-01-15T08:00:00Z",
        "deviceTotps": [{ "secret": crate::harness::service::SECRET }],
    });
    service.provision(&record).await;
    service
}

/// The answer to `operation` with a body that would be good for `VerifyOTP`.
async fn ask(service: &Service, operation: &str, authorization: Option<&str>) -> Answer {
    let body = json!({ "otp": service.code(0), "pin": "8035" }).to_string();
    let line = authorization.map(|token| format!("Authorization: Bearer {token}"));
    let headers: Vec<_> = [JSON].into_iter().chain(line.as_deref()).collect();
    let (method, path) = operation.split_once(' ').unwrap();
    let mut client = Client::connect(listener_of(service, path)).await;
    client.send(request(operation, &headers, body.as_bytes())).await;
    client.answer_to(method).await
}

/// Every operation refuses each of these tokens, and alice's rows stay as they are.
async fn all_refuse(service: &Service, tokens: &[Option<String>], status: u16, code: &str) {
    let before = service.versions("alice").await;
    for operation in operations(service).await {
        for token in tokens {
            let answer = ask(service, &operation, token.as_deref()).await;
            assert_eq!(answer.status, status, "{operation} with {token:?}");
            assert!(answer.header("www-authenticate").is_some_and(|line| line.starts_with("Bearer ")));
            if !operation.starts_with("HEAD") {
                assert_eq!(answer.code(), code, "{operation} with {token:?}");
            }
            assert_eq!(service.versions("alice").await, before, "{operation} with {token:?}");
        }
    }
    assert_eq!(service.verify("alice", &service.code(0)).await, 204, "the code that all had is still good");
}

fn with_claims(service: &Service, changes: &[Value]) -> Vec<Option<String>> {
    changes.iter().map(|changes| Some(service.token_with("alice", changes))).collect()
}

#[tokio::test]
async fn no_operation_is_open_without_a_token() {
    let service = service().await;
    all_refuse(&service, &[None], 401, "token-missing").await;
}

#[tokio::test]
async fn no_operation_takes_a_bad_token() {
    let service = service().await;
    let stranger = crate::harness::issuer::SigningKey::new("EdDSA", Some("key"));
    let good = service.token("alice");
    let (signed, signature) = good.rsplit_once('.').unwrap();
    let mut tokens = with_claims(
        &service,
        &[
            json!({ "aud": "another" }),
            json!({ "iss": "https://another.example.com" }),
            json!({ "nbf": NOW + 60 }),
            json!({ "exp": null }),
            json!({ "typ": "Refresh" }),
            json!({ "cnf": { "jkt": "x" } }),
        ],
    );
    tokens.extend([
        Some("nonsense".to_owned()),
        Some(format!("{signed}.")),
        Some(format!("{signed}.{}", signature.chars().rev().collect::<String>())),
        Some(stranger.token(&service.claims("alice"))),
    ]);
    all_refuse(&service, &tokens, 401, "token-invalid").await;
}

#[tokio::test]
async fn no_operation_takes_an_expired_token() {
    let service = service().await;
    let tokens = with_claims(&service, &[json!({ "exp": NOW - 31 }), json!({ "exp": 1 })]);
    all_refuse(&service, &tokens, 401, "token-expired").await;
}

#[tokio::test]
async fn no_operation_takes_a_token_without_its_scope_71() {
    let service = service().await;
    let scopes =
        ["", "user:otp", "user:otp:verify2", "USER:OTP:VERIFY", "user:otp:verify,user:otp:create", "user:*"];
    let mut changes: Vec<_> = scopes.iter().map(|scope| json!({ "scope": scope })).collect();
    changes.push(json!({ "scope": null }));
    all_refuse(&service, &with_claims(&service, &changes), 403, "insufficient-scope").await;
}

#[tokio::test]
async fn no_operation_goes_on_without_a_linked_identity_that_is_demanded_91() {
    let service = service().await;
    let tokens = with_claims(
        &service,
        &[
            json!({ "azp": "fleet-app" }),
            json!({ "client_id": "fleet-app", "links": [] }),
            json!({ "azp": "fleet-app", "links": { "fleet": null } }),
            json!({ "azp": "fleet-app", "links": ["fleet2"] }),
        ],
    );
    all_refuse(&service, &tokens, 401, "missing-linked-identity").await;
    let linked = service.token_with("alice", &json!({ "azp": "fleet-app", "links": ["fleet"] }));
    service.clock.advance(30);
    let answer =
        service.request_with_token(&linked, &json!({ "otp": service.code(0) })).send().await.unwrap();
    assert_eq!(answer.status(), 204);
}

#[tokio::test]
async fn what_is_public_is_a_document_that_is_the_same_for_everybody() {
    let service = service().await;
    for path in PUBLIC {
        let asked = |request: reqwest::RequestBuilder| async { request.send().await.unwrap() };
        let anybody = asked(service.client.get(service.url(path))).await;
        assert_eq!(anybody.status(), 200);
        let kind = anybody.headers()["content-type"].to_str().unwrap().to_owned();
        assert!(kind.starts_with("text/html") || kind == "application/json", "{path}: {kind}");
        let alice = asked(service.client.get(service.url(path)).bearer_auth(service.token("alice"))).await;
        assert_eq!(anybody.text().await.unwrap(), alice.text().await.unwrap(), "{path}");
    }
}
