//! `POST /user/otp`: a code on demand, against password or PIN.

use crate::harness::service::{SECRET, Service};
use crate::harness::wire::{JSON, request};
use crate::http::client::Answer;
use einmal::accounts::password_hash::hash_argon2id;
use einmal::clock::Clock;
use einmal::entropy::SystemEntropy;
use einmal_core::account::{Account, StoredHash};
use insta::assert_snapshot;
use serde_json::{Value, json};

pub(crate) const CREATE: &str = "/user/2025-1/user/otp";
pub(super) const PIN: &str = "8299";
const PASSWORD: &str = "correct horse";
/// Of [`PASSWORD`], as bcrypt 5.0 makes it, at the lowest cost.
const BCRYPT: &str = "$2b$04$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e";
/// The same by passlib 1.7.4, at a cost that leaves a test the time to do something meanwhile.
const SLOW_BCRYPT: &str = "$2y$12$3RrIoUP2MlLK/smblu/Mau6FvWn/HphMsIHfHkPRiIWRS3u479iO6";

/// A service with alice, who has PIN and password.
pub(super) async fn service() -> Service {
    service_with("").await
}

async fn service_with(settings: &str) -> Service {
    let service = Service::start_with(settings).await;
    service.provision(&json!({ "id": "alice", "pin": PIN, "password": PASSWORD })).await;
    service
}

impl Service {
    pub(crate) fn create_request(&self, subject: &str, body: impl AsRef<[u8]>) -> Vec<u8> {
        let authorization = format!("Authorization: Bearer {}", self.token(subject));
        request(&format!("POST {CREATE}"), &[&authorization, JSON], body.as_ref())
    }

    pub(crate) async fn create(&self, subject: &str, offered: Value) -> Answer {
        self.send(self.create_request(subject, offered.to_string())).await
    }

    /// The code that a right value brings.
    async fn created(&self, subject: &str, offered: Value) -> String {
        let answer = self.create(subject, offered).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        answer.otp()
    }

    /// Failures of passwords and of PINs.
    pub(crate) async fn proof_failures(&self, subject: &str) -> (u32, u32) {
        let failures =
            |account: &Account| (account.password_throttle.failures, account.pin_throttle.failures);
        self.look(subject, failures).await
    }
}

#[tokio::test]
async fn password_or_pin_brings_a_code_that_is_good_once_7() {
    let service = service().await;
    for offered in [
        json!({ "pin": PIN }),
        json!({ "password": PASSWORD }),
        json!({ "password": PASSWORD, "pin": PIN }),
        json!({ "password": null, "pin": PIN, "sub": "bob", "userId": 7 }),
    ] {
        let code = service.created("alice", offered).await;
        assert!(code.len() == 6 && code.bytes().all(|byte| byte.is_ascii_digit()), "{code}");
        assert_eq!(service.verify("alice", &code).await, 204);
        assert_eq!(service.verify("alice", &code).await, 404);
    }
    assert_eq!(service.proof_failures("alice").await, (0, 0));
    assert_eq!(service.failures("alice").await, 0);
}

#[tokio::test]
async fn the_answer_whole() {
    let service = service().await;
    let answer = service.create("alice", json!({ "pin": PIN })).await;
    assert_snapshot!("created", answer.whole().replace(&answer.otp(), "[otp]"));
    assert_snapshot!("wrong", service.create("alice", json!({ "pin": "1235" })).await.whole());
    assert_snapshot!("neither", service.create("alice", json!({})).await.whole());
}

#[tokio::test]
async fn a_code_is_good_until_it_expires_and_a_clock_that_goes_back_does_not_revive_it_31() {
    let service = service_with("[otp]\naccount_ttl = \"90s\"").await;
    let first = service.created("alice", json!({ "pin": PIN })).await;
    service.clock.advance(89);
    assert_eq!(service.verify("alice", &first).await, 204, "a second before");
    let second = service.created("alice", json!({ "pin": PIN })).await;
    service.clock.advance(90);
    assert_eq!(service.verify("alice", &second).await, 404, "at the moment itself");
    service.clock.set_back(60);
    assert_eq!(service.verify("alice", &second).await, 404, "after the clock went back");
}

#[tokio::test]
async fn a_new_code_takes_the_place_of_the_earlier_one_32() {
    let service = service().await;
    let first = service.created("alice", json!({ "pin": PIN })).await;
    let mut second = first.clone();
    while second == first {
        second = service.created("alice", json!({ "pin": PIN })).await;
    }
    assert_eq!(service.verify("alice", &first).await, 404);
    assert_eq!(service.verify("alice", &second).await, 204);
}

#[tokio::test]
async fn the_fifth_wrong_entry_kills_the_code_37() {
    let service = service_with("[throttle]\nfree_failures = 10").await;
    let code = service.created("alice", json!({ "pin": PIN })).await;
    for wrong in (0..).map(|number| format!("{number:06}")).filter(|wrong| *wrong != code).take(5) {
        assert_eq!(service.verify("alice", &wrong).await, 404);
    }
    assert_eq!(service.verify("alice", &code).await, 404);
    let next = service.created("alice", json!({ "pin": PIN })).await;
    assert_eq!(service.verify("alice", &next).await, 204);
}

#[tokio::test]
async fn the_code_is_an_account_code_and_nobody_elses_26_28() {
    let service = service().await;
    service.provision(&json!({ "id": "bob", "pin": PIN })).await;
    let code = service.created("alice", json!({ "pin": PIN })).await;
    assert_eq!(service.verify_as("alice", &code, &["login", "totp", "device-totp"]).await, 404);
    assert_eq!(service.verify("bob", &code).await, 404);
    assert_eq!(service.verify_as("alice", &code, &["account"]).await, 204);
}

#[tokio::test]
async fn each_value_that_is_looked_at_and_wrong_counts_in_its_own_counter() {
    let service = service().await;
    assert_eq!(service.create("alice", json!({ "password": "x", "pin": PIN })).await.status, 201);
    assert_eq!(service.proof_failures("alice").await, (1, 0), "the PIN was right, the password was not");
    assert_eq!(service.create("alice", json!({ "password": "x", "pin": "1235" })).await.status, 404);
    assert_eq!(service.proof_failures("alice").await, (2, 1));
    assert_eq!(service.create("alice", json!({ "password": PASSWORD, "pin": "1235" })).await.status, 201);
    assert_eq!(service.proof_failures("alice").await, (0, 1), "the PIN was not looked at");
    assert_eq!(service.failures("alice").await, 0);
}

#[tokio::test]
async fn a_pin_dies_at_the_fifth_wrong_one_and_only_a_new_one_lives() {
    let service = service().await;
    for _ in 0..5 {
        assert_eq!(service.create("alice", json!({ "pin": "1235" })).await.told(), (404, None));
    }
    assert_eq!(service.create("alice", json!({ "pin": PIN })).await.told(), (404, Some("30")));
    service.clock.advance(86_400);
    assert_eq!(service.create("alice", json!({ "pin": PIN })).await.told(), (404, None), "dead");
    let now = service.clock.now();
    service.change("alice", move |account| account.unlock(now)).await;
    service.clock.advance(86_400);
    assert_eq!(
        service.create("alice", json!({ "pin": PIN })).await.status,
        404,
        "an unlock does not revive it"
    );
    service.created("alice", json!({ "password": PASSWORD })).await;
    service.replace(&json!({ "id": "alice", "pin": PIN, "password": PASSWORD })).await;
    assert_eq!(
        service.create("alice", json!({ "pin": PIN })).await.status,
        404,
        "the same one, put there again"
    );
    service.replace(&json!({ "id": "alice", "pin": "4378" })).await;
    service.created("alice", json!({ "pin": "4378" })).await;
}

#[tokio::test]
async fn a_throttled_kind_is_skipped_and_with_all_throttled_the_shortest_wait_is_told() {
    let service = service().await;
    for _ in 0..5 {
        service.create("alice", json!({ "password": "x" })).await;
    }
    assert_eq!(service.create("alice", json!({ "password": PASSWORD })).await.told(), (404, Some("30")));
    service.clock.advance(10);
    let both = json!({ "password": PASSWORD, "pin": "1235" });
    for _ in 0..5 {
        assert_eq!(service.create("alice", both.clone()).await.told(), (404, None), "the PIN was looked at");
    }
    service.clock.advance(5);
    assert_eq!(service.create("alice", both).await.told(), (404, Some("15")));
    assert_eq!(service.proof_failures("alice").await, (5, 5));
}

#[tokio::test]
async fn the_operator_may_have_429_for_who_is_throttled() {
    let service = service_with("[throttle]\nstatus = 429").await;
    for _ in 0..5 {
        service.create("alice", json!({ "password": "x" })).await;
    }
    assert_eq!(service.create("alice", json!({ "password": PASSWORD })).await.told(), (429, Some("30")));
}

#[tokio::test]
async fn where_nothing_is_set_the_answer_and_the_count_are_the_same_121() {
    let service = service().await;
    service.provision_device("bob").await;
    let both = json!({ "pin": "1235", "password": "x" });
    for attempt in 1..=6 {
        let [set, not_set, unknown] = [
            service.create("alice", both.clone()).await,
            service.create("bob", both.clone()).await,
            service.create("nobody", both.clone()).await,
        ];
        assert_eq!(set.whole(), not_set.whole());
        assert_eq!(set.whole(), unknown.whole());
        assert_eq!(set.told(), (404, (attempt > 5).then_some("30")));
    }
    for subject in ["alice", "bob", "nobody"] {
        assert_eq!(service.proof_failures(subject).await, (5, 5), "{subject}");
    }
}

#[tokio::test]
async fn a_new_code_does_not_lift_a_wait_and_a_wrong_pin_does_not_bring_one_98_112() {
    let service = service().await;
    service.created("alice", json!({ "pin": PIN })).await;
    for number in 0..5 {
        let wrong = service.wrong_code(number);
        assert_eq!(service.verify("alice", &wrong).await, 404);
    }
    let code = service.created("alice", json!({ "pin": PIN })).await;
    assert_eq!(service.answer("alice", &code).await.told(), (404, Some("30")), "still waiting");
    service.clock.advance(30);
    for _ in 0..5 {
        service.create("alice", json!({ "pin": "1235" })).await;
    }
    assert_eq!(service.verify("alice", &code).await, 204);
    assert_eq!(service.proof_failures("alice").await, (0, 5), "nor does a right code give PINs back");
}

#[tokio::test]
async fn a_hash_of_another_system_is_taken_once_and_replaced_by_ours() {
    let service = Service::start().await;
    service.provision(&json!({ "id": "alice", "passwordHash": BCRYPT, "pin": PIN })).await;
    let stored = |account: &Account| account.password.as_ref().map(|hash| hash.as_str().to_owned());
    service.create("alice", json!({ "password": "x" })).await;
    assert_eq!(service.look("alice", stored).await.as_deref(), Some(BCRYPT), "not by a wrong one");
    for _ in 0..2 {
        service.created("alice", json!({ "password": PASSWORD })).await;
        let hash = service.look("alice", stored).await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
    }
}

#[tokio::test]
async fn a_value_that_is_set_anew_while_it_is_compared_proves_nothing() {
    let service = Service::start().await;
    service.provision(&json!({ "id": "alice", "passwordHash": SLOW_BCRYPT })).await;
    let request = service.create_request("alice", json!({ "password": PASSWORD }).to_string());
    let answer = tokio::spawn({
        let mut client = service.connect().await;
        async move { client.request(request).await }
    });
    while service.proof_failures("alice").await.0 == 0 {
        tokio::task::yield_now().await;
    }
    let set = |account: &mut Account| {
        account.password = Some(StoredHash::new(hash_argon2id(b"another one", &SystemEntropy).unwrap()));
        account.password_throttle.clear();
    };
    service.change("alice", set).await;
    assert_eq!(answer.await.unwrap().status, 404);
    assert_eq!(
        service.proof_failures("alice").await,
        (1, 0),
        "it was compared with the new one, and counted"
    );
    service.created("alice", json!({ "password": "another one" })).await;
}

#[tokio::test]
async fn a_body_that_is_not_right_names_the_place_and_costs_nothing() {
    let service = service().await;
    let long = "x".repeat(1025);
    for (body, sources) in [
        (json!({}), vec![""]),
        (json!({ "pin": null, "password": null }), vec![""]),
        (json!({ "otp": "123456" }), vec![""]),
        (json!({ "pin": 8299 }), vec!["/pin"]),
        (json!({ "pin": "" }), vec!["/pin"]),
        (json!({ "pin": ["8299"], "password": { "is": PASSWORD } }), vec!["/password", "/pin"]),
        (json!({ "password": long, "pin": PIN }), vec!["/password"]),
        (json!([{ "pin": PIN }]), vec![""]),
    ] {
        let answer = service.create("alice", body.clone()).await;
        assert_eq!(
            (answer.status, answer.sources()),
            (422, sources.iter().map(ToString::to_string).collect()),
            "{body}"
        );
    }
    let twice = service
        .send(service.create_request("alice", format!("{{\"pin\":\"1235\",\"p\\u0069n\":\"{PIN}\"}}")));
    assert_eq!(twice.await.status, 422);
    assert_eq!(service.proof_failures("alice").await, (0, 0));
    assert_eq!(service.create("alice", json!({ "pin": "12345", "password": "\0" })).await.status, 404);
    assert_eq!(service.proof_failures("alice").await, (1, 1), "no PIN and no password, but an attempt");
}

#[tokio::test]
async fn a_device_is_neither_needed_nor_spent() {
    let service = Service::start().await;
    service.provision(&json!({ "id": "alice", "pin": PIN, "deviceTotps": [{ "secret": SECRET }] })).await;
    let code = service.created("alice", json!({ "pin": PIN })).await;
    assert_eq!(service.verify_as("alice", &service.code(0), &["device-totp"]).await, 204);
    assert_eq!(service.verify("alice", &code).await, 204);
}
