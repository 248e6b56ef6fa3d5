//! Many codes, PINs or passwords at once: few are compared, each wrong one of these is counted, and a right one costs
//! nothing.

use super::{ONE_CODE, all_at_once, assert_lawful, count, offer};
use crate::harness::history::Asked;
use crate::harness::is_long;
use crate::harness::service::Service;
use crate::harness::wire::JSON;
use crate::http::client::Answer;
use serde_json::json;

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
