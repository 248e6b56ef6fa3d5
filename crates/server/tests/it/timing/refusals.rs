//! What the time, the headers and the bytes of a refusal tell of its reason: the same request, answered by the service over
//! HTTP, to accounts in different states.

use super::Draws;
use super::told_apart::{Samples, told_apart};
use crate::api::{OTHER_SECRET, change, credential, issued};
use crate::harness::is_long;
use crate::harness::service::{SECRET, Service};
use crate::harness::wire::JSON;
use crate::http::client::Client;
use einmal_core::account::{Account, CodeState, Credential, IssuedCode, Throttle};
use serde_json::json;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Instant;
use tokio::runtime::Handle;

/// Why a code is refused: the account, and what is sent.
struct Reason {
    name: &'static str,
    account: Account,
    code: String,
}

/// A secret and an issued code each, so that there is as much to open, compare and seal: how much is enrolled, time does
/// tell.
fn evaluated(service: &Service) -> Vec<Reason> {
    let used = |secret: &str, step: u64| -> Vec<Credential> {
        let mut one = credential(secret);
        one.progress.last_step = Some(step);
        vec![one]
    };
    let step = credential(SECRET).totp.step_at(einmal::clock::Clock::now(service.clock.as_ref()));
    let code = |state: CodeState| Some(IssuedCode { state, ..issued(service, "135790") });
    let expired = || {
        let mut code = issued(service, "135790");
        code.expires_at = einmal_core::Timestamp::from_seconds(crate::harness::clock::NOW - 1);
        Some(code)
    };
    let device = || Account { devices: used(SECRET, step - 100), ..Account::default() };
    let no_device = || Account { authenticators: used(SECRET, step - 100), ..Account::default() };
    let mut suspended = device();
    suspended.devices[0].progress.failures = 100;
    let (wrong, right, created) = (service.wrong_code(0), service.code(0), "135790".to_owned());
    let reason = |name, account, code: &str| Reason { name, account, code: code.to_owned() };
    vec![
        reason("wrong", Account { account_code: code(CodeState::Live), ..device() }, &wrong),
        reason(
            "used",
            Account {
                devices: used(SECRET, step),
                account_code: code(CodeState::Live),
                ..Account::default()
            },
            &right,
        ),
        reason("used, issued", Account { account_code: code(CodeState::Spent), ..no_device() }, &created),
        reason("expired", Account { account_code: expired(), ..no_device() }, &created),
        reason("no live code", Account { account_code: code(CodeState::Dead), ..no_device() }, &created),
        reason(
            "not enrolled for that type",
            Account { login_code: code(CodeState::Live), ..no_device() },
            &right,
        ),
        reason("suspended", Account { account_code: code(CodeState::Dead), ..suspended }, &right),
    ]
}

/// During a wait.
fn throttled(service: &Service) -> Vec<Reason> {
    let account = || Account {
        devices: vec![credential(SECRET)],
        authenticators: vec![credential(OTHER_SECRET)],
        account_code: Some(issued(service, "135790")),
        otp_throttle: Throttle {
            failures: 9,
            waits_until: Some(einmal_core::Timestamp::from_seconds(crate::harness::clock::NOW + 400)),
        },
        ..Account::default()
    };
    vec![
        Reason { name: "a right code of a device", account: account(), code: service.code(0) },
        Reason { name: "a right code that was created", account: account(), code: "135790".into() },
        Reason { name: "a wrong code", account: account(), code: service.wrong_code(0) },
    ]
}

/// What each is answered, without what is another each time.
async fn answers(service: &Service, reasons: &[Reason]) -> Vec<String> {
    let mut answers = Vec::new();
    let mut connection = Client::connect(service.running.address).await;
    for reason in reasons {
        set(service, reason).await;
        let answer = connection.request(request(service, &reason.code)).await;
        answers.push(answer.whole());
    }
    answers
}

fn request(service: &Service, code: &str) -> Vec<u8> {
    service.verify_request("alice", &[JSON], json!({ "otp": code }).to_string())
}

/// Written each time, whether it is as it was or not.
async fn set(service: &Service, reason: &Reason) {
    let account = reason.account.clone();
    change(service, "alice", move |changed| *changed = account.clone()).await;
}

/// On one connection, from a thread that does nothing else.
fn measure(handle: &Handle, service: &Service, reasons: &[Reason], samples: usize, seed: u64) -> Samples {
    let requests: Vec<_> = reasons.iter().map(|reason| request(service, &reason.code)).collect();
    let mut stream = TcpStream::connect(service.running.address).unwrap();
    stream.set_nodelay(true).unwrap();
    let mut durations = vec![Vec::with_capacity(samples); reasons.len()];
    let mut length = 0;
    for class in Draws(seed).interleaved(reasons.len(), samples) {
        handle.block_on(set(service, &reasons[class]));
        let mut answer = [0; 4_096];
        let started = Instant::now();
        stream.write_all(&requests[class]).unwrap();
        let mut read = stream.read(&mut answer).unwrap();
        while read < length {
            read += stream.read(&mut answer[read..]).unwrap();
        }
        durations[class].push(u64::try_from(started.elapsed().as_nanos()).unwrap());
        // All are of one length, which is a part of what is tested.
        length = if length == 0 { read } else { length };
        assert_eq!(read, length, "{}", reasons[class].name);
        assert!(answer.starts_with(b"HTTP/1.1 404 "), "{}", reasons[class].name);
    }
    durations
}

async fn cannot_be_told_apart(reasons: impl Fn(&Service) -> Vec<Reason>) {
    let service = Service::start_in_memory().await;
    service.provision_device("alice").await;
    let reasons = reasons(&service);
    let answers = answers(&service, &reasons).await;
    for (answer, reason) in answers.iter().zip(&reasons) {
        assert_eq!(answer, &answers[0], "{}", reason.name);
    }
    let handle = Handle::current();
    let samples = if is_long() { 10_000 } else { 5 };
    let names: Vec<_> = reasons.iter().map(|reason| reason.name).collect();
    let measured = tokio::task::spawn_blocking(move || {
        if is_long() {
            return told_apart(&names, |round| measure(&handle, &service, &reasons, samples, round));
        }
        let measured = measure(&handle, &service, &reasons, samples, 1);
        assert!(measured.iter().all(|of| of.len() == samples && of.iter().all(|duration| *duration > 0)));
        Vec::new()
    });
    assert_eq!(measured.await.unwrap(), [""; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn why_a_code_was_refused_is_told_neither_by_bytes_nor_by_time_119_121() {
    cannot_be_told_apart(evaluated).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn during_a_wait_a_right_code_takes_as_long_as_a_wrong_one_110() {
    cannot_be_told_apart(throttled).await;
}
