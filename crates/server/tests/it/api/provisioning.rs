//! `PUT` an account: what is made, what a replacement keeps, and what is refused, with its place and without its value.

use super::OTHER_SECRET;
use crate::harness::back_office::ALICE;
use crate::harness::clock::NOW;
use crate::harness::service::{SECRET, Service};
use insta::assert_snapshot;
use serde_json::{Value, json};
use std::sync::Arc;
use tokio::task::JoinSet;

fn device(secret: &str) -> Value {
    json!({ "deviceTotps": [{ "secret": secret }] })
}

#[tokio::test]
async fn a_provisioned_account_verifies_on_the_public_listener() {
    let service = Service::start_administered().await;
    let record = json!({
        "issuer": "main", "id": "alice", "email": "a@example.com", "registeredAt": "2026-11-01T10:00:00Z",
        "pin": "8299", "password": null, "authenticators": null,
        "deviceTotps": [{ "id": "738e379f-fe30-45ab-819c-ba88804b6368", "secret": SECRET, "label": "phone" }],
    });
    let made = service.administer(&format!("PUT {ALICE}"), &record).await;
    assert_eq!(made.status, 201);
    assert_snapshot!(format!("{:#}", made.json()));
    assert_eq!(made.json(), service.shown("alice").await);
    assert_eq!(service.verify("alice", &service.code(0)).await, 204);
    assert_eq!(service.create("alice", json!({ "pin": "8299" })).await.status, 201);
    assert_eq!(service.create("alice", json!({ "pin": "8298" })).await.status, 404);
}

#[tokio::test]
async fn a_pin_that_died_of_guesses_lives_again_only_if_another_one_is_put() {
    let service = Service::start_administered().await;
    service.put("alice", &json!({ "pin": "8299" })).await;
    for _ in 0..5 {
        assert_eq!(service.create("alice", json!({ "pin": "8298" })).await.status, 404);
    }
    service.clock.advance(3_600);
    for (pin, state, status) in [("8299", "dead", 404), ("8035", "set", 201)] {
        let put = service.administer(&format!("PUT {ALICE}"), &json!({ "pin": pin })).await;
        assert_eq!((put.status, &put.json()["pin"]), (200, &state.into()));
        assert_eq!(service.create("alice", json!({ "pin": pin })).await.status, status, "{pin}");
    }
}

#[tokio::test]
async fn a_replacement_keeps_last_steps_and_waits_of_unchanged_secrets() {
    let service = Service::start_administered().await;
    assert_eq!(service.put("alice", &device(SECRET)).await, 201);
    let used = service.code(0);
    assert_eq!(service.verify("alice", &used).await, 204);
    for number in 0..5 {
        service.verify("alice", &service.wrong_code(number)).await;
    }
    service.told_code().await;
    let both = json!({ "deviceTotps": [{ "secret": SECRET }, { "secret": OTHER_SECRET }] });
    let replaced = service.administer(&format!("PUT {ALICE}"), &both).await;
    assert_eq!(replaced.status, 200);
    let account = replaced.json();
    assert_eq!(account["failures"]["otp"], json!({ "count": 5, "waitSeconds": 30 }));
    assert_eq!(account["codes"], json!([]), "a code is no secret of the record");
    assert!(
        account["deviceTotps"][0]["lastUsedAt"].is_string()
            && account["deviceTotps"][1]["lastUsedAt"].is_null()
    );
    assert_eq!(account, service.shown("alice").await);
    assert_eq!(service.verify("alice", &service.code_of(OTHER_SECRET, 0)).await, 404, "the wait is still on");
    service.clock.advance(30);
    assert_eq!(service.verify("alice", &used).await, 404, "its step is spent");
    assert_eq!(service.verify("alice", &service.code_of(OTHER_SECRET, 0)).await, 204);
    assert_eq!(service.verify("alice", &service.code(0)).await, 204);
}

#[tokio::test]
async fn an_account_that_is_erased_and_made_again_knows_its_last_step_only_if_it_is_told() {
    let service = Service::start_administered().await;
    service.put("alice", &device(SECRET)).await;
    let (used, step) = (service.code(0), NOW / 30);
    let told = service.told_code().await;
    assert_eq!(service.verify("alice", &used).await, 204);
    let told_again = json!({ "deviceTotps": [{ "secret": SECRET, "lastStep": step }] });
    for (record, status) in [(told_again, 404), (device(SECRET), 204)] {
        assert_eq!(service.administer(&format!("DELETE {ALICE}"), &Value::Null).await.status, 204);
        assert_eq!(service.put("alice", &record).await, 201);
        assert_eq!(service.verify("alice", &used).await, status, "{record}");
        assert_eq!(service.verify_as("alice", &told, &["login"]).await, 404, "its code went with it");
    }
}

#[tokio::test]
async fn of_many_that_make_one_account_at_once_one_makes_it_and_the_others_replace_it() {
    let service = Service::start_administered().await;
    let service = Arc::new(service);
    let mut puts = JoinSet::new();
    for number in 0..16 {
        let service = Arc::clone(&service);
        let record = json!({ "email": format!("{number}@example.com") });
        puts.spawn(async move { service.put("alice", &record).await });
    }
    let mut statuses = puts.join_all().await;
    statuses.sort_unstable();
    assert_eq!(statuses, [vec![200; 15], vec![201]].concat());
}

#[tokio::test]
async fn a_short_secret_is_taken_with_a_warning() {
    let service = Service::start_administered().await;
    let made = service.administer(&format!("PUT {ALICE}"), &device("GEZDGNBVGY3TQOJQ")).await;
    let warning = "deviceTotps[0]: a secret of 10 bytes is short, 16 or more are recommended";
    assert_eq!((made.status, &made.json()["warnings"]), (201, &json!([warning])));
}

/// What must not come back, whatever is wrong with it.
const CANARY: &str = "canary-7f3a";

#[tokio::test]
async fn all_faults_of_a_record_are_told_at_once_with_their_places() {
    let service = Service::start_administered().await;
    let values = json!({
        "issuer": "other", "id": CANARY, "email": CANARY, "registeredAt": CANARY, "pin": "9012",
        "password": CANARY, "passwordHash": CANARY,
        "deviceTotps": [
            { "id": CANARY, "secret": CANARY, "algorithm": CANARY, "digits": 5, "period": 7, "createdAt": CANARY },
            { "secret": SECRET, "lastStep": 1_800_000_000_u64, "label": CANARY.repeat(9) },
            {},
        ],
        "authenticators": [{ "uri": format!("otpauth://hotp/{CANARY}"), "createdAt": CANARY }],
    });
    let refused = service.administer(&format!("PUT {ALICE}"), &values).await;
    assert_eq!(refused.status, 422);
    assert!(!refused.whole().contains(CANARY), "{}", refused.whole());
    assert_snapshot!(refused.sources().join("\n"));
    let shape = json!({
        "email": 7, "pin": 8299, "deviceTotps": [7, { "secret": 1, "digits": "6", "lastStep": -1, "period": 30.5 }],
        "authenticators": { "a": CANARY }, "deviceTotp": CANARY, "a/b~c": [CANARY],
    });
    let refused = service.administer(&format!("PUT {ALICE}"), &shape).await;
    assert_eq!(refused.status, 422);
    assert!(!refused.whole().contains(CANARY), "{}", refused.whole());
    assert_snapshot!(refused.whole());
    assert_eq!(
        service.administer(&format!("GET {ALICE}"), &Value::Null).await.status,
        404,
        "nothing was made"
    );
}

#[tokio::test]
async fn what_is_no_json_object_or_has_a_member_twice_is_refused() {
    let service = Service::start_administered().await;
    let nested = format!("{}{}", "[".repeat(5_000), "]".repeat(5_000));
    for (body, code, source) in [
        (&b""[..], "malformed-json", ""),
        (b"{", "malformed-json", ""),
        (b"\xef\xbb\xbf{}", "malformed-json", ""),
        (b"{\"email\":\"\xff\"}", "malformed-json", ""),
        (b"{} {}", "malformed-json", ""),
        (nested.as_bytes(), "malformed-json", ""),
        (br#"{"pin":"8299","pin":"8299"}"#, "malformed-json", "/pin"),
        (br#"{"pin":"8299","\u0070in":"8299"}"#, "malformed-json", "/pin"),
        (br#"{"deviceTotps":[{"label":null,"label":null}]}"#, "malformed-json", "/deviceTotps/0/label"),
        (b"[]", "invalid-value", ""),
        (b"null", "invalid-value", ""),
        (br#"["main","alice"]"#, "invalid-value", ""),
    ] {
        let refused = service.administer_with(&format!("PUT {ALICE}"), body).await;
        let error = refused.error();
        let text = String::from_utf8_lossy(&body[..body.len().min(80)]);
        assert_eq!((refused.status, error["code"].as_str()), (422, Some(code)), "{text}");
        assert_eq!(error["source"]["pointer"].as_str().unwrap_or_default(), source, "{text}");
    }
    let large = format!("{{\"email\":\"{}\"}}", "x".repeat(17_000));
    assert_eq!(service.administer_with(&format!("PUT {ALICE}"), large).await.status, 413);
}
