//! Passwords that the issuer judges: what is counted, how often it is asked, and that nobody is held up by it.

use super::create_otp::PIN;
use super::direct_grant::{PASSWORD, World, no};
use crate::harness::issuer::{Answer, GRANT};
use crate::http::client::{Answer as Told, Client};
use crate::races::all_at_once;
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

fn wrong() -> Value {
    json!({ "password": "wrong" })
}

fn both(pin: &str) -> Value {
    json!({ "password": PASSWORD, "pin": pin })
}

/// Waits for what another task does, and fails the test if it does not.
async fn eventually(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !is_so().await {
        assert!(Instant::now() < deadline, "never: {what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

#[tokio::test]
async fn of_password_and_pin_the_issuer_is_asked_first_and_once() {
    let world = World::start().await;
    assert_eq!(world.create("alice", both("1235")).await.status, 201);
    assert_eq!(world.service.proof_failures("alice").await, (0, 0), "the PIN was not looked at");
    assert_eq!(world.asked(), 1);
    assert_eq!(world.create("alice", json!({ "pin": PIN })).await.status, 201);
    assert_eq!(world.asked(), 1, "nobody has offered a password");
}

#[tokio::test]
async fn a_right_pin_beside_a_wrong_password_is_enough_and_the_password_is_counted_178() {
    let world = World::start().await;
    world.says_no();
    assert_eq!(world.create("alice", both(PIN)).await.status, 201);
    assert_eq!(world.service.proof_failures("alice").await, (1, 0));
    assert_eq!(world.create("alice", both("1235")).await.status, 404);
    assert_eq!(world.service.proof_failures("alice").await, (2, 1));
}

#[tokio::test]
async fn without_a_verdict_the_pin_beside_it_is_not_looked_at() {
    let world = World::start().await;
    for (answer, failures) in
        [(Answer::Text { status: 429, body: String::new() }, 0), (Answer::HangUp, 1), (Answer::HangUp, 2)]
    {
        world.judge.answer(GRANT, answer);
        for pin in ["1235", PIN] {
            world.service.change("alice", move |account| account.password_throttle.failures = failures).await;
            assert_eq!(world.create("alice", both(pin)).await.told(), (503, Some("5")));
        }
        assert_eq!(world.service.proof_failures("alice").await.1, 0);
    }
}

#[tokio::test]
async fn after_five_wrong_passwords_the_issuer_is_not_asked_until_the_wait_is_over() {
    let mut world = World::start().await;
    world.says_no();
    for subject in ["alice", "nobody"] {
        let before = world.asked();
        for attempt in 1..=3 {
            assert_eq!(world.create(subject, wrong()).await.told(), (404, None));
            assert_eq!(world.service.proof_failures(subject).await, (attempt, 0));
        }
        // What was counted outlives the process.
        world = World { service: world.service.restart().await, judge: world.judge };
        for _ in 4..=5 {
            assert_eq!(world.create(subject, wrong()).await.told(), (404, None));
        }
        for _ in 0..3 {
            assert_eq!(world.create(subject, wrong()).await.told(), (404, Some("30")));
        }
        assert_eq!(world.asked() - before, 5);
    }
    world.says_yes_to("alice");
    let right = json!({ "password": PASSWORD });
    assert_eq!(world.create("alice", right.clone()).await.told(), (404, Some("30")), "the owner waits, too");
    world.service.clock.advance(30);
    assert_eq!(world.create("alice", right).await.status, 201);
    assert_eq!(world.service.proof_failures("alice").await, (0, 0));
    assert_eq!(world.asked(), 11);
}

fn looked_at(answers: &[Told]) -> usize {
    answers.iter().filter(|answer| answer.status == 404 && answer.header("retry-after").is_none()).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_200_passwords_at_once_the_issuer_is_asked_about_five_103() {
    let world = World::start().await;
    world.says_no();
    let request = |number| world.request("alice", &json!({ "password": format!("guess {number}") }));
    let requests = (0..200).map(|number| (world.service.running.address, request(number)));
    let answers = all_at_once(requests.collect()).await;
    assert_eq!((looked_at(&answers), world.asked()), (5, 5));
    assert!(answers.iter().all(|answer| answer.status == 404 || answer.status == 503), "{answers:?}");
    assert_eq!(world.service.proof_failures("alice").await, (5, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_services_on_one_store_ask_about_five_together_102() {
    guesses_at_two_services(&World::start().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_services_on_one_postgres_ask_about_five_together_102() {
    let Some(world) = World::start_on_postgres().await else { return };
    guesses_at_two_services(&world).await;
}

async fn guesses_at_two_services(world: &World) {
    let beside = world.service.start_beside().await;
    for round in 1..=5 {
        let subject = format!("alice-{round}");
        world.says_no();
        let requests = (0..16).map(|number| {
            let address = if number % 2 == 0 { world.service.running.address } else { beside.address };
            (address, world.request(&subject, &wrong()))
        });
        let answers = all_at_once(requests.collect()).await;
        assert_eq!((looked_at(&answers), world.asked()), (5, 5 * round));
        assert_eq!(world.service.proof_failures(&subject).await, (5, 0));
    }
}

#[tokio::test]
async fn who_hangs_up_on_the_question_has_asked_it() {
    for (answer, outcome, failures) in
        [(Some(no()), "wrong", 1), (Some(Answer::HangUp), "failed", 1), (None, "right", 0)]
    {
        let world = World::start().await;
        let answer = answer.unwrap_or_else(|| Answer::Json(world.tokens(&json!({}))));
        world.judge.answer(GRANT, Answer::Held(Box::new(answer)));
        let mut client = world.service.connect().await;
        client.send(world.request("alice", &json!({ "password": PASSWORD }))).await;
        eventually("the question", async || world.asked() == 1).await;
        assert_eq!(world.service.proof_failures("alice").await, (1, 0), "counted before it is answered");
        drop(client);
        world.judge.release();
        let series = format!("einmal_password_grants_total{{issuer=\"main\",outcome=\"{outcome}\"}}");
        eventually("the verdict", async || world.service.metric(&series).await == 1).await;
        eventually(outcome, async || world.service.proof_failures("alice").await == (failures, 0)).await;
    }
}

#[tokio::test]
async fn what_was_not_judged_is_given_back_beside_guesses_that_were() {
    let world = World::start().await;
    let too_many = Answer::Text { status: 429, body: String::new() };
    world.judge.answer(GRANT, Answer::Held(Box::new(too_many)));
    let mut clients = Vec::new();
    for number in 1..=3 {
        let mut client = world.service.connect().await;
        client.send(world.request("alice", &wrong())).await;
        eventually("the question", async || world.asked() == number).await;
        clients.push(client);
    }
    world.says_no();
    for _ in 0..2 {
        assert_eq!(world.create("alice", wrong()).await.status, 404);
    }
    assert_eq!(world.create("alice", wrong()).await.told(), (404, Some("30")));
    world.judge.release();
    for client in &mut clients {
        assert_eq!(client.answer().await.status, 503);
    }
    assert_eq!(world.service.proof_failures("alice").await, (2, 0));
    world.says_yes_to("alice");
    assert_eq!(
        world.create("alice", json!({ "password": PASSWORD })).await.status,
        201,
        "and no wait is left"
    );
}

#[tokio::test]
async fn an_account_that_is_erased_while_its_issuer_is_asked_gets_no_code() {
    let world = World::start().await;
    let yes = Answer::Json(world.tokens(&json!({})));
    world.judge.answer(GRANT, Answer::Held(Box::new(yes)));
    let mut client = world.service.connect().await;
    client.send(world.request("alice", &json!({ "password": PASSWORD }))).await;
    eventually("the question", async || world.asked() == 1).await;
    let id = einmal_core::account::AccountId::new("main", "alice");
    world.service.running.accounts().delete(&id).await.unwrap();
    world.judge.release();
    assert_eq!(client.answer().await.status, 404);
}

/// Requests with a password each of its own account, whose answers have not come.
async fn ask_for_many(world: &World, subjects: std::ops::Range<usize>) -> JoinSet<(usize, Told)> {
    let mut waiting = JoinSet::new();
    for number in subjects {
        let request = world.request(&format!("user-{number}"), &wrong());
        let mut client = Client::connect(world.service.running.address).await;
        waiting.spawn(async move { (number, client.request(request).await) });
    }
    waiting
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_issuer_is_asked_32_questions_at_once_and_256_wait_while_pins_go_on() {
    let world = World::start().await;
    world.judge.answer(GRANT, Answer::Held(Box::new(no())));
    let mut waiting = ask_for_many(&world, 0..300).await;
    // Those for which there is no place are told so at once, and have not tried.
    for _ in 0..300 - 256 {
        let (number, told) = waiting.join_next().await.unwrap().unwrap();
        assert_eq!(told.told(), (503, Some("5")));
        let loaded = world.service.running.accounts();
        let id = einmal_core::account::AccountId::new("main", format!("user-{number}").as_str());
        assert!(loaded.read(&id).await.unwrap().is_none(), "no count");
    }
    eventually("the questions", async || world.asked() == 32).await;
    assert_eq!(world.create("alice", json!({ "pin": PIN })).await.status, 201, "a PIN needs no issuer");
    assert_eq!(world.create("alice", both(PIN)).await.told(), (503, Some("5")));
    assert_eq!(world.asked(), 32);
    world.judge.release();
    assert!(waiting.join_all().await.iter().all(|(_, told)| told.told() == (404, None)));
    assert_eq!(world.asked(), 256);
}

#[tokio::test]
async fn a_crowded_hashing_pool_refuses_no_password_that_the_issuer_judges() {
    let world = World::start().await;
    let accounts = world.service.running.accounts().clone();
    let places: Vec<_> = std::iter::from_fn(|| accounts.hashing().enter().ok()).collect();
    assert_eq!(world.create("alice", json!({ "pin": PIN })).await.told(), (503, Some("1")));
    assert_eq!(world.create("alice", json!({ "password": PASSWORD })).await.status, 201);
    assert_eq!(world.create("alice", both(PIN)).await.told(), (503, Some("1")), "a PIN needs a place");
    assert_eq!(world.asked(), 1);
    assert_eq!(world.service.proof_failures("alice").await, (0, 0));
    drop(places);
    assert_eq!(world.create("alice", both(PIN)).await.status, 201);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_issuer_that_says_nothing_costs_5_seconds_and_counts_only_who_was_asked_about() {
    let world = World::start().await;
    world.judge.answer(GRANT, Answer::Silent);
    let begun = Instant::now();
    // More than are asked about at once: the rest waits in vain for a turn.
    let waiting = ask_for_many(&world, 0..40).await;
    assert!(waiting.join_all().await.iter().all(|(_, told)| told.told() == (503, Some("5"))));
    let took = begun.elapsed();
    assert!((Duration::from_millis(4_900)..Duration::from_secs(8)).contains(&took), "{took:?}");
    let mut counted = 0;
    for number in 0..40 {
        counted += world.service.proof_failures(&format!("user-{number}")).await.0;
    }
    assert_eq!((counted, world.asked()), (32, 32));
}
