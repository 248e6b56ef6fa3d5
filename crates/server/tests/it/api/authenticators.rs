//! `POST /user/authenticators` and what else there is about authenticator apps, but for the QR code and what documents look like.

use super::devices::device_request;
use super::{OTHER_SECRET, right_proofs, with_everything};
use crate::harness::service::{SECRET, Service};
use crate::http::client::Answer;
use data_encoding::BASE32_NOPAD;
use einmal_core::otp::Parameters;
use insta::assert_snapshot;
use serde_json::{Value, json};

pub(crate) const AUTHENTICATORS: &str = "/user/2025-1/user/authenticators";
pub(super) const NOBODYS: &str = "738e379f-fe30-45ab-819c-ba88804b6368";

/// One that has been shown to its user.
pub(crate) struct Begun {
    pub(crate) id: String,
    pub(crate) secret: String,
    pub(crate) uri: String,
}

pub(crate) fn document(attributes: &Value) -> Value {
    json!({ "data": { "type": "authenticator", "attributes": attributes } })
}

impl Service {
    pub(crate) fn authenticator_request(
        &self,
        subject: &str,
        method: &str,
        path: &str,
        body: &Value,
    ) -> Vec<u8> {
        let line = format!("{method} {AUTHENTICATORS}{path}");
        device_request(&line, &self.token(subject), &body.to_string())
    }

    pub(super) async fn authenticators(
        &self,
        subject: &str,
        method: &str,
        path: &str,
        body: &Value,
    ) -> Answer {
        self.send(self.authenticator_request(subject, method, path, body)).await
    }

    pub(super) async fn post_authenticator(&self, subject: &str, attributes: &Value) -> Answer {
        self.authenticators(subject, "POST", "", &document(attributes)).await
    }

    /// Against the PIN 8299.
    pub(crate) async fn begin(&self, subject: &str) -> Begun {
        self.post_authenticator(subject, &json!({ "pin": "8299" })).await.begun()
    }

    pub(crate) async fn confirm(&self, subject: &str, id: &str, otp: &str) -> Answer {
        self.authenticators(subject, "POST", &format!("/{id}/confirm"), &json!({ "otp": otp })).await
    }

    pub(crate) async fn listed_authenticators(&self, subject: &str) -> Vec<Value> {
        let answer = self.authenticators(subject, "GET", "", &json!({})).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.document()["data"].as_array().unwrap().clone()
    }

    /// With the right secret, and with no type but that of authenticator apps.
    async fn verify_app(&self, subject: &str, secret: &str, offset: i64) -> u16 {
        self.verify_as(subject, &self.code_of(secret, offset), &["totp"]).await
    }

    /// Codes that are wrong for this secret, too, at any time near now and in whatever way it is used.
    fn wrong_codes(&self, secret: &str, count: usize) -> Vec<String> {
        let near: Vec<_> = Parameters::of_apps()
            .flat_map(|uses| (-20..=20).map(move |offset| (uses, offset)))
            .map(|(uses, offset)| self.shown_by(secret, uses, offset))
            .collect();
        (0..20)
            .map(|number| self.wrong_code(number))
            .filter(|code| !near.contains(code))
            .take(count)
            .collect()
    }
}

impl Answer {
    pub(crate) fn begun(&self) -> Begun {
        assert_eq!(self.status, 201, "{self:?}");
        let data = &self.document()["data"];
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let attributes = &data["attributes"];
        Begun { id: text(&data["id"]), secret: text(&attributes["secret"]), uri: text(&attributes["uri"]) }
    }
}

/// A service with alice, who has PIN, password and address.
pub(super) async fn service() -> Service {
    let service = Service::start().await;
    let record =
        json!({ "id": "alice", "pin": "8299", "password": "correct horse", "email": "alice@example.com" });
    service.provision(&record).await;
    service
}

#[tokio::test]
async fn the_answers_whole() {
    let service = service().await;
    let made = service.post_authenticator("alice", &json!({ "pin": "8299", "label": "My phone" })).await;
    let Begun { id, secret, .. } = made.begun();
    let without_what_differs = |answer: &str| answer.replace(&id, "[uuid]").replace(&secret, "[secret]");
    assert_snapshot!("begun", without_what_differs(&made.whole()));
    let wrong = &service.wrong_codes(&secret, 1)[0];
    assert_snapshot!("unconfirmed", service.confirm("alice", &id, wrong).await.whole());
    let confirmed = service.confirm("alice", &id, &service.code_of(&secret, 0)).await;
    assert_snapshot!("confirmed", confirmed.whole());
    assert_snapshot!("not_pending", service.confirm("alice", &id, wrong).await.whole());
    let label = document(&json!({ "label": "Old phone" }));
    let labelled = service.authenticators("alice", "PATCH", &format!("/{id}"), &label).await;
    assert_snapshot!("labelled", without_what_differs(&labelled.whole()));
    service.begin("alice").await;
    let listed = service.authenticators("alice", "GET", "", &json!({})).await;
    let other = listed.document()["data"][1]["id"].as_str().unwrap().to_owned();
    let listed = without_what_differs(&listed.whole()).replace(&other, "[another uuid]");
    assert_snapshot!("listed", listed);
    let deleted = service.authenticators("alice", "DELETE", &format!("/{id}"), &json!({})).await;
    assert_snapshot!("deleted", deleted.whole());
    assert_snapshot!("unproven", service.post_authenticator("alice", &json!({})).await.whole());
}

#[tokio::test]
async fn any_right_proof_begins_one_and_a_code_is_spent_38() {
    let service = service().await;
    service.insert("bob", with_everything(&service)).await;
    for (subject, proof) in right_proofs(&service) {
        let begun = service.post_authenticator(subject, &proof).await.begun();
        if let Some(otp) = proof["otp"].as_str() {
            assert_eq!(service.post_authenticator(subject, &proof).await.status, 403, "{proof} once more");
            let everywhere = service.verify_as(subject, otp, &["device-totp", "account", "login"]).await;
            assert_eq!(everywhere, 404, "{proof}");
        }
        let confirmed = service.confirm(subject, &begun.id, &service.code_of(&begun.secret, 0)).await;
        assert_eq!(confirmed.status, 204, "{proof}");
        assert_eq!(service.verify_app(subject, &begun.secret, 1).await, 204, "{proof}");
    }
    assert_eq!(service.failures("bob").await, 0);
}

#[tokio::test]
async fn every_proof_that_is_looked_at_counts_as_for_a_device_178() {
    let service = service().await;
    service.provision_device("bob").await;
    let wrong = json!({ "password": "x", "pin": "1235" });
    assert_eq!(service.post_authenticator("alice", &wrong).await.status, 403);
    assert_eq!(service.proof_failures("alice").await, (1, 1));
    let mixed = json!({ "otp": "no code", "password": "x", "pin": "8299" });
    assert_eq!(service.post_authenticator("alice", &mixed).await.status, 201);
    assert_eq!(service.proof_failures("alice").await, (2, 0), "the PIN was right, and the password not");
    let first = json!({ "password": "correct horse", "pin": "1235" });
    assert_eq!(service.post_authenticator("alice", &first).await.status, 201);
    assert_eq!(service.proof_failures("alice").await, (0, 0), "the PIN was not looked at");

    for number in 0..5 {
        let answer = service.post_authenticator("bob", &json!({ "otp": service.wrong_code(number) })).await;
        assert_eq!(answer.told(), (403, None));
    }
    let right = json!({ "otp": service.code(0) });
    assert_eq!(service.post_authenticator("bob", &right).await.told(), (403, Some("30")));
    assert_eq!(service.verify("bob", &service.code(0)).await, 404, "one budget through all doors");
}

#[tokio::test]
async fn a_pending_one_is_good_for_nothing_until_a_code_confirms_it_and_that_code_is_spent() {
    let service = service().await;
    let Begun { id, secret, uri } = service.begin("alice").await;
    assert_eq!(BASE32_NOPAD.decode(secret.as_bytes()).unwrap().len() * 8, 160);
    assert_eq!(
        uri,
        format!(
            "otpauth://totp/einmal:alice%40example.com?secret={secret}&issuer=einmal\
             &algorithm=SHA1&digits=6&period=30"
        )
    );
    let code = service.code_of(&secret, 0);
    let all = ["totp", "device-totp", "account", "login"];
    assert_eq!(service.verify_as("alice", &code, &all).await, 404);
    let pin = json!({ "data": { "type": "pin", "attributes": { "pin": "4378", "otp": code } } });
    assert_eq!(service.send(service.pin_request("alice", &pin)).await.status, 403);
    assert_eq!(service.post_authenticator("alice", &json!({ "otp": code })).await.status, 403);

    let spelled = format!(" {}-{} ", &code[..3], &code[3..]);
    assert_eq!(service.confirm("alice", &id, &spelled).await.status, 204);
    assert_eq!(service.confirm("alice", &id, &code).await.code(), "not-found", "it is live already");
    assert_eq!(service.verify_as("alice", &code, &all).await, 404, "it has confirmed, and is spent");
    assert_eq!(service.verify_app("alice", &secret, -1).await, 404, "as are those before it");
    assert_eq!(service.verify("alice", &service.code_of(&secret, 1)).await, 404, "of another type");
    assert_eq!(service.verify_app("alice", &secret, 1).await, 204);
}

#[tokio::test]
async fn wrong_codes_count_against_the_pending_one_alone_and_the_fifth_kills_it() {
    let service = service().await;
    service.change("alice", |account| account.devices.push(super::credential(SECRET))).await;
    let (killed, other) = (service.begin("alice").await, service.begin("alice").await);
    let wrong = service.wrong_codes(&killed.secret, 5);
    for code in &wrong[..4] {
        assert_eq!(service.confirm("alice", &killed.id, code).await.code(), "proof-invalid");
    }
    for slip in ["12345", "123456789", "abcdef", "-"] {
        let answer = service.confirm("alice", &killed.id, slip).await;
        assert_eq!((answer.status, answer.code().as_str()), (403, "proof-invalid"), "{slip}");
    }
    // A right code of something else is as wrong here, and stays good there.
    assert_eq!(service.confirm("alice", &killed.id, &service.code(0)).await.code(), "proof-invalid");
    let right = service.code_of(&killed.secret, 0);
    assert_eq!(service.confirm("alice", &killed.id, &right).await.code(), "not-found");
    assert_eq!(service.confirm("alice", &killed.id, "12345").await.code(), "not-found");
    assert_eq!(service.listed_authenticators("alice").await.len(), 1);

    assert_eq!((service.failures("alice").await, service.proof_failures("alice").await), (0, (0, 0)));
    assert_eq!(service.verify("alice", &service.code(0)).await, 204);
    service.fail("alice", 5).await;
    let code = service.code_of(&other.secret, 0);
    assert_eq!(service.confirm("alice", &other.id, &code).await.status, 204, "nor does a wait stop it");
}

#[tokio::test]
async fn a_pending_one_dies_after_15_minutes() {
    let service = service().await;
    let (late, later) = (service.begin("alice").await, service.begin("alice").await);
    service.clock.advance(899);
    assert_eq!(service.confirm("alice", &late.id, &service.code_of(&late.secret, 0)).await.status, 204);
    service.clock.advance(1);
    assert_eq!(service.listed_authenticators("alice").await.len(), 1);
    let code = service.code_of(&later.secret, 0);
    for (method, path, body) in [
        ("GET", "/qr", json!({})),
        ("PATCH", "", document(&json!({ "label": "x" }))),
        ("DELETE", "", json!({})),
        ("POST", "/confirm", json!({ "otp": "no code" })),
        ("POST", "/confirm", json!({ "otp": code })),
    ] {
        let answer = service.authenticators("alice", method, &format!("/{}{path}", later.id), &body).await;
        assert_eq!((answer.status, answer.code().as_str()), (404, "not-found"), "{method} {path}");
    }
    assert_eq!(service.look("alice", |account| account.pending_authenticators.len()).await, 0);
}

#[tokio::test]
async fn one_too_many_burns_no_code_and_pending_ones_count_179() {
    let service = Service::start_with("[totp]\nmax_authenticators = 2").await;
    service
        .provision(&json!({
            "id": "alice", "pin": "8299", "authenticators": [{ "secret": OTHER_SECRET }],
            "deviceTotps": [{ "secret": SECRET }],
        }))
        .await;
    let second = service.begin("alice").await;
    for proof in [json!({ "otp": service.code(0) }), json!({ "pin": "1235" }), json!({ "otp": "no code" })] {
        let answer = service.post_authenticator("alice", &proof).await;
        assert_eq!((answer.status, answer.code().as_str()), (422, "limit-reached"), "{proof}");
        assert_eq!(answer.error()["meta"]["limit"], 2);
    }
    assert_eq!((service.proof_failures("alice").await, service.failures("alice").await), ((0, 0), 0));
    let deleted = service.authenticators("alice", "DELETE", &format!("/{}", second.id), &json!({})).await;
    assert_eq!(deleted.status, 204);
    assert_eq!(service.post_authenticator("alice", &json!({ "otp": service.code(0) })).await.status, 201);
    assert_eq!(service.post_authenticator("alice", &json!({ "pin": "8299" })).await.code(), "limit-reached");
    service.clock.advance(900);
    assert_eq!(service.post_authenticator("alice", &json!({ "pin": "8299" })).await.status, 201);

    for _ in 0..5 {
        service.create("alice", json!({ "pin": "1235" })).await;
    }
    let waits = service.post_authenticator("alice", &json!({ "pin": "8299" })).await;
    assert_eq!(waits.told(), (403, Some("30")), "the throttle comes before the limit");
}

#[tokio::test]
async fn codes_of_a_deleted_one_are_good_no_more() {
    let service = service().await;
    let (live, pending) = (service.begin("alice").await, service.begin("alice").await);
    assert_eq!(service.confirm("alice", &live.id, &service.code_of(&live.secret, -1)).await.status, 204);
    for Begun { id, .. } in [&live, &pending] {
        for status in [204, 404] {
            let answer = service.authenticators("alice", "DELETE", &format!("/{id}"), &json!({})).await;
            assert_eq!(answer.status, status);
        }
    }
    assert_eq!(service.verify_app("alice", &live.secret, 0).await, 404);
    let code = service.code_of(&pending.secret, 0);
    assert_eq!(service.confirm("alice", &pending.id, &code).await.status, 404);
    assert!(service.listed_authenticators("alice").await.is_empty());
}
