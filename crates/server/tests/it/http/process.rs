//! What takes a process of its own: signals, and running out of file descriptors. The process is this test
//! binary again, with the one ignored test below.

use super::client::Client;
use super::server::{context, get_request, probe, probes};
use einmal::api::router;
use einmal::http::{Limits, Shutdown, Signals, listen, serve};
use rustix::process::{Pid, Signal, kill_process};
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;

const OTP: &str = "{\"otp\":\"1\"}";
const DRAIN: Duration = Duration::from_millis(500);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "is the server that the tests in this file start"]
async fn server_in_a_process() {
    let listener = listen(([127, 0, 0, 1], 0).into()).unwrap();
    let shutdown = Shutdown::new(DRAIN);
    tokio::spawn(Signals::catch().unwrap().obey(shutdown.clone()));
    println!("\nlistening on {}", listener.local_addr().unwrap());
    let context = context().await;
    let router = router::build(Arc::clone(&context), probes(&Arc::default(), &Arc::new(Semaphore::new(0))));
    serve(listener, router, context, Limits::default(), shutdown).await;
}

struct Process {
    child: Child,
    address: SocketAddr,
}

impl Process {
    fn start(before: &str) -> Self {
        let own = std::env::current_exe().unwrap();
        let script = format!(
            "{before} exec '{}' --ignored --exact --nocapture http::process::server_in_a_process",
            own.display()
        );
        let mut command = Command::new("sh");
        let mut child = command.args(["-c", &script]).stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        let line = lines.find_map(|line| line.strip_prefix("listening on ").map(str::to_owned));
        // The rest of what it writes must go somewhere.
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, address: line.unwrap().parse().unwrap() }
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    async fn exit(&mut self) -> ExitStatus {
        let started = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(started.elapsed() < Duration::from_secs(20), "does not exit");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends requests on one connection until an answer says that it is the last one there.
async fn requests_until_told_to_close(address: SocketAddr) -> usize {
    let mut client = Client::connect(address).await;
    for answered in 1.. {
        let answer = client.request(probe(OTP)).await;
        assert_eq!(answer.status, 204);
        if answer.header("connection") == Some("close") {
            assert!(client.is_closed().await);
            return answered;
        }
    }
    0
}

#[tokio::test]
async fn at_sigterm_no_request_under_load_is_lost_or_reset_and_the_process_exits_with_0() {
    for signal in [Signal::TERM, Signal::INT] {
        let mut process = Process::start("");
        let clients: Vec<_> =
            (0..16).map(|_| tokio::spawn(requests_until_told_to_close(process.address))).collect();
        let mut idle = Client::connect(process.address).await;
        for _ in 0..200 {
            assert_eq!(idle.request(probe(OTP)).await.status, 204);
        }
        process.signal(signal);
        for client in clients {
            assert!(client.await.unwrap() > 1);
        }
        assert!(idle.is_closed().await);
        assert_eq!(process.exit().await.code(), Some(0));
    }
}

#[tokio::test]
async fn a_second_signal_exits_at_once_with_1() {
    let mut process = Process::start("");
    let mut client = Client::connect(process.address).await;
    client.send(get_request("/user/2025-1/wait")).await;
    process.signal(Signal::TERM);
    // During the drain there are answers that say so; then the first signal has been taken.
    let mut witness = Client::connect(process.address).await;
    while witness.request(probe(OTP)).await.header("connection").is_none() {}
    let started = Instant::now();
    process.signal(Signal::TERM);
    assert_eq!(process.exit().await.code(), Some(1));
    assert!(started.elapsed() < Duration::from_secs(2));
}

#[tokio::test]
async fn running_out_of_descriptors_neither_ends_nor_burns_the_accept_loop() {
    let mut process = Process::start("ulimit -n 64;");
    let mut clients = Vec::new();
    for _ in 0..200 {
        clients.push(Client::connect(process.address).await);
    }
    let served = clients[0].request(probe(OTP)).await;
    assert_eq!(served.status, 204, "those that got in are served");
    let before = cpu_ticks(&process.child);
    tokio::time::sleep(Duration::from_secs(1)).await; // Is what is measured.
    let ticks = cpu_ticks(&process.child) - before;
    assert!(ticks < 30, "{ticks} ticks of 10 ms in a second of doing nothing");
    let mut last = clients.pop().unwrap();
    last.send(probe(OTP)).await;
    clients.clear();
    assert_eq!(last.answer().await.status, 204, "and the others when there is room");
    process.signal(Signal::TERM);
    assert_eq!(process.exit().await.code(), Some(0));
}

/// User and system time, proc(5).
fn cpu_ticks(child: &Child) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", child.id())).unwrap();
    let fields: Vec<_> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}
