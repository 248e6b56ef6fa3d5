//! Many requests at the same moment. However they fall, one code is accepted once, and guesses are counted.

use crate::api::authenticators;
use crate::api::devices::device_request;
use crate::api::{OTHER_SECRET, credential, issued};
use crate::harness::history::{self, Asked, Attempt, CodeId, Outage};
use crate::harness::is_long;
use crate::harness::service::{SECRET, Service, VERIFY};
use crate::harness::wire::{JSON, request};
use crate::http::client::{Answer, Client};
use einmal_core::account::{Account, check_pin};
use serde_json::json;
use std::net::SocketAddr;
use std::slice;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Barrier;

/// Sends the requests at once, each on a connection of its own. The answers are in their order.
pub(crate) async fn all_at_once(requests: Vec<(SocketAddr, Vec<u8>)>) -> Vec<Answer> {
    let start = Arc::new(Barrier::new(requests.len()));
    let mut clients = Vec::with_capacity(requests.len());
    for (address, request) in requests {
        let start = Arc::clone(&start);
        clients.push(tokio::spawn(async move {
            let mut client = Client::connect(address).await;
            start.wait().await;
            client.request(request).await
        }));
    }
    let mut answers = Vec::with_capacity(clients.len());
    for client in clients {
        answers.push(client.await.unwrap());
    }
    answers
}

pub(crate) fn count(answers: &[Answer], status: u16) -> usize {
    answers.iter().filter(|answer| answer.status == status).count()
}

/// What the judge of histories says of answers to requests that were under way at the same time. `may_crowd`: whether
/// there may have been too many for one account.
pub(crate) fn assert_lawful(asked: impl Fn(usize) -> Asked, answers: &[Answer], may_crowd: bool) {
    let [from, until] = [0, 1].map(Duration::from_secs);
    let attempt = |(number, answer): (usize, &Answer)| Attempt {
        asked: asked(number),
        target: 0,
        started: from,
        ended: until,
        answer: history::Answer::of(answer.status, answer.header("retry-after").is_some()),
    };
    let attempts: Vec<_> = answers.iter().enumerate().map(attempt).collect();
    let crowding = Outage { target: 0, from, until };
    history::assert_lawful(&attempts, if may_crowd { slice::from_ref(&crowding) } else { &[] }, "a race");
}

/// The one code of a race.
const ONE_CODE: Asked = Asked::Right(CodeId { account: 0, step: 0 });

pub(crate) async fn race(service: &Service, subject: &str, code: &str, types: &[&str], width: usize) {
    let body = json!({ "otp": code, "types": types }).to_string();
    let request = service.verify_request(subject, &[JSON], body);
    let answers = all_at_once(vec![(service.running.address, request); width]).await;
    assert_eq!((count(&answers, 204), count(&answers, 404)), (1, width - 1), "{subject} {code} {types:?}");
    assert_lawful(|_| ONE_CODE, &answers, false);
}

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

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn failures_that_two_services_see_at_once_are_all_counted_103() {
    guesses_at_two_services(&Service::start().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn failures_that_two_services_on_one_postgres_see_at_once_are_all_counted_103() {
    let Some(service) = Service::start_on_postgres().await else { return };
    guesses_at_two_services(&service).await;
}

async fn guesses_at_two_services(service: &Service) {
    let beside = service.start_beside().await;
    for round in 0..20 {
        let subject = format!("alice-{round}");
        service.provision_device(&subject).await;
        let requests = (0..16).map(|number| {
            let body = json!({ "otp": service.wrong_code(number) }).to_string();
            let address = if number % 2 == 0 { service.running.address } else { beside.address };
            (address, service.verify_request(&subject, &[JSON], body))
        });
        let answers = all_at_once(requests.collect()).await;
        assert_eq!(count(&answers, 404), 16);
        let evaluated = answers.iter().filter(|answer| answer.header("retry-after").is_none()).count();
        assert_eq!((evaluated, service.failures(&subject).await), (5, 5));
        assert_lawful(|_| Asked::Wrong { account: 0 }, &answers, false);
    }
}

/// More than may wait for one account: 200 of which one has the right code.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_200_guesses_at_once_five_are_looked_at_and_counted_103() {
    const GUESSES: usize = 200;
    let rounds = if is_long() { 2_000 } else { 30 };
    let service = Service::start().await;
    let (mut hits, mut crowded) = (0, 0);
    for round in 0..rounds {
        let subject = format!("alice-{round}");
        service.provision_device(&subject).await;
        // Spread over all places, in an order of its own.
        let place = (round * 73 + 41) % GUESSES;
        let requests = (0..GUESSES).map(|number| {
            let code = if number == place { service.code(0) } else { service.wrong_code(number) };
            let request = service.verify_request(&subject, &[JSON], json!({ "otp": code }).to_string());
            (service.running.address, request)
        });
        let answers = all_at_once(requests.collect()).await;
        let accepted = count(&answers, 204);
        let evaluated = answers
            .iter()
            .filter(|answer| answer.status == 404 && answer.header("retry-after").is_none())
            .count();
        let turned_away: Vec<_> = answers.iter().filter(|answer| answer.status == 503).collect();
        assert_eq!(accepted + count(&answers, 404) + turned_away.len(), GUESSES);
        assert!(turned_away.iter().all(|answer| answer.code() == "unavailable"));
        assert!(turned_away.iter().all(|answer| answer.header("retry-after").is_some()));
        // A hit gives five more tries: up to four failures before it, and five after.
        let expected = if accepted == 0 { 5..=5 } else { 5..=9 };
        assert!(expected.contains(&evaluated), "{evaluated} wrong guesses looked at, {accepted} accepted");
        assert_eq!(service.failures(&subject).await, 5);
        let asked = |number| if number == place { ONE_CODE } else { Asked::Wrong { account: 0 } };
        assert_lawful(asked, &answers, true);
        hits += accepted;
        crowded += turned_away.len();
    }
    // 5 in 200 is the chance of each round. Ten of 30 happen once in ten million runs, 90 of 2,000 are six
    // standard deviations off.
    assert!(hits < if is_long() { 90 } else { 10 }, "{hits} hits in {rounds} rounds");
    assert!(crowded > 0, "nobody was turned away");
}

/// All the answers to these PINs, offered at once.
async fn offer(service: &Service, pins: &[String]) -> Vec<Answer> {
    let request = |pin| service.create_request("alice", json!({ "pin": pin }).to_string());
    all_at_once(pins.iter().map(|pin| (service.running.address, request(pin))).collect()).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_200_pins_at_once_five_are_compared_and_then_the_pin_is_dead_103() {
    let service = Service::start().await;
    service.provision(&json!({ "id": "alice", "pin": "8299" })).await;
    let wrong: Vec<_> = (0..200).map(|number| format!("{:04}", 1_000 + number)).collect();
    let answers = offer(&service, &wrong).await;
    let looked_at = |answer: &&Answer| answer.status == 404 && answer.header("retry-after").is_none();
    assert_eq!(answers.iter().filter(looked_at).count(), 5);
    assert!(answers.iter().all(|answer| answer.status == 404 || answer.status == 503), "{answers:?}");
    assert_eq!(service.proof_failures("alice").await, (0, 5));
    service.clock.advance(30);
    assert_eq!(count(&offer(&service, &["8299".to_owned()]).await, 404), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn right_pins_at_once_cost_nothing_and_the_last_code_is_good() {
    let service = Service::start().await;
    service.provision(&json!({ "id": "alice", "pin": "8299" })).await;
    let answers = offer(&service, &vec!["8299".to_owned(); 4]).await;
    assert_eq!(count(&answers, 201), 4);
    assert_eq!(service.proof_failures("alice").await, (0, 0));
    let codes: Vec<String> = answers.iter().map(Answer::otp).collect();
    let mut accepted = 0;
    for code in codes {
        accepted += usize::from(service.verify("alice", &code).await == 204);
    }
    assert_eq!(accepted, 1);
}

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

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_right_value_stays_right_while_its_hash_is_replaced_by_another_request() {
    /// Of another system, and slow enough for all to be compared with it.
    const SLOW_BCRYPT: &str = "$2y$12$3RrIoUP2MlLK/smblu/Mau6FvWn/HphMsIHfHkPRiIWRS3u479iO6";
    let service = Service::start().await;
    service.provision(&json!({ "id": "alice", "passwordHash": SLOW_BCRYPT })).await;
    let request = service.create_request("alice", json!({ "password": "correct horse" }).to_string());
    let answers = all_at_once(vec![(service.running.address, request); 3]).await;
    assert_eq!(answers.iter().map(|answer| answer.status).collect::<Vec<_>>(), [201; 3]);
    assert_eq!(service.proof_failures("alice").await, (0, 0));
}
