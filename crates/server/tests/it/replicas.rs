//! Three replicas of the service on one PostgreSQL, with requests dealt out to them in turn as a load balancer does: they
//! are one service, with one count, one wait, and one success for each code.

mod clocks;

use crate::api::idempotency::{DEVICES, KEY, PIN, keyed};
use crate::harness::history::{Asked, CodeId};
use crate::harness::is_long;
use crate::harness::mail_server::MailServer;
use crate::harness::postgres::PostgresServer;
use crate::harness::service::{SECRET, Service, VERIFY};
use crate::harness::wire::JSON;
use crate::http::client::{Answer, Client};
use crate::races::{all_at_once, assert_lawful, count};
use einmal::run::Running;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};

const REPLICAS: usize = 3;

struct Replicas {
    /// The first of them, which knows what they have in common.
    service: Service,
    others: Vec<Running>,
    next: AtomicUsize,
}

impl Replicas {
    /// `None` where there is no PostgreSQL.
    async fn start() -> Option<Self> {
        Self::start_with("").await
    }

    async fn start_with(settings: &str) -> Option<Self> {
        let database = PostgresServer::shared()?.database();
        let service = Service::start_with(&format!("{settings}{}", database.section())).await;
        let mut others = Vec::new();
        while others.len() < REPLICAS - 1 {
            others.push(service.start_beside().await);
        }
        Some(Self { service, others, next: AtomicUsize::new(0) })
    }

    async fn start_mailing() -> Option<(Self, MailServer)> {
        let server = MailServer::start().await;
        Some((Self::start_with(&server.settings()).await?, server))
    }

    fn addresses(&self) -> Vec<SocketAddr> {
        let others = self.others.iter().map(|other| other.address);
        [self.service.running.address].into_iter().chain(others).collect()
    }

    fn next(&self) -> SocketAddr {
        self.addresses()[self.next.fetch_add(1, Ordering::Relaxed) % REPLICAS]
    }

    /// To whoever's turn it is.
    async fn send(&self, request: impl AsRef<[u8]>) -> Answer {
        Client::connect(self.next()).await.request(request).await
    }

    /// The answers of all of them, one after the other.
    async fn send_to_each(&self, request: &[u8]) -> Vec<Answer> {
        let mut answers = Vec::new();
        for address in self.addresses() {
            answers.push(Client::connect(address).await.request(request).await);
        }
        answers
    }

    /// At once, each to the next one.
    async fn deal(&self, requests: impl IntoIterator<Item = Vec<u8>>) -> Vec<Answer> {
        all_at_once(requests.into_iter().map(|request| (self.next(), request)).collect()).await
    }

    fn try_code(&self, subject: &str, code: &str) -> Vec<u8> {
        self.service.verify_request(subject, &[JSON], json!({ "otp": code }).to_string())
    }

    fn keyed(&self, line: &str, body: &Value) -> Vec<u8> {
        keyed(line, &self.service.token("alice"), KEY, body)
    }
}

fn pin(pin: &str, otp: &str) -> Value {
    json!({ "data": { "type": "pin", "attributes": { "pin": pin, "otp": otp } } })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_64_tries_of_one_code_on_three_replicas_exactly_one_is_accepted_4() {
    let Some(replicas) = Replicas::start().await else { return };
    let service = &replicas.service;
    service.provision_device("alice").await;
    for round in 0..if is_long() { 200 } else { 40 } {
        let request = replicas.try_code("alice", &service.code(0));
        let answers = replicas.deal(vec![request; 64]).await;
        assert_eq!((count(&answers, 204), count(&answers, 404)), (1, 63), "round {round}");
        assert_lawful(|_| Asked::Right(CodeId { account: 0, step: round }), &answers, false);
        service.clock.advance(30);
    }
    assert_eq!(service.failures("alice").await, 0, "those that lost are replays and no guesses");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn guesses_dealt_to_three_replicas_have_one_count_and_one_wait_102() {
    let Some(replicas) = Replicas::start().await else { return };
    let service = &replicas.service;
    service.provision_device("alice").await;
    for number in 0..5 {
        let guess = replicas.try_code("alice", &service.wrong_code(number));
        assert_eq!(replicas.send(&guess).await.told(), (404, None), "guess {number}");
    }
    for wait in ["30", "60", "120"] {
        let right = replicas.try_code("alice", &service.code(0));
        for (place, answer) in replicas.send_to_each(&right).await.into_iter().enumerate() {
            assert_eq!(answer.told(), (404, Some(wait)), "replica {place}");
            assert_eq!(answer.code(), "otp-invalid");
        }
        service.clock.advance(wait.parse().unwrap());
        let guess = replicas.try_code("alice", &service.wrong_code(0));
        assert_eq!(replicas.send(&guess).await.told(), (404, None), "one try, on whichever");
    }
    assert_eq!(service.failures("alice").await, 8);
    service.clock.advance(240);
    let right = replicas.try_code("alice", &service.code(0));
    let statuses: Vec<_> =
        replicas.send_to_each(&right).await.into_iter().map(|answer| answer.status).collect();
    assert_eq!(statuses, [204, 404, 404]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_guesses_at_three_replicas_at_once_five_are_looked_at_103() {
    let Some(replicas) = Replicas::start().await else { return };
    let service = &replicas.service;
    for round in 0..if is_long() { 200 } else { 20 } {
        let subject = format!("alice-{round}");
        service.provision_device(&subject).await;
        let guesses = (0..48).map(|number| replicas.try_code(&subject, &service.wrong_code(number)));
        let answers = replicas.deal(guesses).await;
        assert_eq!(count(&answers, 404), 48, "{answers:?}");
        let looked_at = answers.iter().filter(|answer| answer.header("retry-after").is_none()).count();
        assert_eq!((looked_at, service.failures(&subject).await), (5, 5), "round {round}");
        assert_lawful(|_| Asked::Wrong { account: 0 }, &answers, false);
        let right = replicas.try_code(&subject, &service.code(0));
        for answer in replicas.send_to_each(&right).await {
            assert_eq!(answer.told(), (404, Some("30")));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_secret_that_took_its_guesses_on_three_replicas_is_suspended_on_all_95_102() {
    let Some(replicas) = Replicas::start().await else { return };
    let service = &replicas.service;
    for (subject, guesses, statuses) in [("spared", 99, [204, 404, 404]), ("suspended", 100, [404; 3])] {
        service.provision_device(subject).await;
        for _ in 0..guesses {
            let guess = replicas.try_code(subject, &service.wrong_code(0));
            assert_eq!(replicas.send(&guess).await.told(), (404, None));
            service.clock.advance(3_600);
        }
        let right = replicas.try_code(subject, &service.code(0));
        let answers = replicas.send_to_each(&right).await;
        assert_eq!(answers.iter().map(|answer| answer.status).collect::<Vec<_>>(), statuses, "{subject}");
        assert!(answers.iter().all(|answer| answer.header("retry-after").is_none()), "{subject}");
    }
}

/// Three bursts a minute for eight minutes: one mail a minute until the hour has had its five.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn three_replicas_mail_once_a_minute_and_five_times_an_hour_137() {
    let Some((replicas, server)) = Replicas::start_mailing().await else { return };
    let service = &replicas.service;
    for minute in 1..=8 {
        for burst in 0..3 {
            let request = service.mail_request("alice", &json!({}), &[]);
            let answers = replicas.deal(vec![request; 24]).await;
            let (sent, status) = if minute <= 5 { (minute, 204) } else { (5, 429) };
            assert_eq!(count(&answers, status), 24, "minute {minute}, burst {burst}: {answers:?}");
            assert_eq!(server.mails().len(), sent, "minute {minute}, burst {burst}");
            service.clock.advance(19);
        }
        service.clock.advance(3);
    }
    // 8 minutes after the first one.
    service.clock.advance(3_600 - 8 * 60 - 1);
    let request = service.mail_request("alice", &json!({}), &[]);
    for answer in replicas.send_to_each(&request).await {
        assert_eq!(answer.told(), (429, Some("1")));
    }
    service.clock.advance(1);
    assert_eq!(replicas.send(&request).await.status, 204);
    assert_eq!(server.mails().len(), 6);
    let code = server.mails().pop().unwrap().code();
    let body = json!({ "otp": code, "types": ["login"] }).to_string();
    let answers = replicas.deal(vec![service.verify_request("alice", &[JSON], body); 24]).await;
    assert_eq!((count(&answers, 204), count(&answers, 404)), (1, 23));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_repeat_on_another_replica_is_answered_as_the_first_and_another_body_is_refused() {
    let Some(replicas) = Replicas::start().await else { return };
    let service = &replicas.service;
    service.provision(&json!({ "id": "alice", "pin": "8299", "deviceTotps": [{ "secret": SECRET }] })).await;
    let verify = format!("POST {VERIFY}");
    let first = replicas.send(replicas.keyed(&verify, &json!({ "otp": service.code(0) }))).await;
    assert_eq!(first.status, 204);
    for answer in replicas.send_to_each(&replicas.keyed(&verify, &json!({ "otp": service.code(0) }))).await {
        assert_eq!(answer.whole(), first.whole());
    }
    for answer in replicas.send_to_each(&replicas.keyed(&verify, &json!({ "otp": service.code(1) }))).await {
        assert_eq!((answer.status, answer.code().as_str()), (422, "idempotency-key-reused"));
    }
    assert_eq!(service.verify("alice", &service.code(1)).await, 204, "it was not touched");
    assert_eq!(service.failures("alice").await, 0);

    let enrol = replicas.keyed(
        &format!("POST {DEVICES}"),
        &json!({ "data": { "type": "deviceTOTP", "attributes": { "pin": "8299" } } }),
    );
    let first = replicas.send(&enrol).await;
    assert_eq!(first.status, 201);
    for answer in replicas.send_to_each(&enrol).await {
        assert_eq!(answer.whole(), first.whole(), "with the same secret");
    }
    assert_eq!(service.look("alice", |account| account.devices.len()).await, 2);
}

/// Three times one body and three times another, each of which would be right alone.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_two_bodies_raced_over_three_replicas_under_one_key_one_is_a_success() {
    let Some(replicas) = Replicas::start().await else { return };
    let service = &replicas.service;
    let devices = json!([{ "secret": SECRET }]);
    let mut winners = [0; 2];
    for round in 0..if is_long() { 200 } else { 30 } {
        let subject = format!("alice-{round}");
        service.provision(&json!({ "id": subject, "deviceTotps": devices })).await;
        let token = service.token(&subject);
        let bodies = [pin("4378", &service.code(0)), pin("8299", &service.code(1))];
        let requests =
            (0..6).map(|number| keyed(&format!("PUT {PIN}"), &token, KEY, &bodies[(number + round) % 2]));
        let answers = replicas.deal(requests).await;
        let of = |body: usize| -> Vec<u16> {
            let own = answers.iter().enumerate().filter(|(number, _)| (number + round) % 2 == body);
            own.map(|(_, answer)| answer.status).collect()
        };
        let won = usize::from(of(0)[0] != 200);
        winners[won] += 1;
        assert_eq!((of(won), of(1 - won)), (vec![200; 3], vec![422; 3]), "round {round}");
        for (body, pin) in ["4378", "8299"].into_iter().enumerate() {
            let request = service.create_request(&subject, json!({ "pin": pin }).to_string());
            assert_eq!(replicas.send(request).await.status, if body == won { 201 } else { 404 });
        }
    }
    assert!(winners.iter().all(|won| *won > 0), "one body always wins: {winners:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_code_that_one_replica_makes_is_good_once_on_another() {
    let Some(replicas) = Replicas::start().await else { return };
    let service = &replicas.service;
    service.provision(&json!({ "id": "alice", "pin": "8299" })).await;
    for (maker, made_at) in replicas.addresses().into_iter().enumerate() {
        for (taker, taken_at) in replicas.addresses().into_iter().enumerate() {
            let create = service.create_request("alice", json!({ "pin": "8299" }).to_string());
            let code = Client::connect(made_at).await.request(create).await.otp();
            let verify = replicas.try_code("alice", &code);
            let taken = Client::connect(taken_at).await.request(&verify).await;
            assert_eq!(taken.status, 204, "made at {maker}, taken at {taker}");
            for answer in replicas.send_to_each(&verify).await {
                assert_eq!(answer.status, 404);
            }
        }
        let create = service.create_request("alice", json!({ "pin": "8299" }).to_string());
        let code = Client::connect(made_at).await.request(create).await.otp();
        let answers = replicas.deal(vec![replicas.try_code("alice", &code); 24]).await;
        assert_eq!((count(&answers, 204), count(&answers, 404)), (1, 23));
    }
    assert_eq!(service.failures("alice").await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_pin_that_is_set_on_one_replica_counts_on_all() {
    let Some(replicas) = Replicas::start().await else { return };
    let service = &replicas.service;
    service.provision(&json!({ "id": "alice", "pin": "1379", "deviceTotps": [{ "secret": SECRET }] })).await;
    let mut old = "1379";
    for new in ["8299", "4378", "9158"] {
        let set = replicas.send(service.pin_request("alice", &pin(new, &service.code(0)))).await;
        assert_eq!(set.status, 200);
        for (pin, status) in [(new, 201), (old, 404)] {
            let create = service.create_request("alice", json!({ "pin": pin }).to_string());
            for (place, answer) in replicas.send_to_each(&create).await.into_iter().enumerate() {
                assert_eq!(answer.status, status, "{pin} on {place}");
            }
        }
        // The old one was offered three times.
        let create = service.create_request("alice", json!({ "pin": new }).to_string());
        assert_eq!(replicas.send(&create).await.status, 201);
        old = new;
        service.clock.advance(30);
    }
    let wrong = (0..5).map(|number| json!({ "pin": format!("135{number}") }).to_string());
    for body in wrong {
        assert_eq!(replicas.send(service.create_request("alice", body)).await.told(), (404, None));
    }
    let right = service.create_request("alice", json!({ "pin": old }).to_string());
    for answer in replicas.send_to_each(&right).await {
        assert_eq!(answer.told(), (404, Some("30")), "they died of five wrong ones together");
    }
}
