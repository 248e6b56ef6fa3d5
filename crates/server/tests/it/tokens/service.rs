//! What clients of the whole service are told about tokens that their issuer is asked about, and of issuers that are
//! out of reach.

use crate::harness::clock::NOW;
use crate::harness::issuer::{Answer, DISCOVERY, INTROSPECTION, Issuer, SigningKey, with};
use crate::harness::service::Service;
use serde_json::{Value, json};

/// A service with a device of alice's, and who is asked about opaque tokens.
async fn service() -> (Service, Issuer) {
    let asked = Issuer::start(&[]).await;
    let service = Service::start_with(&format!(
        "linked_identity = {{ claim = \"/links\", provider = \"fleet\", clients = [\"fleet-app\"] }}\n\
         introspection = {{ url = \"{}\", client_id = \"einmal\", client_secret = \"geheim\" }}",
        asked.introspection_url()
    ))
    .await;
    service.provision_device("alice").await;
    (service, asked)
}

fn active(changes: &Value) -> Answer {
    let usual = json!({
        "active": true, "sub": "alice", "aud": "einmal", "scope": "user:otp:verify", "client_id": "app",
        "exp": NOW + 300,
    });
    Answer::Json(with(&usual, changes))
}

#[tokio::test]
async fn each_answer_about_an_opaque_token_has_its_status_and_costs_the_account_nothing_91() {
    let (service, asked) = service().await;
    let before = service.versions("alice").await;
    let text = |status, body: &str| Answer::Text { status, body: body.to_owned() };
    let nice = json!({ "active": false, "sub": "alice", "aud": "einmal", "scope": "user:otp:verify" });
    let of_fleet = json!({ "client_id": "fleet-app" });
    for (answer, status, code) in [
        (Answer::Json(nice), 401, "token-invalid"),
        (active(&json!({ "exp": NOW - 30 })), 401, "token-expired"),
        (active(&json!({ "aud": "another" })), 401, "token-invalid"),
        (active(&json!({ "aud": null })), 401, "token-invalid"),
        (active(&json!({ "iss": "https://evil.example" })), 401, "token-invalid"),
        (active(&json!({ "cnf": { "jkt": "x" } })), 401, "token-invalid"),
        (active(&of_fleet), 401, "missing-linked-identity"),
        (active(&json!({ "scope": "user:otp:create" })), 403, "insufficient-scope"),
        (active(&json!({ "active": null })), 503, "unavailable"),
        (active(&json!({ "active": "true" })), 503, "unavailable"),
        (text(500, ""), 503, "unavailable"),
        (text(401, ""), 503, "unavailable"),
        (text(200, "{"), 503, "unavailable"),
        (Answer::HangUp, 503, "unavailable"),
    ] {
        asked.answer(INTROSPECTION, answer);
        let token = format!("opaque-{}", asked.count(INTROSPECTION));
        let request = service.request_with_token(&token, &json!({ "otp": service.code(0) }));
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), status, "{code}");
        assert_eq!(answer.headers().contains_key("www-authenticate"), status != 503);
        assert_eq!(answer.headers().get("retry-after").is_some_and(|wait| wait == "5"), status == 503);
        let body: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
        assert_eq!(body["errors"][0]["code"], code);
        assert_eq!(service.versions("alice").await, before);
    }
    asked.answer(INTROSPECTION, active(&json!({})));
    let verify = async |otp: String| {
        let answer = service.request_with_token("opaque", &json!({ "otp": otp })).send().await.unwrap();
        answer.status().as_u16()
    };
    assert_eq!(verify(service.code(0)).await, 204);
    assert_eq!(verify(service.code(0)).await, 404);
    assert_eq!(service.verify("alice", &service.code(0)).await, 404, "with a JWT it is the same account");
    // Revoked within what is remembered.
    asked.answer(INTROSPECTION, Answer::Json(json!({ "active": false })));
    service.clock.advance(10);
    assert_eq!(verify(service.code(1)).await, 401);
}

#[tokio::test]
async fn one_of_several_issuers_out_of_reach_makes_it_not_ready_and_stops_nobody_else_83() {
    let key = SigningKey::new("EdDSA", Some("key"));
    let other = Issuer::start(&[&key]).await;
    let discovery = json!({ "issuer": other.url(), "jwks_uri": other.keys_url() });
    other.answer(DISCOVERY, Answer::HangUp);
    let service = Service::start_with(&format!(
        "name = \"main\"\n[[issuers]]\nname = \"other\"\nissuer = \"{}\"\naudiences = [\"einmal\"]",
        other.url()
    ))
    .await;
    service.provision_device("alice").await;
    let readiness = async || {
        let answer = service.client.get(service.management_url("/health/readiness")).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    };
    let (status, body) = readiness().await;
    assert!(status == 503 && body.contains("issuers"), "{status} {body}");

    let of_other = key.token(&with(&service.claims("alice"), &json!({ "iss": other.url() })));
    let ask_other = async || {
        let request = service.request_with_token(&of_other, &json!({ "otp": service.code(0) }));
        request.send().await.unwrap()
    };
    let answer = ask_other().await;
    assert_eq!(answer.status(), 503);
    assert_eq!(answer.headers()["retry-after"], "30");

    other.answer(DISCOVERY, Answer::Json(discovery));
    service.clock.advance(30);
    // The same subject of another issuer is another account, which has no device.
    assert_eq!(ask_other().await.status(), 404);
    assert_eq!(service.verify("alice", &service.code(0)).await, 204);
    assert_eq!(readiness().await.0, 200);
}

#[tokio::test]
async fn a_token_that_is_too_long_is_refused_as_a_token_80() {
    let (service, asked) = service().await;
    for (length, status) in [(8_193, 401), (60_000, 401)] {
        let token = "x".repeat(length);
        let answer = service.request_with_token(&token, &json!({ "otp": "1" })).send().await.unwrap();
        assert_eq!(answer.status(), status, "{length}");
    }
    assert_eq!(asked.count(INTROSPECTION), 0);
}
