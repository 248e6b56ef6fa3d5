//! The process gets no more memory: it ends, as by a kill, or says that it cannot, and has done nothing by halves.

use crate::harness::crowd::{Crowd, Target, answered};
use crate::harness::history::Answer;
use crate::harness::installation::{Installation, Serving};
use crate::harness::{is_long, tell};
use rustix::process::{Pid, Resource, Rlimit, prlimit};
use serde_json::json;
use std::fs;
use std::time::Duration;
use tokio::time::{Instant, sleep};

const ACCOUNTS: usize = 1_500;
const WORKERS: usize = 8;
/// For an answer: more than the service takes for any.
const PATIENCE: Duration = Duration::from_secs(10);
/// Each hashes in 19 MiB.
const PINS: usize = 40;

fn size(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmSize:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() << 10
}

fn limit(serving: &Serving, bytes: Option<u64>) {
    let pid = Pid::from_raw(i32::try_from(serving.program.id()).unwrap());
    prlimit(pid, Resource::As, Rlimit { current: bytes, maximum: None }).unwrap();
}

/// PINs to compare, until the process has gone or has refused so many.
async fn ask_for_memory(installation: &Installation, serving: &Serving, name: &str) {
    let body = json!({ "pin": "8299" }).to_string();
    let ask = |number: usize| {
        let url = format!("http://{}/user/2025-1/user/otp", serving.address);
        let request = serving
            .client
            .post(url)
            .timeout(PATIENCE)
            .bearer_auth(installation.token(&format!("{name}-{number}")));
        request.header("content-type", "application/json").body(body.clone()).send()
    };
    let asked: Vec<_> = (0..PINS).map(|number| tokio::spawn(ask(number))).collect();
    for answer in asked {
        if let Ok(response) = answer.await.unwrap() {
            let status = response.status().as_u16();
            assert!([201, 500, 503].contains(&status), "{status}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_memory_it_ends_or_says_503_and_no_code_comes_back_175() {
    let installation = Installation::new().await;
    let (mut ended, mut accepted, mut replayed) = (0, 0, 0);
    let rooms: &[u64] = if is_long() { &[0, 1, 2, 4, 8, 16, 24, 32, 48, 64] } else { &[0, 8, 32] };
    for (round, room) in rooms.iter().enumerate() {
        // New ones each time: what dies in a comparison leaves a counted failure.
        let pins = format!("pin-{round}");
        installation.import_pins(&pins, PINS, "8299");
        let crowd = Crowd::of(installation.accounts(&format!("user-{round}"), ACCOUNTS));
        let mut serving = installation.serve().await;
        let target = Target { address: serving.address, number: 0 };
        let load = crowd.load(target, 0..ACCOUNTS, WORKERS);
        crowd.has_accepted(50).await;
        crowd.take_500_for_unknown();
        let from = crowd.history.now();
        limit(&serving, Some(size(serving.program.id()) + (room << 20)));
        ask_for_memory(&installation, &serving, &pins).await;
        let deadline = Instant::now() + Duration::from_secs(2);
        while Instant::now() < deadline && serving.readiness_or_nothing().await == Some(200) {
            sleep(Duration::from_millis(50)).await;
        }
        crowd.stop();
        load.join_all().await;
        crowd.was_out(0, from);
        if serving.readiness_or_nothing().await.is_none() {
            ended += 1;
            let status = serving.program.exit().await;
            assert_eq!(status.code(), None, "it was aborted: {}", serving.program.stderr());
        } else {
            limit(&serving, None);
            let deadline = Instant::now() + Duration::from_secs(20);
            while serving.readiness_or_nothing().await != Some(200) {
                let told = serving.program.stdout();
                assert!(Instant::now() < deadline, "{room} MiB more: not ready with memory again: {told}");
                sleep(Duration::from_millis(50)).await;
            }
            serving.program.kill();
        }
        let serving = installation.serve().await;
        let target = Target { address: serving.address, number: 1 };
        replayed += crowd.replay(target, Duration::ZERO).await;
        accepted += answered(&crowd.assert_lawful(&format!("{room} MiB more")), Answer::Accepted);
        serving.stop().await;
    }
    assert!(ended > 0, "it never ran out of memory");
    tell(&format!(
        "{} times short of memory, {ended} of them to the end of the process: {accepted} codes accepted, {replayed} of them \
         tried again and refused",
        rooms.len()
    ));
}
