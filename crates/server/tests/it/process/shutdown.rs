//! The end of the service by signals, with real clients. `http/shutdown.rs` has its phases within one process.

use crate::harness::installation::{Installation, Serving, code_at, step};
use crate::harness::issuer::Answer;
use crate::harness::program::{PATIENCE, Program};
use crate::http::client::Client;
use rustix::process::Signal;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::timeout;

/// From the first signal, with a second of drain: far from the 30 seconds at which requests are cut off.
const GRACE: Duration = Duration::from_secs(5);

fn request(token: &str, otp: &str) -> String {
    let body = format!("{{\"otp\":\"{otp}\"}}");
    format!(
        "POST /user/2025-1/user/otp/verify HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {token}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// Verifies one account after the other on one connection, until an answer says that it is the last one there.
/// Whatever happens to a request on the way panics: a reset, an end without an answer, another status.
async fn verify_until_told_to_close(
    address: SocketAddr,
    tokens: Vec<String>,
    answered: watch::Sender<usize>,
) {
    let mut client = Client::connect(address).await;
    for token in &tokens {
        let answer = client.request(request(token, &code_at(step()))).await;
        assert_eq!(answer.status, 204, "{answer:?}");
        answered.send_modify(|answered| *answered += 1);
        if answer.header("connection") == Some("close") {
            assert!(client.is_closed().await);
            return;
        }
    }
    panic!("{} requests without an end", tokens.len());
}

/// A new connection for each request, until they are refused. That no request on one is lost while there is a
/// listener, `http/shutdown.rs` shows; at the very end the last connection may be.
async fn connect_until_refused(address: SocketAddr, token: String, is_over: Arc<AtomicBool>) -> usize {
    for answered in 0.. {
        let Ok(stream) = TcpStream::connect(address).await else {
            assert!(is_over.load(Ordering::SeqCst), "refused before the signal");
            return answered;
        };
        stream.set_nodelay(true).unwrap();
        let answer = Client::over(stream).try_request(request(&token, "000000")).await;
        let Some(answer) = answer else {
            assert!(is_over.load(Ordering::SeqCst), "lost before the signal");
            return answered;
        };
        assert_eq!(answer.status, 404);
    }
    0
}

async fn end_under_load(signal: Signal) {
    let installation = Installation::with("drain = \"1s\"").await;
    let mut serving = installation.serve().await;
    let tokens = installation.accounts("a", 6_000);
    let (count, mut answered) = watch::channel(0);
    let client = |tokens: &[String]| {
        tokio::spawn(verify_until_told_to_close(serving.address, tokens.to_vec(), count.clone()))
    };
    let clients: Vec<_> = tokens.chunks(500).map(client).collect();
    let is_over = Arc::new(AtomicBool::new(false));
    let stranger = installation.token("stranger");
    let newcomers = tokio::spawn(connect_until_refused(serving.address, stranger, Arc::clone(&is_over)));
    let mut idle = Client::connect(serving.address).await;
    assert_eq!(idle.request(request(&installation.token("idle"), "000000")).await.status, 404);

    installation.import_device("late");
    let late_request = request(&installation.token("late"), &code_at(step() + 1));
    let (begun, rest) = late_request.split_at(30);
    let mut late = Client::connect(serving.address).await;
    late.send(begun).await;

    let under_load = answered.wait_for(|answered| *answered > 300);
    timeout(PATIENCE, under_load).await.expect("the load takes too long").unwrap();
    let signalled = Instant::now();
    is_over.store(true, Ordering::SeqCst);
    serving.program.signal(signal);
    assert_not_ready_while_it_still_answers(&serving, &installation.token("witness")).await;
    for client in clients {
        client.await.expect("every request is answered");
    }
    assert!(idle.is_closed().await);
    assert!(newcomers.await.unwrap() > 0);
    // Nobody listens any more, and what had begun to come in is still finished.
    assert_eq!(late.request(rest).await.status, 204);
    assert!(late.is_closed().await);
    assert_eq!(serving.program.exit().await.code(), Some(0), "{}", serving.program.stdout());
    assert!(signalled.elapsed() < GRACE, "took {:?}", signalled.elapsed());
}

async fn assert_not_ready_while_it_still_answers(serving: &Serving, token: &str) {
    // On one connection until it is told to close, and then on a new one: there is always an answer.
    loop {
        let readiness = serving.readiness().await;
        if readiness.status() == 503 {
            assert_eq!(readiness.text().await.unwrap(), r#"{"status":"not ready","notReady":["shutdown"]}"#);
            break;
        }
    }
    assert_eq!(serving.verify(token, "000000").await, 404, "a new connection while load balancers notice");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_sigterm_no_request_under_load_is_lost_or_reset_and_the_process_exits_with_0_169() {
    end_under_load(Signal::TERM).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_sigint_no_request_under_load_is_lost_or_reset_and_the_process_exits_with_0_169() {
    end_under_load(Signal::INT).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_signal_exits_at_once_with_1_169() {
    for second in [Signal::TERM, Signal::INT] {
        let installation = Installation::with("drain = \"20s\"").await;
        let mut serving = installation.serve().await;
        serving.program.signal(Signal::TERM);
        // Once it is not ready, the first signal has been taken.
        while serving.readiness().await.status() != 503 {}
        let signalled = Instant::now();
        serving.program.signal(second);
        assert_eq!(serving.program.exit().await.code(), Some(1));
        assert!(signalled.elapsed() < Duration::from_secs(2));
    }
}

/// The issuer takes the request for its keys and says nothing, which is waited for for 5 seconds.
#[tokio::test]
async fn a_signal_ends_a_service_that_still_starts() {
    let installation = Installation::new().await;
    installation.issuer.answer(&installation.issuer.discovery_path(), Answer::Silent);
    let mut program = Program::start(&mut installation.einmal(&["serve"]));
    let deadline = Instant::now() + PATIENCE;
    while installation.issuer.requests().is_empty() {
        assert!(Instant::now() < deadline, "the issuer is not asked");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    program.signal(Signal::TERM);
    let signalled = Instant::now();
    assert_eq!(program.exit().await.code(), Some(0));
    assert!(signalled.elapsed() < Duration::from_secs(3), "it waited for its issuer");
}
