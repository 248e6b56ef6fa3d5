//! Where lines go, as an operator sees it: a file that others may take away, standard output, and what cannot be opened.

use super::{lines_of, schema, until_lines};
use crate::harness::installation::{Installation, code_at, early_in_a_step, step, wrong_code};
use crate::harness::program::{Program, Run};
use rustix::fs::{CWD, FileType, Mode, mknodat};
use rustix::process::Signal;
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use tokio::task::JoinSet;

const TO_A_FILE: &str = "[events]\noutput = \"events.jsonl\"";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_sighup_the_file_is_opened_again_and_nothing_in_the_old_one_is_touched() {
    let installation = Installation::with(TO_A_FILE).await;
    installation.import_device("alice");
    let mut serving = installation.serve().await;
    let (path, rotated) = (installation.path("events.jsonl"), installation.path("events.jsonl.1"));
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o600);
    let token = installation.token("alice");
    early_in_a_step(5).await;
    let code = code_at(step());
    assert_eq!(serving.verify(&token, &code).await, 204);
    until_lines(&path, 1).await;
    fs::rename(&path, &rotated).unwrap();
    assert_eq!(serving.verify(&token, &code).await, 404);
    until_lines(&rotated, 2).await;
    serving.program.signal(Signal::HUP);
    let again = |log: &str| log.contains("SIGHUP: the file of events is opened again").then_some(());
    serving.program.printed("line about the file", again).await;
    assert_eq!(serving.verify(&token, "no code").await, 404);
    until_lines(&path, 1).await;
    let names = |lines: Vec<Value>| lines.iter().map(|line| line["event"].clone()).collect::<Vec<_>>();
    assert_eq!(names(lines_of(&rotated)), ["verified", "refused"]);
    assert_eq!(lines_of(&path)[0]["reason"], "not_a_code");

    // Where it cannot be opened, the one that is open stays in use.
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    serving.program.signal(Signal::HUP);
    let refused = |log: &str| log.contains("the file of events cannot be opened again").then_some(());
    serving.program.printed("line about the file", refused).await;
    assert_eq!(serving.verify(&token, "no code").await, 404);
    serving.stop().await;
    // What a start finds there stays.
    fs::remove_dir(&path).unwrap();
    fs::rename(&rotated, &path).unwrap();
    let serving = installation.serve().await;
    assert_eq!(serving.verify(&token, &wrong_code()).await, 404);
    serving.stop().await;
    assert_eq!(names(lines_of(&path)), ["verified", "refused", "refused"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_cannot_be_opened_ends_the_start_with_its_key_and_path() {
    let installation = Installation::with("[events]\noutput = \"missing/events.jsonl\"").await;
    let fails = async || -> Run { Program::start(&mut installation.einmal(&["serve"])).ended().await };
    let run = fails().await;
    assert_eq!(run.code, Some(1), "{run:?}");
    assert_eq!(
        run.stderr,
        "error: events.output: missing/events.jsonl cannot be opened: No such file or directory (os error 2)\n"
    );
    assert_eq!(installation.run(&["config", "check"]).code, Some(0), "which opens nothing");
    // Nor is a pipe waited for that nobody reads.
    fs::create_dir(installation.path("missing")).unwrap();
    let mode = Mode::RUSR | Mode::WUSR;
    mknodat(CWD, installation.path("missing/events.jsonl"), FileType::Fifo, mode, 0).unwrap();
    let run = fails().await;
    assert!(run.stderr.contains("No such device or address"), "{run:?}");
    assert_eq!(run.code, Some(1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_standard_output_lines_stay_whole_beside_the_log_and_are_told_apart_from_it() {
    let installation = Installation::with("[events]\noutput = \"stdout\"").await;
    let subjects: Vec<_> = (0..8).map(|number| format!("alice-{number}")).collect();
    let accounts = installation.accounts("alice", subjects.len());
    let serving = installation.serve().await;
    let (mut clients, address) = (JoinSet::new(), serving.address);
    for token in accounts {
        let client = serving.client.clone();
        clients.spawn(async move {
            for _ in 0..25 {
                let request = client.post(format!("http://{address}/user/2025-1/user/otp/verify"));
                let request = request.bearer_auth(&token).header("content-type", "application/json");
                let answer = request.body(json!({ "otp": "no code" }).to_string()).send().await.unwrap();
                assert_eq!(answer.status(), 404);
            }
        });
    }
    clients.join_all().await;
    serving.program.signal(Signal::TERM);
    let run = serving.program.ended().await;
    let lines: Vec<Value> = run.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let (events, log): (Vec<_>, Vec<_>) = lines.into_iter().partition(|line| line.get("event").is_some());
    assert!(log.iter().all(|line| line["message"].is_string()), "{log:#?}");
    let faults: Vec<_> = events.iter().flat_map(schema::faults).collect();
    assert!(faults.is_empty() && events.len() == 200, "{faults:?}, {} lines", events.len());
    let told = |subject: &String| events.iter().filter(|line| line["account"] == **subject).count();
    assert!(subjects.iter().all(|subject| told(subject) == 25));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_key_of_the_store_is_told_when_the_service_notices_it() {
    let installation = Installation::with(TO_A_FILE).await;
    let mut serving = installation.serve().await;
    assert_eq!(installation.run(&["keys", "rotate"]).code, Some(0));
    let lines = until_lines(&installation.path("events.jsonl"), 1).await;
    assert_eq!((&lines[0]["event"], &lines[0]["keys"]), (&"keys_changed".into(), &2.into()));
    let changed =
        |log: &str| log.lines().find(|line| line.contains("the keyring has changed")).map(str::to_owned);
    let line = serving.program.printed("line of the changed keyring", changed).await;
    let line: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(line["seals"], lines[0]["key"]);
    serving.stop().await;
}

/// What an operator does by commands is in the history alone: nobody's request it was.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_write_no_events_and_leave_the_file_to_the_service() {
    let installation = Installation::with(TO_A_FILE).await;
    installation.import_device("alice");
    let replaced = installation.import_with(&["--replace"], json!({ "id": "alice" }).to_string());
    assert_eq!(replaced.code, Some(0), "{replaced:?}");
    assert_eq!(installation.run(&["accounts", "unlock", "alice"]).code, Some(0));
    let shown = installation.run(&["accounts", "show", "alice", "--json"]);
    let shown: Value = serde_json::from_str(&shown.stdout).unwrap();
    let events: Vec<_> =
        shown["history"].as_array().unwrap().iter().map(|event| event["event"].clone()).collect();
    assert_eq!(events, ["unlocked", "account_replaced"]);
    assert_eq!(installation.run(&["accounts", "delete", "alice"]).code, Some(0));
    assert!(!installation.path("events.jsonl").exists());
}
