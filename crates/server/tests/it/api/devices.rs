//! `POST /user/devices/totp` and what else there is about devices.

use super::{right_proofs, with_everything};
use crate::harness::clock::NOW;
use crate::harness::is_long;
use crate::harness::service::{SECRET, Service};
use crate::harness::wire::request;
use crate::http::client::Answer;
use data_encoding::BASE32_NOPAD;
use insta::assert_snapshot;
use serde_json::{Value, json};
use std::collections::HashSet;

const DEVICES: &str = "/user/2025-1/user/devices/totp";
const ID: &str = "738e379f-fe30-45ab-819c-ba88804b6368";
const JSON_API: &str = "Content-Type: application/vnd.api+json";
const AFTER_LOGIN: &str = "user:device-totps:create-after-login";

/// A document with these attributes, and [`ID`].
fn device(attributes: &Value) -> Value {
    json!({ "data": { "type": "deviceTOTP", "id": ID, "attributes": attributes } })
}

pub(crate) fn device_request(line: &str, token: &str, body: &str) -> Vec<u8> {
    let authorization = format!("Authorization: Bearer {token}");
    request(line, &[&authorization, JSON_API], body.as_bytes())
}

impl Service {
    async fn devices(&self, subject: &str, line: &str, body: &Value) -> Answer {
        self.send(device_request(line, &self.token(subject), &body.to_string())).await
    }

    /// With a client's document.
    pub(crate) async fn enrol(&self, subject: &str, document: &Value) -> Answer {
        self.devices(subject, &format!("POST {DEVICES}"), document).await
    }

    async fn enrol_with(&self, token: &str, attributes: &Value) -> Answer {
        let body = device(attributes).to_string();
        self.send(device_request(&format!("POST {DEVICES}"), token, &body)).await
    }

    async fn listed(&self, subject: &str) -> Value {
        let answer = self.devices(subject, &format!("GET {DEVICES}"), &json!({})).await;
        assert_eq!(answer.status, 200);
        answer.document()["data"].clone()
    }
}

impl Answer {
    pub(crate) fn document(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("{self:?}"))
    }

    fn secret(&self) -> String {
        assert_eq!(self.status, 201, "{self:?}");
        self.document()["data"]["attributes"]["secret"].as_str().unwrap().to_owned()
    }
}

/// A service with alice, who has PIN and password.
async fn service() -> Service {
    let service = Service::start().await;
    service.provision(&json!({ "id": "alice", "pin": "8299", "password": "correct horse" })).await;
    service
}

#[tokio::test]
async fn the_answers_whole() {
    let service = service().await;
    let made = service.enrol("alice", &device(&json!({ "pin": "8299" }))).await;
    assert_snapshot!("created", made.whole().replace(&made.secret(), "[secret]"));
    let label = device(&json!({ "label": "Glove box" }));
    let labelled = service.devices("alice", &format!("PATCH {DEVICES}/{ID}"), &label).await;
    assert_snapshot!("labelled", labelled.whole());
    assert_snapshot!("listed", format!("{:#}", service.listed("alice").await));
    let deleted = service.devices("alice", &format!("DELETE {DEVICES}/{ID}"), &json!({})).await;
    assert_snapshot!("deleted", deleted.whole());
    assert_snapshot!("unproven", service.enrol("alice", &device(&json!({}))).await.whole());
}

#[tokio::test]
async fn any_right_proof_enrols_a_device_whose_codes_are_good_and_a_code_is_spent_38() {
    let service = service().await;
    service.insert("bob", with_everything(&service)).await;
    for (subject, proof) in right_proofs(&service) {
        let made = service.enrol(subject, &device(&proof)).await;
        assert_eq!(service.verify(subject, &service.code_of(&made.secret(), 0)).await, 204, "{proof}");
        if proof["otp"].is_string() {
            assert_eq!(service.enrol(subject, &device(&proof)).await.status, 403, "{proof} once more");
        }
    }
    assert_eq!(service.listed("alice").await.as_array().unwrap().len(), 1, "one id is one device");
    assert_eq!(service.failures("bob").await, 0);
}

#[tokio::test]
async fn every_proof_that_is_looked_at_counts_and_one_right_one_is_enough_178() {
    let service = service().await;
    service.provision_device("bob").await;
    let wrong = json!({ "otp": service.wrong_code(0), "password": "x", "pin": "1235" });
    assert_eq!(service.enrol("alice", &device(&wrong)).await.status, 403);
    assert_eq!(service.proof_failures("alice").await, (1, 1));
    assert_eq!(service.failures("alice").await, 0, "she has nothing that a code could be of");

    service.change("alice", |account| account.devices.clear()).await;
    let bobs = json!({ "otp": service.wrong_code(0) });
    assert_eq!(service.enrol("bob", &device(&bobs)).await.status, 403);
    assert_eq!(service.failures("bob").await, 1);

    let mixed = json!({ "otp": "not a code", "password": "x", "pin": "8299" });
    assert_eq!(service.enrol("alice", &device(&mixed)).await.status, 201);
    assert_eq!(service.proof_failures("alice").await, (2, 0), "the password was wrong, the PIN was right");
    let first = json!({ "password": "correct horse", "pin": "1235" });
    assert_eq!(service.enrol("alice", &device(&first)).await.status, 201);
    assert_eq!(service.proof_failures("alice").await, (0, 0), "the PIN was not looked at");
}

#[tokio::test]
async fn a_wrong_code_counts_though_the_password_is_right_178() {
    let service = Service::start().await;
    let record = json!({ "id": "alice", "password": "correct horse", "deviceTotps": [{ "secret": SECRET }] });
    service.provision(&record).await;
    let proof = json!({ "otp": service.wrong_code(0), "password": "correct horse" });
    assert_eq!(service.enrol("alice", &device(&proof)).await.status, 201);
    assert_eq!(service.failures("alice").await, 1);
}

#[tokio::test]
async fn guesses_at_a_pin_have_one_budget_through_all_doors_98() {
    let service = service().await;
    for attempt in 0..5 {
        let answer = if attempt % 2 == 0 {
            service.enrol("alice", &device(&json!({ "pin": "1235" }))).await
        } else {
            service.create("alice", json!({ "pin": "1235" })).await
        };
        assert!(answer.header("retry-after").is_none());
    }
    assert_eq!(service.enrol("alice", &device(&json!({ "pin": "8299" }))).await.told(), (403, Some("30")));
    assert_eq!(service.create("alice", json!({ "pin": "8299" })).await.told(), (404, Some("30")));
    let either = json!({ "pin": "8299", "password": "correct horse" });
    assert_eq!(service.enrol("alice", &device(&either)).await.status, 201, "a throttled kind is skipped");
}

#[tokio::test]
async fn a_secret_is_as_long_as_its_algorithm_wants_and_never_the_same_34() {
    let service = service().await;
    for (algorithm, bits) in [("SHA1", 160), ("SHA256", 256), ("SHA512", 512)] {
        let asked = json!({ "pin": "8299", "algorithm": algorithm, "digits": 8, "period": 60 });
        let made = service.enrol("alice", &device(&asked)).await;
        assert_eq!(BASE32_NOPAD.decode(made.secret().as_bytes()).unwrap().len() * 8, bits);
        let attributes = &made.document()["data"]["attributes"];
        assert_eq!((&attributes["digits"], &attributes["period"]), (&json!(8), &json!(60)));
    }
    let mut secrets = HashSet::new();
    let count = if is_long() { 10_000 } else { 50 };
    for _ in 0..count {
        let secret = service.enrol("alice", &device(&json!({ "pin": "8299" }))).await.secret();
        assert_eq!(BASE32_NOPAD.decode(secret.as_bytes()).unwrap().len(), 20);
        secrets.insert(secret);
    }
    assert_eq!(secrets.len(), count);
}

#[tokio::test]
async fn what_no_authenticator_would_take_is_refused_with_its_place_and_costs_nothing_34() {
    let service = service().await;
    let at = |name: &str| vec![format!("/data/attributes/{name}")];
    for (name, value) in [
        ("algorithm", json!("MD5")),
        ("algorithm", json!("sha1")),
        ("digits", json!(5)),
        ("digits", json!(9)),
        ("digits", json!("6")),
        ("period", json!(0)),
        ("period", json!(-1)),
        ("period", json!(1_000_000_000)),
        ("period", json!(30.5)),
        ("otp", json!(123_456)),
        ("otp", json!("")),
        ("password", json!(["correct horse"])),
        ("pin", json!({})),
    ] {
        let mut attributes = json!({ "pin": "8299" });
        attributes[name] = value;
        let answer = service.enrol("alice", &device(&attributes)).await;
        assert_eq!((answer.status, answer.sources()), (422, at(name)), "{attributes}");
    }
    let mut document = device(&json!({ "pin": "8299" }));
    for id in [json!("1"), json!(""), json!(7), json!("{738e379f-fe30-45ab-819c-ba88804b6368}")] {
        document["data"]["id"] = id;
        let answer = service.enrol("alice", &document).await;
        assert_eq!((answer.status, answer.sources()), (422, vec!["/data/id".to_owned()]), "{document}");
    }
    assert_eq!(service.proof_failures("alice").await, (0, 0));
    document["data"]["id"] = Value::Null;
    let ours = service.enrol("alice", &document).await;
    assert_eq!(ours.status, 201);
    assert_ne!(ours.document()["data"]["id"], ID);
}

#[tokio::test]
async fn one_device_too_many_burns_no_code_and_an_id_that_is_there_is_replaced_179() {
    let service = Service::start_with("[totp]\nmax_devices = 2").await;
    service.provision(&json!({
        "id": "alice", "pin": "8299",
        "deviceTotps": [{ "secret": SECRET, "id": ID, "label": "phone" }, { "secret": super::OTHER_SECRET }],
    })).await;
    let third = |proof: Value| json!({ "data": { "type": "deviceTOTP", "attributes": proof } });
    for proof in [json!({ "otp": service.code(0) }), json!({ "pin": "1235" }), json!({ "otp": "no code" })] {
        let answer = service.enrol("alice", &third(proof)).await;
        assert_eq!(answer.status, 422);
        assert!(String::from_utf8_lossy(&answer.body).contains("limit-reached"));
    }
    assert_eq!((service.proof_failures("alice").await, service.failures("alice").await), ((0, 0), 0));
    let replaced = service.enrol("alice", &device(&json!({ "otp": service.code(0) }))).await;
    assert_eq!(service.verify("alice", &service.code(1)).await, 404, "the earlier secret is gone");
    assert_eq!(service.verify("alice", &service.code_of(&replaced.secret(), 0)).await, 204);
    let listed = service.listed("alice").await;
    assert_eq!((listed.as_array().unwrap().len(), &listed[0]["attributes"]["label"]), (2, &json!("phone")));
}

#[tokio::test]
async fn whoever_has_just_registered_enrols_one_device_without_a_proof() {
    let service = Service::start().await;
    let token = |subject: &str| service.token_with(subject, &json!({ "scope": AFTER_LOGIN }));
    for (subject, ago, status) in
        [("now", 0, 201), ("ahead", -30, 201), ("far", -31, 403), ("late", 300, 201), ("old", 301, 403)]
    {
        service.provision(&json!({ "id": subject, "registeredAt": at(NOW.wrapping_add_signed(-ago)) })).await;
        assert_eq!(service.enrol_with(&token(subject), &json!({})).await.status, status, "{subject}");
        let again = service.enrol_with(&token(subject), &json!({})).await;
        assert_eq!(again.status, 403, "{subject}: there is a secret now");
        assert!(String::from_utf8_lossy(&again.body).contains("insufficient-scope"));
    }
    for (subject, more) in [
        ("pin", json!({ "pin": "8299" })),
        ("password", json!({ "password": "correct horse" })),
        ("authenticator", json!({ "authenticators": [{ "secret": SECRET }] })),
    ] {
        let mut record = json!({ "id": subject, "registeredAt": at(NOW) });
        record.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        service.provision(&record).await;
        for proof in [json!({}), json!({ "pin": "8299" }), json!({ "password": "correct horse" })] {
            let answer = service.enrol_with(&token(subject), &proof).await;
            assert_eq!(answer.status, 403, "{subject} {proof}");
            assert!(answer.header("www-authenticate").unwrap().contains("user:device-totps:create"));
        }
    }
    assert_eq!(service.enrol_with(&token("never seen"), &json!({})).await.status, 403);
    service.provision(&json!({ "id": "scope", "registeredAt": at(NOW) })).await;
    let unproven = service.enrol_with(&service.token("scope"), &json!({})).await;
    assert!(String::from_utf8_lossy(&unproven.body).contains("proof-invalid"), "that scope is not enough");
}

fn at(seconds: u64) -> String {
    einmal::accounts::rfc_3339(einmal_core::Timestamp::from_seconds(seconds)).unwrap()
}

#[tokio::test]
async fn the_token_may_say_when_its_user_registered() {
    let service = Service::start_with("registered_at_claim = \"/registered\"").await;
    let token = |registered: Value| {
        service.token_with("alice", &json!({ "scope": AFTER_LOGIN, "registered": registered }))
    };
    assert_eq!(service.enrol_with(&token(json!(NOW - 301)), &json!({})).await.status, 403);
    assert_eq!(service.enrol_with(&token(json!(at(NOW - 60))), &json!({})).await.status, 201);
    assert_eq!(service.listed("alice").await.as_array().unwrap().len(), 1, "the account came into being");
}

#[tokio::test]
async fn everybody_has_their_own_devices_and_no_secret_is_ever_listed() {
    let service = service().await;
    service.provision_device("bob").await;
    let secret = service.enrol("alice", &device(&json!({ "pin": "8299" }))).await.secret();
    for (line, body) in [
        (format!("PATCH {DEVICES}/{ID}"), device(&json!({ "label": "mine" }))),
        (format!("DELETE {DEVICES}/{ID}"), json!({})),
        (format!("DELETE {DEVICES}/none"), json!({})),
    ] {
        assert_eq!(service.devices("bob", &line, &body).await.status, 404, "{line}");
        assert_eq!(service.devices("nobody", &line, &body).await.status, 404, "{line}");
    }
    for subject in ["alice", "bob"] {
        let listed = service.listed(subject).await.to_string();
        assert!(!listed.contains(&secret) && !listed.contains(SECRET), "{listed}");
    }
    assert_eq!(service.listed("nobody").await, json!([]));
    assert_eq!(service.verify("alice", &service.code_of(&secret, 0)).await, 204);
    assert_eq!(service.listed("alice").await[0]["attributes"]["lastUsedAt"], at(NOW));
    assert_eq!(service.devices("alice", &format!("DELETE {DEVICES}/{ID}"), &json!({})).await.status, 204);
    assert_eq!(service.verify("alice", &service.code_of(&secret, 1)).await, 404);
    assert_eq!(service.devices("alice", &format!("DELETE {DEVICES}/{ID}"), &json!({})).await.status, 404);
}

#[tokio::test]
async fn a_label_has_up_to_64_characters_and_an_empty_one_is_none() {
    let service = service().await;
    service.enrol("alice", &device(&json!({ "pin": "8299" }))).await;
    let line = format!("PATCH {DEVICES}/{ID}");
    for (label, status) in [
        (json!("ü".repeat(64)), 200),
        (json!(""), 200),
        (json!("ü".repeat(65)), 422),
        (json!("a\nb"), 422),
        (json!(7), 422),
        (Value::Null, 422),
    ] {
        let answer = service.devices("alice", &line, &device(&json!({ "label": label }))).await;
        assert_eq!(answer.status, status, "{label}");
        if status == 200 {
            let expected = if label == "" { Value::Null } else { label };
            assert_eq!(answer.document()["data"]["attributes"]["label"], expected);
        }
    }
    let mut other = device(&json!({ "label": "x" }));
    other["data"]["id"] = json!("00000000-0000-4000-8000-000000000000");
    assert_eq!(service.devices("alice", &line, &other).await.sources(), ["/data/id"]);
}
