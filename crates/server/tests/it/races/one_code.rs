//! One code that is offered many times at once, however it is said and to whichever service: it is accepted once.

use super::{ONE_CODE, all_at_once, assert_lawful, count, race};
use crate::api::{OTHER_SECRET, credential, issued};
use crate::harness::history::{Asked, CodeId};
use crate::harness::is_long;
use crate::harness::service::{SECRET, Service, VERIFY};
use crate::harness::wire::{JSON, request};
use einmal_core::account::Account;
use serde_json::json;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_requests_with_one_code_exactly_one_is_accepted_5() {
    one_code_many_requests(&Service::start().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_requests_with_one_code_exactly_one_is_accepted_on_postgres_5() {
    let Some(service) = Service::start_on_postgres().await else { return };
    one_code_many_requests(&service).await;
}

async fn one_code_many_requests(service: &Service) {
    service.provision_device("alice").await;
    for (width, rounds) in [(16, 60), (64, if is_long() { 200 } else { 40 })] {
        for _ in 0..rounds {
            race(service, "alice", &service.code(0), &[], width).await;
            service.clock.advance(30);
        }
    }
    assert_eq!(service.failures("alice").await, 0, "those that lost are replays and no guesses");
}

/// Behind a proxy requests come in packets, several to a connection, without waiting for answers.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_64_requests_in_8_packets_exactly_one_is_accepted_5() {
    let service = Service::start().await;
    service.provision_device("alice").await;
    for _ in 0..if is_long() { 200 } else { 10 } {
        let body = json!({ "otp": service.code(0) }).to_string();
        let packet = service.verify_request("alice", &[JSON], body).repeat(8);
        let mut clients = Vec::new();
        for _ in 0..8 {
            clients.push(service.connect().await);
        }
        for client in &mut clients {
            client.send(&packet).await;
        }
        let mut answers = Vec::new();
        for client in &mut clients {
            for _ in 0..8 {
                answers.push(client.answer().await);
            }
        }
        assert_eq!((count(&answers, 204), count(&answers, 404)), (1, 63));
        assert_lawful(|_| ONE_CODE, &answers, false);
        service.clock.advance(30);
    }
    assert_eq!(service.failures("alice").await, 0);
}

/// The same code of a secret that is enrolled twice, but no two requests alike: version, spelling, types, media
/// type and token differ.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_requests_that_say_one_code_differently_exactly_one_is_accepted_6() {
    let service = Service::start().await;
    let (devices, authenticators) = (vec![credential(SECRET)], vec![credential(SECRET)]);
    service.insert("alice", Account { devices, authenticators, ..Account::default() }).await;
    for _ in 0..if is_long() { 200 } else { 10 } {
        let code = service.code(0);
        let requests = (0..64).map(|number: usize| {
            let version = ["2020-4", "2022-1", "2024-4", "2025-1"][number % 4];
            let media_type = [JSON, "Content-Type: application/vnd.api+json"][number / 4 % 2];
            let spelled = [code.clone(), format!(" {code}"), format!("{}-{}", &code[..3], &code[3..])];
            let types = [json!(null), json!(["device-totp"]), json!(["totp", "login"])];
            let body = json!({ "otp": spelled[number % 3], "types": types[number / 3 % 3], "x": number });
            let token = service.token_with("alice", &json!({ "jti": number.to_string() }));
            let headers = [media_type, &format!("Authorization: Bearer {token}")];
            let line = format!("POST {}", VERIFY.replace("2025-1", version));
            (service.running.address, request(&line, &headers, body.to_string().as_bytes()))
        });
        let answers = all_at_once(requests.collect()).await;
        assert_eq!((count(&answers, 204), count(&answers, 404)), (1, 63));
        assert_lawful(|_| ONE_CODE, &answers, false);
        service.clock.advance(30);
    }
    assert_eq!(service.failures("alice").await, 0);
}

/// Whichever comes first: the later step takes the earlier one along.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_two_neighbouring_codes_at_once_the_later_is_accepted_once_and_the_earlier_at_most_once_6() {
    let service = Service::start().await;
    service.provision_device("alice").await;
    for _ in 0..if is_long() { 200 } else { 20 } {
        let request = |offset| {
            let body = json!({ "otp": service.code(offset) }).to_string();
            (service.running.address, service.verify_request("alice", &[JSON], body))
        };
        let answers = all_at_once((0..32).map(|number| request(number % 2)).collect()).await;
        let accepted = count(&answers, 204);
        assert!((1..=2).contains(&accepted), "{accepted} accepted");
        assert_eq!(accepted + count(&answers, 404), 32);
        let step = |number: usize| u64::from(number % 2 == 1);
        assert_lawful(|number| Asked::Right(CodeId { account: 0, step: step(number) }), &answers, false);
        for offset in [0, 1] {
            assert_eq!(service.verify("alice", &service.code(offset)).await, 404, "{offset}");
        }
        service.clock.advance(90);
    }
    assert_eq!(service.failures("alice").await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_requests_with_one_code_of_any_other_type_exactly_one_is_accepted_7() {
    let service = Service::start().await;
    for round in 0..20 {
        for kind in ["account", "login", "totp"] {
            let mut account = Account::default();
            let mut code = "135790".to_owned();
            match kind {
                "account" => account.account_code = Some(issued(&service, &code)),
                "login" => account.login_code = Some(issued(&service, &code)),
                _ => {
                    account.authenticators = vec![credential(OTHER_SECRET)];
                    code = service.code_of(OTHER_SECRET, 0);
                }
            }
            let subject = format!("{kind}-{round}");
            service.insert(&subject, account).await;
            race(&service, &subject, &code, &[kind], 64).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_requests_to_two_services_on_one_store_exactly_one_is_accepted_4() {
    one_code_two_services(&Service::start().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_requests_to_two_services_on_one_postgres_exactly_one_is_accepted_4() {
    let Some(service) = Service::start_on_postgres().await else { return };
    one_code_two_services(&service).await;
}

async fn one_code_two_services(service: &Service) {
    let beside = service.start_beside().await;
    assert_ne!(beside.address, service.running.address);
    service.provision_device("alice").await;
    for _ in 0..40 {
        let body = json!({ "otp": service.code(0) }).to_string();
        let request = service.verify_request("alice", &[JSON], body);
        let requests = (0..32).map(|number| {
            let address = if number % 2 == 0 { service.running.address } else { beside.address };
            (address, request.clone())
        });
        let answers = all_at_once(requests.collect()).await;
        assert_eq!((count(&answers, 204), count(&answers, 404)), (1, 31));
        assert_lawful(|_| ONE_CODE, &answers, false);
        service.clock.advance(30);
    }
    assert_eq!(service.failures("alice").await, 0);
}
