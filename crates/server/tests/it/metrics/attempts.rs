//! Attempts, and what guards against guessing.

use super::growth;
use crate::api::authenticators::AUTHENTICATORS;
use crate::api::create_otp::CREATE;
use crate::harness::service::Service;
use crate::http::client::within_patience;
use crate::http::given_up::guess_and_leave;
use einmal_core::otp::{Algorithm, Parameters};
use serde_json::json;
use std::sync::mpsc::{Sender, channel};
use std::thread;
use tokio::task::yield_now;

const JSON: &str = "application/json";
const JSON_API: &str = "application/vnd.api+json";

fn verifications(kind: &str, outcome: &str) -> String {
    format!("einmal_verifications_total{{type=\"{kind}\",outcome=\"{outcome}\"}}")
}

#[tokio::test]
async fn every_outcome_of_a_verification_is_counted_under_its_own_name() {
    let service = Service::start().await;
    service.provision_device("alice").await;
    service.provision(&json!({ "id": "empty" })).await;
    let right = service.code(0);
    let wrong = service.wrong_code(0);
    let asked = "account+device-totp";
    assert_eq!(service.metric(&verifications("device-totp", "accepted")).await, 0, "before the first one");
    for (subject, otp, kind, outcome) in [
        ("alice", right.as_str(), "device-totp", "accepted"),
        ("alice", right.as_str(), asked, "replayed"),
        ("alice", wrong.as_str(), asked, "wrong"),
        ("alice", "12345", asked, "not_a_code"),
        ("empty", wrong.as_str(), asked, "nothing_enrolled"),
        ("nobody", wrong.as_str(), asked, "unknown_account"),
    ] {
        let series = verifications(kind, outcome);
        let grown = growth(&service, [&series], async || _ = service.verify(subject, otp).await).await;
        assert_eq!(grown, [1], "{series}");
    }
    service.fail("alice", 4).await;
    let series = verifications(asked, "throttled");
    let throttled = "einmal_throttled_total{of=\"code\"}";
    let grown = growth(&service, [&series, throttled], async || {
        assert_eq!(service.verify("alice", &service.code(1)).await, 404);
    });
    assert_eq!(grown.await, [1, 1]);
    let whole = service.metrics().await;
    let total: u64 = ["accepted", "replayed", "wrong", "not_a_code", "nothing_enrolled", "unknown_account"]
        .map(|outcome| {
            let kind = if outcome == "accepted" { "device-totp" } else { asked };
            whole.value(&verifications(kind, outcome))
        })
        .iter()
        .sum();
    assert_eq!(total, 10, "each attempt is counted once");
}

/// Or else many guesses could be made that no alarm hears of.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_guess_whose_answer_nobody_waits_for_is_counted_here_as_in_the_account() {
    let service = Service::start().await;
    let series = verifications("account+device-totp", "wrong");
    let guesses: u64 = guess_and_leave(&service).await.values().sum();
    within_patience("the count", async { while service.metric(&series).await < guesses {} }).await;
    assert_eq!(service.metric(&series).await, guesses);
}

/// The same of PINs and passwords, and of what they were for: nothing is compared until the clients have gone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_comes_of_a_pin_is_counted_when_nobody_waits_for_the_answer() {
    let service = Service::start().await;
    for subject in ["alice", "bob", "carol"] {
        service.provision(&json!({ "id": subject, "pin": "8299" })).await;
    }
    let enrol = json!({ "data": { "type": "authenticator", "attributes": { "pin": "8299" } } });
    let asked = [
        ("alice", CREATE, JSON, json!({ "pin": "0001" }), "einmal_codes_created_total{outcome=\"wrong\"}"),
        ("bob", CREATE, JSON, json!({ "pin": "8299" }), "einmal_codes_created_total{outcome=\"created\"}"),
        ("carol", AUTHENTICATORS, JSON_API, enrol, "einmal_authenticators_total{outcome=\"begun\"}"),
    ];
    let open = async || service.metric("einmal_connections_open").await;
    let before = open().await;
    let held = hold_hashing(&service).await;
    let mut clients = Vec::new();
    for (subject, path, media_type, body, _) in &asked {
        clients.push(service.ask_and_have_it_read(subject, path, media_type, body).await);
        within_patience("its turn", async { while service.proof_failures(subject).await.1 == 0 {} }).await;
    }
    drop(clients);
    within_patience("their leaving", async { while open().await > before {} }).await;
    drop(held);
    for (.., series) in asked {
        within_patience(series, async { while service.metric(series).await == 0 {} }).await;
        assert_eq!(service.metric(series).await, 1, "{series}");
    }
}

/// Until what it returns is dropped.
async fn hold_hashing(service: &Service) -> Vec<Sender<()>> {
    let pool = service.running.accounts().hashing();
    // One core is left to others.
    let threads = (thread::available_parallelism().unwrap().get() - 1).max(1);
    let hold_one = |_| {
        let (release, held) = channel::<()>();
        let place = pool.enter().unwrap();
        tokio::spawn(async move { place.run(move || held.recv()).await });
        release
    };
    let releases = (0..threads).map(hold_one).collect();
    within_patience("all threads", async {
        while pool.load().0 < threads {
            yield_now().await;
        }
    })
    .await;
    releases
}

#[tokio::test]
async fn a_code_that_proves_who_is_asking_is_counted_as_one_that_is_verified() {
    let service = Service::start().await;
    service.provision_device("alice").await;
    service.provision_device("bob").await;
    let any = "login+account+totp+device-totp";
    let (code, wrong) = (service.code(0), service.wrong_code(0));
    for (otp, kind, outcome) in [
        (&*code, "device-totp", "accepted"),
        (&*code, any, "repeated"),
        (&*wrong, any, "wrong"),
        ("12345", any, "not_a_code"),
    ] {
        let (series, key) = (verifications(kind, outcome), format!("of-the-code-{otp}"));
        let set = async || drop(service.set_pin_keyed("alice", &key, "8299", otp).await);
        assert_eq!(growth(&service, [&series], set).await, [1], "{series} for a PIN");
        let enrol = async || drop(service.enrol_keyed("bob", &key, &json!({ "otp": otp })).await);
        assert_eq!(growth(&service, [&series], enrol).await, [1], "{series} for a device");
    }
    assert_eq!(service.metrics().await.sum("einmal_verifications_total"), 8, "each once");
}

#[tokio::test]
async fn an_accepted_code_is_counted_under_the_type_that_took_it() {
    let service = Service::start().await;
    service.provision(&json!({ "id": "alice", "pin": "8299" })).await;
    service.provision_device("bob").await;
    let code = service.create("alice", json!({ "pin": "8299" })).await.otp();
    let account = verifications("account", "accepted");
    let device = verifications("device-totp", "accepted");
    let both = [account.as_str(), device.as_str()];
    let grown = growth(&service, both, async || assert_eq!(service.verify("alice", &code).await, 204));
    assert_eq!(grown.await, [1, 0]);
    let types = ["login", "account", "totp", "device-totp"];
    let grown = growth(&service, both, async || {
        assert_eq!(service.verify_as("bob", &service.code(0), &types).await, 204);
    });
    assert_eq!(grown.await, [0, 1]);
}

#[tokio::test]
async fn waits_and_suspensions_are_counted_when_they_begin() {
    let service = Service::start().await;
    service.provision_device("alice").await;
    let waits = "einmal_waits_begun_total{of=\"code\"}";
    let suspended = "einmal_suspensions_total{of=\"totp\"}";
    assert_eq!(growth(&service, [waits], async || service.fail("alice", 4).await).await, [0]);
    assert_eq!(growth(&service, [waits], async || service.fail("alice", 1).await).await, [1]);
    service.clock.advance(30);
    assert_eq!(growth(&service, [waits], async || service.fail("alice", 1).await).await, [1], "the next one");

    service.provision_device("bob").await;
    service.change("bob", |account| account.devices[0].progress.failures = 98).await;
    assert_eq!(growth(&service, [suspended], async || service.fail("bob", 1).await).await, [0]);
    assert_eq!(growth(&service, [suspended], async || service.fail("bob", 1).await).await, [1]);
    let again = growth(&service, [suspended], async || service.fail("bob", 1).await);
    assert_eq!(again.await, [0], "it was suspended before");
}

#[tokio::test]
async fn authenticators_are_counted_on_their_way_to_be_live() {
    let service = Service::start().await;
    service.provision(&json!({ "id": "alice", "pin": "8299" })).await;
    let [begun, confirmed, adjusted, wrong] = ["begun", "confirmed", "adjusted", "wrong"]
        .map(|outcome| format!("einmal_authenticators_total{{outcome=\"{outcome}\"}}"));
    let series = [begun.as_str(), &confirmed, &adjusted, &wrong];
    let mut made = None;
    let grown = growth(&service, series, async || made = Some(service.begin("alice").await));
    assert_eq!(grown.await, [1, 0, 0, 0]);
    let made = made.unwrap();
    let grown = growth(&service, series, async || drop(service.confirm("alice", &made.id, "no code").await));
    assert_eq!(grown.await, [0, 0, 0, 1]);
    let code = service.code_of(&made.secret, 0);
    for expected in [[0, 1, 0, 0], [0; 4]] {
        let grown = growth(&service, series, async || drop(service.confirm("alice", &made.id, &code).await));
        assert_eq!(grown.await, expected);
    }
    let other = service.begin("alice").await;
    let eight = Parameters::new(Algorithm::Sha1, 8, 30).unwrap();
    let shown = service.shown_by(&other.secret, eight, 0);
    let grown = growth(&service, series, async || drop(service.confirm("alice", &other.id, &shown).await));
    assert_eq!(grown.await, [0, 0, 1, 0]);
}

#[tokio::test]
async fn what_comes_of_asking_for_a_code_is_counted_and_so_is_the_death_of_a_pin() {
    let service = Service::start_administered().await;
    service.provision(&json!({ "id": "alice", "pin": "8299", "password": "correct horse" })).await;
    let codes = |outcome| format!("einmal_codes_created_total{{outcome=\"{outcome}\"}}");
    let [created, told, wrong, throttled] = ["created", "told", "wrong", "throttled"].map(codes);
    let waits = "einmal_waits_begun_total{of=\"pin\"}";
    let (dead, of_pin) = ("einmal_suspensions_total{of=\"pin\"}", "einmal_throttled_total{of=\"pin\"}");
    let compared = "einmal_stage_duration_seconds_count{stage=\"compare\"}";
    let of_password = "einmal_waits_begun_total{of=\"password\"}";
    let series = [&created, &told, &wrong, &throttled, waits, dead, of_pin, compared, of_password];
    let ask = async |offered| drop(service.create("alice", offered).await);
    let grown = growth(&service, series, async || ask(json!({ "pin": "8299" })).await);
    assert_eq!(grown.await, [1, 0, 0, 0, 0, 0, 0, 1, 0]);
    let grown = growth(&service, series, async || drop(service.told_code().await));
    assert_eq!(grown.await, [0, 1, 0, 0, 0, 0, 0, 0, 0]);
    let grown = growth(&service, series, async || {
        for _ in 0..5 {
            ask(json!({ "pin": "0001" })).await;
        }
    });
    assert_eq!(grown.await, [0, 0, 5, 0, 1, 1, 0, 5, 0]);
    let grown = growth(&service, series, async || ask(json!({ "pin": "8299" })).await);
    assert_eq!(grown.await, [0, 0, 0, 1, 0, 0, 1, 0, 0]);
    let grown = growth(&service, series, async || {
        for _ in 0..5 {
            ask(json!({ "password": "wrong" })).await;
        }
    });
    assert_eq!(grown.await, [0, 0, 5, 0, 0, 0, 0, 5, 1]);
}
