//! More clients than the process may have files open.

use crate::harness::installation::{Installation, Serving, device};
use crate::harness::program::PROGRAM;
use crate::http::client::Client;
use rustix::process::Signal;
use std::process::Command;
use std::time::Duration;

/// `serve` raises the soft limit to the hard one; this sets both.
fn with_few_descriptors(installation: &Installation) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -n 64 && exec \"$0\" serve", PROGRAM]).env_clear();
    command.current_dir(installation.directory.path()).env("EINMAL_CONFIG", "einmal.toml");
    command
}

async fn serve(installation: &Installation) -> (Serving, String) {
    let serving = Serving::start(&mut with_few_descriptors(installation)).await;
    serving.until_ready().await;
    let request = format!(
        "POST /user/2025-1/user/otp/verify HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {}\r\n\
         Content-Type: application/json\r\nContent-Length: 14\r\n\r\n{{\"otp\":\"1234\"}}",
        installation.token("somebody")
    );
    (serving, request)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn running_out_of_descriptors_neither_ends_nor_burns_the_accept_loop_167() {
    let installation = Installation::with("drain = \"0s\"").await;
    installation.import(device("somebody"));
    let (serving, request) = serve(&installation).await;

    let mut clients = Vec::new();
    for _ in 0..200 {
        clients.push(Client::connect(serving.address).await);
    }
    assert_eq!(clients[0].request(&request).await.status, 404, "those that got in are served");
    let before = cpu_ticks(serving.program.id());
    tokio::time::sleep(Duration::from_secs(1)).await; // Is what is measured.
    let ticks = cpu_ticks(serving.program.id()) - before;
    assert!(ticks < 30, "{ticks} ticks of 10 ms in a second of doing nothing");
    let log = serving.program.stdout();
    assert_eq!(log.matches("cannot accept connections").count(), 1, "{log}");

    let mut last = clients.pop().unwrap();
    last.send(&request).await;
    clients.clear();
    assert_eq!(last.answer().await.status, 404, "and the others when there is room");
    serving.stop().await;
}

/// The kernel has taken their connections, and the service cannot until others are done.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_waits_for_a_descriptor_at_sigterm_is_answered_when_there_is_one() {
    let installation = Installation::with("drain = \"0s\"").await;
    installation.import(device("somebody"));
    let (mut serving, request) = serve(&installation).await;
    let mut idle = Client::connect(serving.address).await;
    assert_eq!(idle.request(&request).await.status, 404);
    let (begun, rest) = request.split_at(40);
    let mut clients = Vec::new();
    for _ in 0..100 {
        let mut client = Client::connect(serving.address).await;
        client.send(begun).await;
        clients.push(client);
    }
    let full = |log: &str| log.contains("cannot accept connections").then_some(());
    serving.program.printed("line about descriptors", full).await;
    serving.program.signal(Signal::TERM);
    assert!(idle.is_closed().await, "the end has begun");
    for (number, client) in clients.iter_mut().enumerate() {
        let answer = client.try_request(rest).await;
        assert_eq!(answer.map(|answer| answer.status), Some(404), "client {number}");
    }
    let run = serving.program.ended().await;
    assert_eq!(run.code, Some(0), "{}", run.stdout);
    assert!(!run.stdout.contains("could not be accepted"), "{}", run.stdout);
}

/// User and system time, proc(5).
fn cpu_ticks(process: u32) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    let fields: Vec<_> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}
