//! What is set and enrolled at once: one code is good for one of them, and no more are made than there is room for.

use super::{all_at_once, count, offer};
use crate::api::authenticators;
use crate::api::devices::device_request;
use crate::harness::is_long;
use crate::harness::service::Service;
use crate::harness::wire::JSON;
use einmal_core::account::{Account, check_pin};
use serde_json::json;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_64_pins_set_with_one_code_one_is_set_and_it_is_the_winners_8() {
    let service = Service::start().await;
    service.provision_device("alice").await;
    let pins: Vec<_> =
        (1_000..9_999).map(|pin| pin.to_string()).filter(|pin| check_pin(pin).is_ok()).take(64).collect();
    let code = service.code(0);
    let document = |pin| json!({ "data": { "type": "pin", "attributes": { "pin": pin, "otp": code } } });
    let requests =
        pins.iter().map(|pin| (service.running.address, service.pin_request("alice", &document(pin))));
    let answers = all_at_once(requests.collect()).await;
    assert_eq!((count(&answers, 200), count(&answers, 403)), (1, 63), "{answers:?}");
    let winner = answers.iter().position(|answer| answer.status == 200).unwrap();
    assert_eq!(count(&offer(&service, &pins[winner..=winner]).await, 201), 1);
    assert_eq!(service.failures("alice").await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_64_enrolments_at_once_no_more_are_made_than_there_is_room_for_179() {
    let service = Service::start().await;
    service.provision(&json!({ "id": "alice", "pin": "8299" })).await;
    service.change("alice", |account| account.registered_at = None).await;
    let body = json!({ "data": { "type": "deviceTOTP", "attributes": { "pin": "8299" } } }).to_string();
    let line = "POST /user/2025-1/user/devices/totp";
    // Few at a time, so that few are throttled: what is raced for is the room.
    let mut made = 0;
    for _ in 0..16 {
        let request = device_request(line, &service.token("alice"), &body);
        let answers = all_at_once(vec![(service.running.address, request); 4]).await;
        made += count(&answers, 201);
        assert_eq!(count(&answers, 201) + count(&answers, 422), 4, "{answers:?}");
    }
    assert_eq!(made, 5);
    assert_eq!(service.look("alice", |account| account.devices.len()).await, 5);
    assert_eq!(service.proof_failures("alice").await, (0, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_64_authenticators_begun_at_once_no_more_are_made_than_there_is_room_for_179() {
    // Less room than there are free failures: of five that are compared at once two find it taken.
    let service = Service::start_with("[totp]\nmax_authenticators = 3").await;
    service.provision(&json!({ "id": "alice", "pin": "8299" })).await;
    let body = authenticators::document(&json!({ "pin": "8299" }));
    let request = service.authenticator_request("alice", "POST", "", &body);
    let mut made = 0;
    for _ in 0..3 {
        let answers = all_at_once(vec![(service.running.address, request.clone()); 64]).await;
        let others = [422, 403, 503].map(|status| count(&answers, status)).iter().sum::<usize>();
        made += count(&answers, 201);
        assert_eq!(count(&answers, 201) + others, 64, "{answers:?}");
        service.clock.advance(60);
    }
    assert_eq!(made, 3);
    assert_eq!(service.listed_authenticators("alice").await.len(), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_64_confirmations_with_one_code_one_is_a_success_and_the_code_is_spent_150() {
    one_code_to_confirm(&Service::start().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_64_confirmations_with_one_code_one_is_a_success_on_postgres_150() {
    let Some(service) = Service::start_on_postgres().await else { return };
    one_code_to_confirm(&service).await;
}

async fn one_code_to_confirm(service: &Service) {
    service.provision(&json!({ "id": "alice", "pin": "8299" })).await;
    for round in 0..if is_long() { 100 } else { 10 } {
        let begun = service.begin("alice").await;
        let code = service.code_of(&begun.secret, 0);
        let path = format!("/{}/confirm", begun.id);
        let confirm = service.authenticator_request("alice", "POST", &path, &json!({ "otp": code }));
        let body = json!({ "otp": code, "types": ["totp"] }).to_string();
        let verify = service.verify_request("alice", &[JSON], body);
        // Whatever comes first, the code is good for one thing.
        let requests = (0..64).map(|number| if number % 4 == 3 { verify.clone() } else { confirm.clone() });
        let requests = requests.map(|request| (service.running.address, request));
        let answers = all_at_once(requests.collect()).await;
        assert_eq!((count(&answers, 204), count(&answers, 404)), (1, 63), "round {round}: {answers:?}");
        let failures = service.failures("alice").await;
        assert!(failures == 0, "round {round}: {failures}");
        service.change("alice", |account| account.authenticators.clear()).await;
        service.clock.advance(30);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_uses_of_one_code_through_all_doors_one_is_a_success_9() {
    let service = Service::start().await;
    service.provision_device("alice").await;
    for round in 0..20 {
        let code = service.code(0);
        let body = json!({ "data": { "type": "deviceTOTP", "id": format!("738e379f-fe30-45ab-819c-{round:012}"),
            "attributes": { "otp": code } } });
        let pin = json!({ "data": { "type": "pin", "attributes": { "pin": "8299", "otp": code } } });
        let verify = json!({ "otp": code }).to_string();
        let authenticator = authenticators::document(&json!({ "otp": code }));
        let mut requests = Vec::new();
        for _ in 0..8 {
            let token = service.token("alice");
            requests.push(device_request("POST /user/2025-1/user/devices/totp", &token, &body.to_string()));
            requests.push(service.pin_request("alice", &pin));
            requests.push(service.verify_request("alice", &[JSON], &verify));
            requests.push(service.authenticator_request("alice", "POST", "", &authenticator));
        }
        let requests = requests.into_iter().map(|request| (service.running.address, request));
        let answers = all_at_once(requests.collect()).await;
        let successes = answers.iter().filter(|answer| answer.status < 300).count();
        assert_eq!(successes, 1, "{answers:?}");
        let undo = |account: &mut Account| {
            account.devices.truncate(1);
            account.pending_authenticators.clear();
        };
        service.change("alice", undo).await;
        service.clock.advance(30);
    }
    assert_eq!(service.failures("alice").await, 0);
}
