//! `PUT /user/pin` and the questions after PIN and password.

use super::{OTHER_SECRET, with_everything};
use crate::harness::service::{SECRET, Service};
use crate::harness::wire::{JSON, request};
use crate::http::client::Answer;
use insta::assert_snapshot;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

const PIN: &str = "/user/2025-1/user/pin";
const PASSWORD: &str = "/user/2025-1/user/password";
const EITHER: &str = "/user/2025-1/user/pin-or-password";
const JSON_API: &str = "Content-Type: application/vnd.api+json";

fn document(pin: &str, otp: &str) -> Value {
    json!({ "data": { "type": "pin", "attributes": { "pin": pin, "otp": otp } } })
}

impl Service {
    pub(crate) fn pin_request(&self, subject: &str, document: &Value) -> Vec<u8> {
        let authorization = format!("Authorization: Bearer {}", self.token(subject));
        request(&format!("PUT {PIN}"), &[&authorization, JSON_API], document.to_string().as_bytes())
    }

    async fn set_pin(&self, subject: &str, pin: &str, otp: &str) -> Answer {
        self.send(self.pin_request(subject, &document(pin, otp))).await
    }

    async fn ask(&self, subject: &str, path: &str) -> Answer {
        let authorization = format!("Authorization: Bearer {}", self.token(subject));
        self.send(request(&format!("GET {path}"), &[&authorization], b"")).await
    }

    /// The status of asking for a code with this PIN.
    async fn try_pin(&self, subject: &str, pin: &str) -> u16 {
        self.create(subject, json!({ "pin": pin })).await.status
    }
}

#[tokio::test]
async fn a_code_of_any_type_sets_a_pin_once_38() {
    let service = Service::start().await;
    for (subject, code) in [
        ("device", service.code(0)),
        ("authenticator", service.code_of(OTHER_SECRET, 0)),
        ("account", "135790".to_owned()),
        ("login", "246801".to_owned()),
    ] {
        service.insert(subject, with_everything(&service)).await;
        assert_eq!(service.set_pin(subject, "8299", &code).await.status, 200, "{subject}");
        assert_eq!(service.set_pin(subject, "4378", &code).await.status, 403, "{subject}: used");
        let types = ["device-totp", "totp", "account", "login"];
        assert_eq!(service.verify_as(subject, &code, &types).await, 404, "{subject}: dead everywhere");
        assert_eq!(service.failures(subject).await, 0, "replays are no guesses");
        assert_eq!(
            (service.try_pin(subject, "4378").await, service.try_pin(subject, "8299").await),
            (404, 201),
            "{subject}"
        );
    }
}

#[tokio::test]
async fn the_answers_whole_182() {
    let service = Service::start().await;
    service.provision_device("alice").await;
    assert_snapshot!("set", service.set_pin("alice", "8299", &service.code(0)).await.whole());
    assert_snapshot!("wrong", service.set_pin("alice", "8299", &service.wrong_code(0)).await.whole());
    assert_snapshot!("not_secure", service.set_pin("alice", "1234", &service.code(1)).await.whole());
    assert_snapshot!("not_set", service.ask("alice", PASSWORD).await.whole());
    assert_snapshot!("is_set", service.ask("alice", PIN).await.whole());
    assert_snapshot!("either", service.ask("alice", EITHER).await.whole());
}

#[tokio::test]
async fn a_pin_that_is_not_secure_burns_no_code_and_a_wrong_code_changes_no_pin_181() {
    let service = Service::start().await;
    service.provision(&json!({ "id": "alice", "pin": "8299", "deviceTotps": [{ "secret": SECRET }] })).await;
    for pin in ["1234", "9012", "0987", "6543", "1122", "1111", "123", "456123", "", "١٢٣٥"] {
        let answer = service.set_pin("alice", pin, &service.code(0)).await;
        assert_eq!(answer.status, 406, "{pin}");
        assert!(String::from_utf8_lossy(&answer.body).contains("pin-not-secure"), "{pin}");
    }
    assert_eq!(service.failures("alice").await, 0);
    assert_eq!(service.set_pin("alice", "4378", &service.wrong_code(0)).await.status, 403);
    assert_eq!(service.failures("alice").await, 1);
    assert_eq!((service.try_pin("alice", "4378").await, service.try_pin("alice", "8299").await), (404, 201));
    assert_eq!(service.set_pin("alice", "4378", &service.code(0)).await.status, 200);
    assert_eq!((service.try_pin("alice", "8299").await, service.try_pin("alice", "4378").await), (404, 201));
}

#[tokio::test]
async fn guesses_have_the_budget_of_all_codes_98() {
    let service = Service::start().await;
    service.provision_device("alice").await;
    for number in 0..5 {
        let wrong = service.wrong_code(number);
        let answer = if number % 2 == 0 {
            service.set_pin("alice", "8299", &wrong).await
        } else {
            service.answer("alice", &wrong).await
        };
        assert!(answer.header("retry-after").is_none());
    }
    assert_eq!(service.set_pin("alice", "8299", &service.code(0)).await.told(), (403, Some("30")));
    assert_eq!(service.answer("alice", &service.code(0)).await.told(), (404, Some("30")));
    assert_eq!(service.set_pin("alice", "1234", &service.code(0)).await.status, 406, "the rules come first");
}

#[tokio::test]
async fn what_is_no_code_and_whom_nobody_knows_is_refused_and_not_counted() {
    let service = Service::start().await;
    service.provision_device("alice").await;
    for otp in ["12345", "123456789", "77382a", "٧٧٣٨٢٩"] {
        assert_eq!(service.set_pin("alice", "8299", otp).await.status, 403, "{otp}");
    }
    assert_eq!(service.failures("alice").await, 0);
    assert_eq!(service.set_pin("nobody", "8299", &service.code(0)).await.status, 403);
    assert_eq!(service.try_pin("alice", "8299").await, 404);
}

#[tokio::test]
async fn a_pin_that_died_counts_as_not_set_until_there_is_a_new_one() {
    let service = Service::start().await;
    service.provision(&json!({ "id": "alice", "pin": "8299", "deviceTotps": [{ "secret": SECRET }] })).await;
    assert_eq!(service.ask("alice", PIN).await.status, 200);
    for _ in 0..5 {
        service.try_pin("alice", "1235").await;
    }
    assert_eq!(service.ask("alice", PIN).await.status, 404);
    assert!(String::from_utf8_lossy(&service.ask("alice", EITHER).await.body).contains("\"pin\":false"));
    assert_eq!(
        service.set_pin("alice", "8299", &service.code(0)).await.status,
        200,
        "the same digits are a new PIN"
    );
    assert_eq!(service.ask("alice", PIN).await.status, 200);
    assert_eq!(service.try_pin("alice", "8299").await, 201, "and no wait is left");
}

#[tokio::test]
async fn what_is_wrong_with_a_document_is_told_with_its_place() {
    let service = Service::start().await;
    service.provision_device("alice").await;
    for (document, sources) in [
        (json!({}), vec!["/data"]),
        (json!({ "data": null }), vec!["/data"]),
        (json!({ "data": [] }), vec!["/data"]),
        (json!({ "data": {} }), vec!["/data/type", "/data/attributes"]),
        (
            json!({ "data": { "type": "pins", "attributes": {} } }),
            vec!["/data/type", "/data/attributes/pin", "/data/attributes/otp"],
        ),
        (
            json!({ "data": { "type": "pin", "attributes": { "pin": 8299, "otp": "" } } }),
            vec!["/data/attributes/pin", "/data/attributes/otp"],
        ),
        (document(&"1".repeat(65), &"1".repeat(65)), vec!["/data/attributes/pin", "/data/attributes/otp"]),
    ] {
        let answer = service.send(service.pin_request("alice", &document)).await;
        assert_eq!(answer.status, 422, "{document}");
        assert_eq!(answer.sources(), sources, "{document}");
    }
    let authorization = format!("Authorization: Bearer {}", service.token("alice"));
    let body = document("8299", &service.code(0)).to_string();
    for (headers, status) in [
        (vec![JSON, "Accept: text/html"], 406),
        (vec!["Content-Type: text/plain"], 415),
        (vec![JSON, "Accept: application/json"], 200),
    ] {
        let headers = [&[authorization.as_str()], headers.as_slice()].concat();
        let answer = service.send(request(&format!("PUT {PIN}"), &headers, body.as_bytes())).await;
        assert_eq!(answer.status, status, "{headers:?}");
    }
}

#[tokio::test]
async fn everybody_learns_their_own_state_alone_and_head_is_get_without_a_body_184() {
    let service = Service::start().await;
    service.provision(&json!({ "id": "alice", "pin": "8299" })).await;
    service.provision(&json!({ "id": "bob", "password": "correct horse" })).await;
    for (subject, pin, password) in [("alice", 200, 404), ("bob", 404, 200), ("nobody", 404, 404)] {
        assert_eq!(service.ask(subject, PIN).await.status, pin, "{subject}");
        assert_eq!(service.ask(subject, PASSWORD).await.status, password, "{subject}");
        let either: Value = serde_json::from_slice(&service.ask(subject, EITHER).await.body).unwrap();
        assert_eq!(either, json!({ "pin": pin == 200, "password": password == 200 }), "{subject}");
    }
    for (path, status) in [(PIN, 200), (PASSWORD, 404), (EITHER, 200)] {
        let head = service.client.head(service.url(path)).bearer_auth(service.token("alice"));
        let head = head.send().await.unwrap();
        assert_eq!(head.status(), status, "{path}");
        assert!(head.bytes().await.unwrap().is_empty());
    }
    let one_scope = service.token_with("alice", &json!({ "scope": "user:users.pin:check" }));
    for (path, status) in [(PIN, 200), (PASSWORD, 403), (EITHER, 403)] {
        let asked = service.client.get(service.url(path)).bearer_auth(&one_scope).send().await.unwrap();
        assert_eq!(asked.status(), status, "{path}");
    }
}

#[tokio::test]
async fn a_timeout_is_one_whole_number_up_to_60_124() {
    let service = Service::start().await;
    for timeout in
        ["-1", "61", "1e9", "abc", "", "1.5", "+1", "%31%20", "99999999999999999999", "1&timeout=2"]
    {
        let answer = service.ask("alice", &format!("{PIN}?timeout={timeout}")).await;
        assert_eq!((answer.status, answer.sources()), (422, vec!["timeout".to_owned()]), "{timeout}");
    }
    for query in ["timeout=0", "timeout=00", "other=x&timeout=0", ""] {
        assert_eq!(service.ask("alice", &format!("{PIN}?{query}")).await.status, 404, "{query}");
    }
}

#[tokio::test]
async fn a_long_poll_ends_when_there_is_a_value_or_when_its_time_is_up() {
    let service = Service::start().await;
    service.provision_device("alice").await;
    let started = Instant::now();
    let patient = format!("{PIN}?timeout=60");
    let (waited, given_up) = tokio::join!(service.ask("alice", &patient), async {
        let given_up = service.ask("alice", &format!("{PASSWORD}?timeout=1")).await;
        assert!(started.elapsed() >= Duration::from_secs(1));
        assert_eq!(service.set_pin("alice", "8299", &service.code(0)).await.status, 200);
        given_up
    });
    assert_eq!((waited.status, given_up.status), (200, 404));
    assert!(started.elapsed() < Duration::from_secs(30), "{:?}", started.elapsed());
}

#[tokio::test]
async fn long_polls_end_with_the_service() {
    let service = Service::start().await;
    let mut client = service.connect().await;
    let authorization = format!("Authorization: Bearer {}", service.token("alice"));
    let asked = request(&format!("GET {PIN}?timeout=60"), &[&authorization], b"");
    let started = Instant::now();
    let poll = tokio::spawn(async move { client.request(asked).await });
    // It is being answered once another request behind it has been.
    service.ask("alice", EITHER).await;
    service.running.shutdown.begin();
    let answer = poll.await.unwrap();
    assert_eq!(answer.status, 404);
    assert!(String::from_utf8_lossy(&answer.body).contains("not-set"));
    assert!(started.elapsed() < Duration::from_secs(30), "{:?}", started.elapsed());
}
