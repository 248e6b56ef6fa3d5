//! What a guesser is not told, the operator is; also of guesses whose answer nobody waits for.

use super::{bare, lines_of, service, until_lines};
use crate::http::client::within_patience;
use crate::http::given_up::guess_and_leave;
use serde_json::{Value, json};
use std::collections::BTreeMap;

#[tokio::test]
async fn the_true_reason_of_a_refusal_is_in_the_file_and_one_answer_goes_to_the_client() {
    let service = service().await;
    service.provision_device("alice").await;
    service.provision(&json!({ "id": "empty" })).await;
    let (right, wrong) = (service.code(0), service.wrong_code(0));
    assert_eq!(service.verify("alice", &right).await, 204);
    let mut answers = Vec::new();
    for (subject, otp) in [
        ("alice", right.as_str()),
        ("alice", &wrong),
        ("alice", "no code"),
        ("empty", &wrong),
        ("nobody", &wrong),
    ] {
        answers.push(service.answer(subject, otp).await.whole());
    }
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:#?}");
    let lines = until_lines(&service.directory.path().join("events.jsonl"), 6).await;
    let told: Vec<_> = lines[1..].iter().map(|line| (&line["event"], &line["reason"])).collect();
    let reasons = ["replayed", "wrong", "not_a_code", "nothing_enrolled", "unknown_account"];
    assert_eq!(told, reasons.map(Value::from).each_ref().map(|reason| (&lines[1]["event"], reason)));
    assert_eq!(lines[1]["event"], "refused");
}

/// Or else many guesses could be made that nobody who watches hears of.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_guess_whose_answer_nobody_waits_for_is_a_line_too() {
    let service = service().await;
    let counted = guess_and_leave(&service).await;
    let total: u64 = counted.values().sum();
    let path = service.directory.path().join("events.jsonl");
    until_lines(&path, usize::try_from(total).unwrap()).await;
    service.running.shutdown.begin();
    within_patience("ending", service.running.finished()).await;
    let mut told = BTreeMap::new();
    for line in lines_of(&path) {
        let line = bare(&line);
        assert_eq!((&line["event"], &line["reason"]), (&"refused".into(), &"wrong".into()));
        *told.entry(line["account"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    assert_eq!(told, counted, "as many lines as guesses were counted");
}
