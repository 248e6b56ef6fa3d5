//! `Idempotency-Key`: a client that lost an answer asks again, is answered the same, and nothing is consumed twice.

use super::{OTHER_SECRET, with_everything};
use crate::harness::service::{SECRET, Service, VERIFY};
use crate::harness::wire::{JSON, request};
use crate::http::client::Answer;
use crate::races::all_at_once;
use insta::assert_snapshot;
use serde_json::{Value, json};
use std::collections::HashSet;

pub(crate) const KEY: &str = "1f0c7a11-9c1e-4c56-8f0b-0d6f1a529c1e";
const OTHER_KEY: &str = "1f0c7a11-9c1e-4c56-8f0b-0d6f1a529c1f";
pub(crate) const PIN: &str = "/user/2025-1/user/pin";
pub(crate) const DEVICES: &str = "/user/2025-1/user/devices/totp";

impl Service {
    fn keyed(&self, method: &str, path: &str, subject: &str, key: &str, body: &Value) -> Vec<u8> {
        keyed(&format!("{method} {path}"), &self.token(subject), key, body)
    }

    async fn send_keyed(&self, line: &str, token: &str, key: &str, body: &Value) -> Answer {
        self.send(keyed(line, token, key, body)).await
    }

    async fn verify_keyed(&self, subject: &str, key: &str, otp: &str) -> Answer {
        let token = self.token(subject);
        self.send_keyed(&format!("POST {VERIFY}"), &token, key, &json!({ "otp": otp })).await
    }

    pub(crate) async fn set_pin_keyed(&self, subject: &str, key: &str, pin: &str, otp: &str) -> Answer {
        let body = json!({ "data": { "type": "pin", "attributes": { "pin": pin, "otp": otp } } });
        self.send_keyed(&format!("PUT {PIN}"), &self.token(subject), key, &body).await
    }

    pub(crate) async fn enrol_keyed(&self, subject: &str, key: &str, attributes: &Value) -> Answer {
        let body = json!({ "data": { "type": "deviceTOTP", "attributes": attributes } });
        self.send_keyed(&format!("POST {DEVICES}"), &self.token(subject), key, &body).await
    }

    async fn devices_of(&self, subject: &str) -> usize {
        self.look(subject, |account| account.devices.len()).await
    }
}

pub(crate) fn keyed(line: &str, token: &str, key: &str, body: &Value) -> Vec<u8> {
    let headers = [format!("Authorization: Bearer {token}"), format!("Idempotency-Key: {key}")];
    let headers = [headers[0].as_str(), headers[1].as_str(), JSON];
    request(line, &headers, body.to_string().as_bytes())
}

fn code_of(answer: &Answer) -> (u16, String) {
    (answer.status, answer.document()["errors"][0]["code"].as_str().unwrap_or_default().to_owned())
}

#[tokio::test]
async fn whoever_lost_the_answer_to_a_right_code_is_answered_the_same_again() {
    let service = Service::start().await;
    service.provision_device("alice").await;
    let first = service.verify_keyed("alice", KEY, &service.code(0)).await;
    let again = service.verify_keyed("alice", KEY, &service.code(0)).await;
    assert_eq!((first.status, again.whole()), (204, first.whole()));
    assert_eq!(service.verify("alice", &service.code(0)).await, 404, "without the key it is a replay");
    assert_eq!(service.verify_keyed("alice", OTHER_KEY, &service.code(0)).await.status, 404);
    assert_eq!(service.failures("alice").await, 0);
}

#[tokio::test]
async fn a_repeat_is_that_of_the_same_account_and_client_within_two_minutes() {
    let service = Service::start().await;
    service.provision_device("alice").await;
    service.provision_device("bob").await;
    let code = service.code(0);
    assert_eq!(service.verify_keyed("alice", KEY, &code).await.status, 204);
    assert_eq!(service.verify_keyed("bob", KEY, &code).await.status, 204, "bob's own code");

    let body = json!({ "otp": code });
    let line = format!("POST {VERIFY}");
    for (changes, expected) in [
        (json!({ "client_id": "another" }), 404),
        (json!({ "client_id": null }), 404),
        (json!({ "jti": "another token of the same client" }), 204),
        (json!({ "client_id": "ignored", "azp": "app" }), 204),
    ] {
        let token = service.token_with("alice", &changes);
        let answer = service.send_keyed(&line, &token, KEY, &body).await;
        assert_eq!(answer.status, expected, "{changes}");
    }
    service.clock.advance(119);
    assert_eq!(service.verify_keyed("alice", KEY, &code).await.status, 204);
    service.clock.advance(1);
    assert_eq!(service.verify_keyed("alice", KEY, &code).await.status, 404);
}

#[tokio::test]
async fn another_body_under_the_same_key_is_refused_and_nothing_is_looked_at() {
    let service = Service::start().await;
    service.provision_device("alice").await;
    assert_eq!(service.verify_keyed("alice", KEY, &service.code(0)).await.status, 204);
    for otp in [service.code(1), service.wrong_code(0), "no code".to_owned()] {
        let refused = service.verify_keyed("alice", KEY, &otp).await;
        assert_eq!(code_of(&refused), (422, "idempotency-key-reused".to_owned()), "{otp}");
    }
    assert_eq!(service.failures("alice").await, 0);
    assert_snapshot!(service.verify_keyed("alice", KEY, &service.code(1)).await.whole());
    assert_eq!(service.verify("alice", &service.code(1)).await, 204, "the code was not touched");
}

/// Keys get into logs that codes do not get into, and a body is a code or a PIN and little else.
#[tokio::test]
async fn whoever_has_come_by_a_key_does_not_guess_the_body_that_was_accepted_under_it() {
    let service = Service::start().await;
    service.provision(&json!({ "id": "alice", "pin": "8299", "deviceTotps": [{ "secret": SECRET }] })).await;
    let code = service.code(0);
    assert_eq!(service.verify_keyed("alice", KEY, &code).await.status, 204);
    assert_eq!(service.enrol_keyed("alice", KEY, &json!({ "pin": "8299" })).await.status, 201);
    for number in 0..5 {
        assert_eq!(service.verify_keyed("alice", KEY, &code).await.status, 204, "the owner, after {number}");
        let guess = service.verify_keyed("alice", KEY, &service.wrong_code(number)).await;
        assert_eq!(code_of(&guess), (422, "idempotency-key-reused".to_owned()));
        assert_eq!(service.enrol_keyed("alice", KEY, &json!({ "pin": "8299" })).await.status, 201);
        let guess = service.enrol_keyed("alice", KEY, &json!({ "pin": format!("135{number}") })).await;
        assert_eq!(code_of(&guess), (422, "idempotency-key-reused".to_owned()));
    }
    let (at_last, versions) = ((422, "idempotency-key-reused".to_owned()), service.versions("alice").await);
    assert_eq!(code_of(&service.verify_keyed("alice", KEY, &code).await), at_last);
    assert_eq!(code_of(&service.enrol_keyed("alice", KEY, &json!({ "pin": "8299" })).await), at_last);
    assert_eq!(service.versions("alice").await, versions, "nothing more is counted");
    assert_eq!((service.failures("alice").await, service.devices_of("alice").await), (0, 2));
    assert_eq!(service.verify_keyed("alice", OTHER_KEY, &service.code(1)).await.status, 204);
}

#[tokio::test]
async fn only_what_was_accepted_is_remembered() {
    let service = Service::start().await;
    service.provision_device("alice").await;
    assert_eq!(service.verify_keyed("alice", KEY, &service.wrong_code(0)).await.status, 404);
    assert_eq!(service.verify_keyed("alice", KEY, &service.wrong_code(0)).await.status, 404);
    assert_eq!(service.failures("alice").await, 2, "a wrong code sent again is a guess again");
    assert_eq!(service.verify_keyed("alice", KEY, &service.code(0)).await.status, 204);
}

#[tokio::test]
async fn a_repeat_is_answered_within_a_wait_and_is_committed_like_the_first_one() {
    let service = Service::start().await;
    service.provision_device("alice").await;
    let code = service.code(0);
    assert_eq!(service.verify_keyed("alice", KEY, &code).await.status, 204);
    service.fail("alice", 5).await;
    assert_eq!(service.verify_keyed("alice", OTHER_KEY, &service.code(1)).await.told(), (404, Some("30")));
    let (guard, _) = service.versions("alice").await;
    assert_eq!(service.verify_keyed("alice", KEY, &code).await.status, 204);
    assert_ne!(service.versions("alice").await.0, guard, "the answer waited for a commit of its own");
    assert_eq!(service.verify_keyed("alice", OTHER_KEY, &service.code(1)).await.told(), (404, Some("30")));
}

#[tokio::test]
async fn the_last_four_accepted_requests_are_remembered() {
    let service = Service::start().await;
    let secrets = ["A", "B", "C", "D", "E"].map(|letter| letter.repeat(32));
    let devices: Vec<_> = secrets.iter().map(|secret| json!({ "secret": secret })).collect();
    service.provision(&json!({ "id": "alice", "deviceTotps": devices })).await;
    let requests: Vec<_> = (0..5).map(|n| (format!("{KEY}-{n}"), service.code_of(&secrets[n], 0))).collect();
    for (key, otp) in &requests {
        assert_eq!(service.verify_keyed("alice", key, otp).await.status, 204, "{key}");
    }
    let mut again = Vec::new();
    for (key, otp) in &requests {
        again.push(service.verify_keyed("alice", key, otp).await.status);
    }
    assert_eq!(again, [404, 204, 204, 204, 204]);
}

#[tokio::test]
async fn a_key_that_is_none_is_refused_after_the_body_and_before_the_code_is_looked_at() {
    let service = Service::start().await;
    service.provision_device("alice").await;
    let authorization = format!("Authorization: Bearer {}", service.token("alice"));
    let send = async |keys: &[&str], body: &str| {
        let keys: Vec<_> = keys.iter().map(|key| format!("Idempotency-Key: {key}")).collect();
        let mut headers = vec![authorization.as_str(), JSON];
        headers.extend(keys.iter().map(String::as_str));
        service.send(request(&format!("POST {VERIFY}"), &headers, body.as_bytes())).await
    };
    let body = json!({ "otp": service.code(0) }).to_string();
    let (short, long) = ("x".repeat(15), "x".repeat(65));
    for keys in
        [&[short.as_str()][..], &[&long], &[""], &["with a space in it"], &["ümlaut-ümlaut-ü"], &[KEY, KEY]]
    {
        let refused = send(keys, &body).await;
        assert_eq!(code_of(&refused), (422, "invalid-value".to_owned()), "{keys:?}");
    }
    assert_snapshot!(send(&[&short], &body).await.whole());
    assert_eq!(code_of(&send(&[&short], "{").await), (422, "malformed-json".to_owned()));
    for (key, code) in [("x".repeat(16), 0), ("!".repeat(32), 1), ("~".repeat(64), 2)] {
        service.clock.advance(if code == 0 { 0 } else { 60 });
        let body = json!({ "otp": service.code(0) }).to_string();
        assert_eq!(send(&[&key], &body).await.status, 204, "{key}");
    }
}

#[tokio::test]
async fn a_repeat_is_known_to_other_services_and_after_a_restart() {
    repeat_elsewhere(Service::start().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_repeat_is_known_to_other_services_on_postgres_and_after_a_restart() {
    let Some(service) = Service::start_on_postgres().await else { return };
    repeat_elsewhere(service).await;
}

async fn repeat_elsewhere(service: Service) {
    service.provision_device("alice").await;
    service.provision(&json!({ "id": "bob", "pin": "8299", "deviceTotps": [{ "secret": SECRET }] })).await;
    let code = service.code(0);
    assert_eq!(service.verify_keyed("alice", KEY, &code).await.status, 204);
    assert_eq!(service.set_pin_keyed("bob", KEY, "4378", &code).await.status, 200);
    let enrolled = service.enrol_keyed("bob", OTHER_KEY, &json!({ "pin": "4378" })).await;
    assert_eq!(enrolled.status, 201);

    let service = service.restart().await;
    assert_eq!(service.verify_keyed("alice", KEY, &code).await.status, 204);
    assert_eq!(service.set_pin_keyed("bob", KEY, "4378", &code).await.status, 200);
    let again = service.enrol_keyed("bob", OTHER_KEY, &json!({ "pin": "4378" })).await;
    assert_eq!(again.whole(), enrolled.whole());

    let beside = service.start_beside().await;
    let url = format!("http://{}{VERIFY}", beside.address);
    let request = service.client.post(url).bearer_auth(service.token("alice"));
    let request = request.header("content-type", "application/json").header("idempotency-key", KEY);
    assert_eq!(request.body(json!({ "otp": code }).to_string()).send().await.unwrap().status(), 204);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_requests_at_once_under_one_key_one_consumes_and_all_are_answered_the_same() {
    one_key_at_once(&Service::start().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_requests_at_once_under_one_key_one_consumes_on_postgres_too() {
    let Some(service) = Service::start_on_postgres().await else { return };
    one_key_at_once(&service).await;
}

async fn one_key_at_once(service: &Service) {
    service.provision(&json!({ "id": "alice", "pin": "8299", "deviceTotps": [{ "secret": SECRET }] })).await;
    let code = service.code(0);
    let address = service.running.address;
    let verification = service.keyed("POST", VERIFY, "alice", KEY, &json!({ "otp": code }));
    for answer in all_at_once(vec![(address, verification); 64]).await {
        assert_eq!(answer.status, 204);
    }
    assert_eq!(service.verify("alice", &code).await, 404);

    let document = json!({ "data": { "type": "deviceTOTP", "attributes": { "pin": "8299" } } });
    let enrolment = service.keyed("POST", DEVICES, "alice", KEY, &document);
    let answers = all_at_once(vec![(address, enrolment); 4]).await;
    let told: HashSet<_> = answers.iter().map(Answer::whole).collect();
    assert_eq!((told.len(), answers[0].status), (1, 201), "{told:?}");
    assert_eq!(service.devices_of("alice").await, 2);
}

#[tokio::test]
async fn a_pin_that_was_set_is_answered_again_for_ten_minutes_and_set_once() {
    let service = Service::start().await;
    service.insert("alice", with_everything(&service)).await;
    assert_eq!(service.set_pin_keyed("alice", KEY, "8299", "135790").await.status, 200);
    assert_eq!(service.set_pin_keyed("alice", OTHER_KEY, "4378", "246801").await.status, 200);
    assert_eq!(service.set_pin_keyed("alice", KEY, "8299", "135790").await.status, 200);
    let status = service.create("alice", json!({ "pin": "4378" })).await.status;
    assert_eq!(status, 201, "the repeat has not set the older PIN again");

    for (pin, otp) in [("8299", "999999"), ("4378", "135790"), ("1234", "135790"), ("8299", "none")] {
        let refused = service.set_pin_keyed("alice", KEY, pin, otp).await;
        assert_eq!(code_of(&refused), (422, "idempotency-key-reused".to_owned()), "{pin} {otp}");
    }
    service.clock.advance(599);
    assert_eq!(service.set_pin_keyed("alice", KEY, "8299", "135790").await.status, 200);
    service.clock.advance(1);
    assert_eq!(service.set_pin_keyed("alice", KEY, "8299", "135790").await.status, 403);
}

#[tokio::test]
async fn an_insecure_pin_is_refused_as_such_under_a_fresh_key_and_leaves_it_fresh() {
    let service = Service::start().await;
    service.insert("alice", with_everything(&service)).await;
    let refused = service.set_pin_keyed("alice", KEY, "1234", "135790").await;
    assert_eq!(code_of(&refused), (406, "pin-not-secure".to_owned()));
    assert_eq!(service.set_pin_keyed("alice", KEY, "8299", "135790").await.status, 200);
}

#[tokio::test]
async fn an_enrolled_device_is_told_again_with_its_secret_and_enrolled_once() {
    let service = Service::start().await;
    service.insert("alice", with_everything(&service)).await;
    let attributes = json!({ "otp": "135790" });
    let first = service.enrol_keyed("alice", KEY, &attributes).await;
    let again = service.enrol_keyed("alice", KEY, &attributes).await;
    assert_eq!((first.status, again.whole()), (201, first.whole()));
    assert_eq!(service.devices_of("alice").await, 2);
    let refused = service.enrol_keyed("alice", KEY, &json!({ "otp": "246801" })).await;
    assert_eq!(code_of(&refused), (422, "idempotency-key-reused".to_owned()));
    assert_eq!(service.verify_as("alice", "246801", &["login"]).await, 204, "which was not touched");

    let secret = first.document()["data"]["attributes"]["secret"].as_str().unwrap().to_owned();
    assert_eq!(service.verify("alice", &service.code_of(&secret, 0)).await, 204);
    service.clock.advance(600);
    assert_eq!(service.enrol_keyed("alice", KEY, &attributes).await.status, 403, "too late");
}

#[tokio::test]
async fn a_device_that_is_gone_is_not_told_again() {
    let service = Service::start().await;
    service.insert("alice", with_everything(&service)).await;
    let first = service.enrol_keyed("alice", KEY, &json!({ "otp": "135790" })).await;
    let id = first.document()["data"]["id"].as_str().unwrap().to_owned();
    let authorization = format!("Authorization: Bearer {}", service.token("alice"));
    let deleted = service.send(request(&format!("DELETE {DEVICES}/{id}"), &[&authorization], b"")).await;
    assert_eq!(deleted.status, 204);
    let again = service.enrol_keyed("alice", KEY, &json!({ "otp": "135790" })).await;
    assert_eq!(again.status, 403, "its code is spent");
    assert_eq!(service.devices_of("alice").await, 1);
}

#[tokio::test]
async fn the_first_device_after_a_registration_is_told_again() {
    let service = Service::start_with("registered_at_claim = \"/registered_at\"").await;
    let changes = json!({
        "scope": "user:device-totps:create-after-login",
        "registered_at": service.claims("alice")["iat"],
    });
    let token = service.token_with("alice", &changes);
    let body = json!({ "data": { "type": "deviceTOTP", "attributes": {} } });
    let line = format!("POST {DEVICES}");
    let first = service.send_keyed(&line, &token, KEY, &body).await;
    let again = service.send_keyed(&line, &token, KEY, &body).await;
    assert_eq!((first.status, again.whole()), (201, first.whole()));
    assert_eq!(service.send_keyed(&line, &token, OTHER_KEY, &body).await.status, 403);
    assert_eq!(service.devices_of("alice").await, 1);
}

#[tokio::test]
async fn one_key_may_be_used_for_each_operation() {
    let service = Service::start().await;
    service.insert("alice", with_everything(&service)).await;
    let otp = service.code_of(OTHER_SECRET, 0);
    assert_eq!(service.verify_keyed("alice", KEY, &service.code(0)).await.status, 204);
    assert_eq!(service.set_pin_keyed("alice", KEY, "8299", "135790").await.status, 200);
    assert_eq!(service.enrol_keyed("alice", KEY, &json!({ "otp": otp })).await.status, 201);
}
