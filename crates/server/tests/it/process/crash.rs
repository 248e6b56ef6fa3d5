//! The process is killed in the middle of its work; what it had answered holds.

use crate::harness::crowd::{Crowd, Target, answered};
use crate::harness::history::Answer;
use crate::harness::installation::{Installation, Serving, code_at, step, wrong_code};
use crate::harness::{is_long, tell};
use rustix::process::Signal;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

const ACCOUNTS: usize = 4_000;
/// Have wrong codes only.
const VICTIMS: usize = 8;
const WORKERS: usize = 8;
const LONGEST_RESTART: Duration = Duration::from_secs(2);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_accepted_before_a_kill_is_refused_after_it() {
    let installation = Installation::new().await;
    let mut serving = installation.serve().await;
    let rounds = if is_long() { 100 } else { 3 };
    let (mut accepted, mut replayed, mut guesses) = (0, 0, 0);
    for round in 0..rounds {
        let crowd = Crowd::of(installation.accounts(&format!("round-{round}"), ACCOUNTS + VICTIMS));
        let victims = ACCOUNTS..ACCOUNTS + VICTIMS;
        let target = Target { address: serving.address, number: 0 };
        let load = crowd.load(target, 0..ACCOUNTS, WORKERS);
        let goal = 200 + 100 * (round % 10);
        tokio::join!(crowd.has_accepted(goal), crowd.guess_at(target, victims.clone(), 3));
        let killed = crowd.history.now();
        serving.program.signal(Signal::KILL);
        load.join_all().await;
        crowd.was_out(target.number, killed);
        drop(serving);

        serving = restarted(&installation).await;
        let target = Target { address: serving.address, number: 1 };
        let refused = crowd.replay(target, Duration::ZERO).await;
        assert!(refused > 100, "only {refused} codes were still in their windows");
        for victim in victims {
            crowd.guess_until_throttled(target, victim).await;
        }
        let attempts = crowd.assert_lawful(&format!("round {round}"));
        accepted += answered(&attempts, Answer::Accepted);
        replayed += refused;
        guesses += answered(&attempts, Answer::Refused) - refused;
        assert_eq!(integrity(&installation), "ok");
    }
    tell(&format!(
        "{rounds} kills under load: {accepted} codes accepted, {replayed} of them tried again and refused, none accepted \
         twice; {guesses} guesses looked at, none forgotten"
    ));
}

async fn restarted(installation: &Installation) -> Serving {
    let started = Instant::now();
    let serving = installation.serve().await;
    let took = started.elapsed();
    assert!(took < LONGEST_RESTART, "ready after {took:?}");
    serving
}

fn integrity(installation: &Installation) -> String {
    let database = rusqlite::Connection::open(installation.path("einmal.db")).unwrap();
    database.query_row("PRAGMA integrity_check", (), |row| row.get(0)).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failures_counted_before_a_kill_still_count_106() {
    let installation = Installation::new().await;
    let serving = installation.serve().await;
    installation.import_device("victim");
    let token = installation.token("victim");
    for _ in 0..4 {
        assert_eq!(serving.verify(&token, &wrong_code()).await, 404);
    }
    serving.program.kill();

    let serving = installation.serve().await;
    assert_eq!(serving.verify(&token, &wrong_code()).await, 404);
    let throttled = serving.try_verify(&token, &code_at(step())).await.unwrap();
    assert_eq!(throttled.status(), 404, "a right code after the fifth failure");
    let wait: u64 = throttled.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=30).contains(&wait), "{wait}");
    let body: Value = serde_json::from_str(&throttled.text().await.unwrap()).unwrap();
    assert_eq!(body["errors"][0]["code"], "otp-invalid");
}

/// With a hash that takes its time, to die in the middle of a comparison.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_while_a_password_is_compared_leaves_a_counted_failure() {
    let installation = Installation::new().await;
    let serving = installation.serve().await;
    // Of "correct horse", by passlib 1.7.4, with the cost set to the highest that is taken.
    let hash = "$2y$14$3RrIoUP2MlLK/smblu/Mau6FvWn/HphMsIHfHkPRiIWRS3u479iO6";
    installation.import(json!({ "id": "victim", "passwordHash": hash }).to_string());
    let counted = || installation.run(&["accounts", "show", "victim"]).stdout;
    assert!(counted().contains("wrong passwords in a row: 0"), "{}", counted());
    let request = serving
        .client
        .post(format!("http://{}/user/2025-1/user/otp", serving.address))
        .bearer_auth(installation.token("victim"))
        .header("content-type", "application/json")
        .body(r#"{"password":"correct horse"}"#);
    let answer = tokio::spawn(request.send());
    let deadline = Instant::now() + Duration::from_secs(20);
    while !counted().contains("wrong passwords in a row: 1") {
        assert!(Instant::now() < deadline, "{}", counted());
    }
    serving.program.kill();
    assert!(answer.await.unwrap().is_err(), "answered before it was killed");
    let _serving = installation.serve().await;
    assert!(counted().contains("wrong passwords in a row: 1"), "{}", counted());
}
