//! What is in the documents about authenticator apps: whose they are, what they are called, and what is refused in them.

use super::authenticators::{AUTHENTICATORS, Begun, NOBODYS, document, service};
use super::devices::device_request;
use crate::harness::clock::NOW;
use crate::harness::service::{SECRET, Service};
use crate::harness::wire::{JSON, request};
use einmal_core::otp::OtpauthUri;
use serde_json::{Value, json};

#[tokio::test]
async fn everybody_has_their_own_and_no_secret_is_told_again() {
    let service = Service::start_administered().await;
    for subject in ["alice", "bob"] {
        service.provision(&json!({ "id": subject, "pin": "8299" })).await;
    }
    let (live, pending) = (service.begin("alice").await, service.begin("alice").await);
    let code = service.code_of(&live.secret, 0);
    for subject in ["bob", "nobody"] {
        for (method, path, body) in [
            ("POST", "/confirm", json!({ "otp": code })),
            ("GET", "/qr", json!({})),
            ("PATCH", "", document(&json!({ "label": "mine" }))),
            ("DELETE", "", json!({})),
        ] {
            let path = format!("/{}{path}", live.id);
            let answer = service.authenticators(subject, method, &path, &body).await;
            assert_eq!(
                (answer.status, answer.code().as_str()),
                (404, "not-found"),
                "{subject} {method} {path}"
            );
        }
        assert!(service.listed_authenticators(subject).await.is_empty());
    }
    for id in ["none", NOBODYS, &live.id.to_uppercase().replace('-', "")] {
        assert_eq!(service.confirm("alice", id, &code).await.code(), "not-found");
    }
    assert_eq!(service.confirm("alice", &live.id, &code).await.status, 204);
    let listed = service.listed_authenticators("alice").await;
    let told = |one: &Value| (one["attributes"]["state"].clone(), one["attributes"]["lastUsedAt"].is_null());
    assert_eq!(
        listed.iter().map(told).collect::<Vec<_>>(),
        [("confirmed".into(), false), ("pending".into(), true)]
    );
    let shown = service.shown("alice").await;
    let pending_shown = &shown["pendingAuthenticators"][0];
    assert_eq!((&pending_shown["id"], &pending_shown["failures"]), (&json!(pending.id), &json!(0)));
    let expires = einmal::accounts::rfc_3339(einmal_core::Timestamp::from_seconds(NOW + 900)).unwrap();
    assert_eq!(pending_shown["expiresAt"], expires);
    for text in [json!(listed).to_string(), shown.to_string()] {
        assert!(!text.contains(&live.secret) && !text.contains(&pending.secret), "{text}");
    }
}

#[tokio::test]
async fn the_account_has_the_best_name_that_is_known() {
    let service = service().await;
    service.provision(&json!({ "id": "auth0|7c1b", "pin": "8299" })).await;
    let token = |subject: &str, claims: Value| service.token_with(subject, &claims);
    let verified = json!({ "email": "jörg+car@example.com", "email_verified": true });
    let unverified = json!({ "email": "mallory@example.com", "email_verified": false });
    for (subject, claims, label, account) in [
        ("alice", verified, "My phone", "jörg+car@example.com"),
        ("alice", unverified.clone(), "My phone", "alice@example.com"),
        ("auth0|7c1b", unverified, "100% Bürö & Co: x", "100% Bürö & Co  x"),
        ("auth0|7c1b", json!({ "email": " ", "email_verified": true }), "", "auth0|7c1b"),
    ] {
        let body = document(&json!({ "pin": "8299", "label": label })).to_string();
        let line = format!("POST {AUTHENTICATORS}");
        let begun = service.send(device_request(&line, &token(subject, claims), &body)).await.begun();
        let read = OtpauthUri::parse(&begun.uri).unwrap();
        assert_eq!(
            (read.account.as_str(), read.issuer.as_deref()),
            (account, Some("einmal")),
            "{}",
            begun.uri
        );
        assert!(!begun.uri.contains(['+', ' ', '|']) && !begun.uri.contains("=&"), "{}", begun.uri);
    }
}

#[tokio::test]
async fn the_issuer_and_the_address_of_the_image_are_as_configured_in_the_version_asked() {
    let service = Service::start_with("[totp]\nissuer_label = \"Wärmepumpen & Co\"").await;
    service.provision(&json!({ "id": "alice", "pin": "8299" })).await;
    for version in ["2020-4", "2025-1"] {
        let line = format!("POST {}", AUTHENTICATORS.replace("2025-1", version));
        let body = document(&json!({ "pin": "8299" })).to_string();
        let answer = service.send(device_request(&line, &service.token("alice"), &body)).await;
        let Begun { id, uri, .. } = answer.begun();
        let qr = format!("http://einmal.test/user/{version}/user/authenticators/{id}/qr");
        assert_eq!(answer.document()["data"]["links"]["qr"], qr);
        let label = "W%C3%A4rmepumpen%20%26%20Co";
        assert!(uri.starts_with(&format!("otpauth://totp/{label}:alice?secret=")), "{uri}");
        assert!(uri.contains(&format!("&issuer={label}&")), "{uri}");
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_document_is_told_with_its_place_and_costs_nothing() {
    let service = service().await;
    let at = |pointer: &str| vec![pointer.to_owned()];
    for (name, value) in [
        ("label", json!("ü".repeat(65))),
        ("label", json!("a\nb")),
        ("label", json!("a\u{85}b")),
        ("label", json!(7)),
        ("otp", json!(123_456)),
        ("otp", json!("")),
        ("password", json!(["correct horse"])),
        ("pin", json!({})),
    ] {
        let mut attributes = json!({ "pin": "8299" });
        attributes[name] = value;
        let answer = service.post_authenticator("alice", &attributes).await;
        let place = at(&format!("/data/attributes/{name}"));
        assert_eq!((answer.status, answer.sources()), (422, place), "{attributes}");
    }
    let mut body = document(&json!({ "pin": "8299", "label": "ü".repeat(64), "secret": SECRET }));
    for id in [json!(NOBODYS), json!("mine"), json!(7)] {
        body["data"]["id"] = id;
        let answer = service.authenticators("alice", "POST", "", &body).await;
        assert_eq!((answer.status, answer.sources()), (422, at("/data/id")), "{body}");
    }
    body["data"]["type"] = json!("deviceTOTP");
    let answer = service.authenticators("alice", "POST", "", &body).await;
    assert_eq!(answer.sources(), ["/data/type", "/data/id"]);
    body["data"]["type"] = json!("authenticator");
    body["data"]["id"] = Value::Null;
    assert_eq!(service.proof_failures("alice").await, (0, 0));
    let begun = service.authenticators("alice", "POST", "", &body).await.begun();
    assert_ne!(begun.secret, SECRET, "it is ours to choose");

    for body in [json!({}), json!({ "otp": "" }), json!({ "otp": "1".repeat(65) }), json!({ "otp": 123_456 })]
    {
        let path = format!("/{}/confirm", begun.id);
        let answer = service.authenticators("alice", "POST", &path, &body).await;
        assert_eq!((answer.status, answer.sources()), (422, at("/otp")), "{body}");
    }
    let path = format!("PATCH {AUTHENTICATORS}/{}", begun.id);
    for label in [Value::Null, json!(7), json!("a\nb")] {
        let body = document(&json!({ "label": label })).to_string();
        let answer = service.send(device_request(&path, &service.token("alice"), &body)).await;
        assert_eq!((answer.status, answer.sources()), (422, at("/data/attributes/label")), "{label}");
    }
}

#[tokio::test]
async fn a_code_is_confirmed_as_json_of_either_kind_and_a_patch_names_a_pending_one() {
    let service = service().await;
    for kind in [JSON, "Content-Type: application/vnd.api+json; charset=utf-8"] {
        let Begun { id, secret, .. } = service.begin("alice").await;
        let label = document(&json!({ "label": "" }));
        let labelled = service.authenticators("alice", "PATCH", &format!("/{id}"), &label).await;
        let attributes = &labelled.document()["data"]["attributes"];
        assert_eq!((&attributes["label"], &attributes["state"]), (&Value::Null, &json!("pending")));
        let line = format!("POST {AUTHENTICATORS}/{id}/confirm");
        let token = format!("Authorization: Bearer {}", service.token("alice"));
        let body = json!({ "otp": service.code_of(&secret, 0) }).to_string();
        let refused =
            service.send(request(&line, &[&token, "Content-Type: text/plain"], body.as_bytes())).await;
        assert_eq!(refused.code(), "unsupported-media-type");
        assert_eq!(
            service.send(request(&line, &[&token, kind], body.as_bytes())).await.status,
            204,
            "{kind}"
        );
    }
}
