//! More clients than the process may have files open.

use crate::harness::installation::{Installation, Serving, device};
use crate::harness::program::PROGRAM;
use crate::http::client::Client;
use std::process::Command;
use std::time::Duration;

/// `serve` raises the soft limit to the hard one; this sets both.
fn with_few_descriptors(installation: &Installation) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -n 64 && exec \"$0\" serve", PROGRAM]).env_clear();
    command.current_dir(installation.directory.path()).env("EINMAL_CONFIG", "einmal.toml");
    command
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn running_out_of_descriptors_neither_ends_nor_burns_the_accept_loop_167() {
    let installation = Installation::with("drain = \"0s\"").await;
    installation.import(device("somebody"));
    let serving = Serving::start(&mut with_few_descriptors(&installation)).await;
    serving.until_ready().await;
    let request = format!(
        "POST /user/2025-1/user/otp/verify HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {}\r\n\
         Content-Type: application/json\r\nContent-Length: 14\r\n\r\n{{\"otp\":\"1234\"}}",
        installation.token("somebody")
    );

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

/// User and system time, proc(5).
fn cpu_ticks(process: u32) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    let fields: Vec<_> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}
