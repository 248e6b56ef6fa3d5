//! A reader that takes nothing: requests go on, what is lost is counted, and the end comes in time.

use crate::harness::back_office::ADMIN;
use crate::harness::installation::{Installation, Serving, code_at, step, wrong_code};
use crate::harness::program::Program;
use crate::harness::service::{Service, VERIFY};
use crate::harness::wire::{JSON, request};
use crate::http::client::{Client, within_patience};
use einmal::events::{By, Event, Events, Origin, Output};
use einmal::metrics::{EventMetrics, Metrics};
use einmal_core::account::AccountId;
use rustix::fs::{CWD, FileType, Mode, OFlags, mknodat, open};
use serde_json::json;
use std::io::Read;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::Duration;
use tempfile::TempDir;

/// A pipe that somebody has opened, and does not read.
fn pipe(path: &Path) -> OwnedFd {
    mknodat(CWD, path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    open(path, OFlags::RDONLY | OFlags::NONBLOCK, Mode::empty()).unwrap()
}

fn metrics() -> EventMetrics {
    Metrics::default().events
}

fn origin() -> Origin {
    let by = By::Owner { client: None };
    Origin { account: AccountId::new("main", "alice"), by, request_id: "r-1".into() }
}

#[tokio::test]
async fn what_finds_the_queue_full_is_lost_and_counted_and_the_rest_comes_when_somebody_reads() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("events");
    let reader = pipe(&path);
    let metrics = metrics();
    let events = Events::open(Some(&Output::File(path)), metrics.clone()).unwrap();
    let reporter = events.reporter(origin);
    // More than the pipe and the queue take; and who tells does not wait.
    let told = 12_000;
    for _ in 0..told {
        reporter.tell(Event::PinDead);
    }
    let lost = metrics.lost.get();
    assert!(lost > 0 && lost < told, "{lost} of {told}");

    // Somebody reads on: what was queued comes whole.
    let ending = events.ending();
    drop((events, reporter));
    let mut pipe = std::fs::File::from(reader);
    let mut text = String::new();
    within_patience("the rest", async {
        let mut part = vec![0; 64 << 10];
        while metrics.written.get() + metrics.lost.get() < told || text.lines().count() as u64 + lost < told {
            match pipe.read(&mut part) {
                Ok(length) => text.push_str(std::str::from_utf8(&part[..length]).unwrap()),
                Err(_) => tokio::time::sleep(Duration::from_millis(1)).await,
            }
        }
    })
    .await;
    ending.wait().await;
    assert!(text.lines().all(|line| line.starts_with("{\"event\":\"pin_dead\"") && line.ends_with('}')));
    assert_eq!(metrics.lost.get(), lost, "nothing more was lost");
    assert_eq!((metrics.written.get(), text.lines().count() as u64), (told - lost, told - lost));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_that_takes_nothing_costs_no_request_and_does_not_hold_the_end_up() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("events");
    let _reader = pipe(&path);
    let service = Service::start_with(&format!("{ADMIN}\n[events]\noutput = \"{}\"\n", path.display())).await;
    service.provision_device("alice").await;
    // Some 200 bytes each, of which the pipe takes 64 KiB.
    within_patience("answers", async {
        for _ in 0..600 {
            assert_eq!(service.verify("alice", "no code").await, 404);
        }
        assert_eq!(service.verify("alice", &service.code(0)).await, 204);
    })
    .await;
    service.running.shutdown.begin();
    within_patience("the end", service.running.finished()).await;
}

/// As when what collects the log of a container is stuck: with the log off, no thread of a request may write there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn standard_output_that_nobody_takes_costs_no_request_where_the_log_is_quiet() {
    let installation = Installation::with("[events]\noutput = \"stdout\"\n[log]\nlevel = \"warn\"").await;
    installation.import_device("alice");
    let (address, management) = (free_address(), free_address());
    let mut command = installation.einmal(&["serve"]);
    command.env("EINMAL__HTTP__LISTEN", address.to_string());
    command.env("EINMAL__HTTP__MANAGEMENT_LISTEN", management.to_string());
    let (program, _stdout) = Program::start_unread(&mut command);
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let serving = Serving { program, address, management, client: http };
    within_patience("readiness", async {
        while serving.readiness_or_nothing().await != Some(200) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    let mut client = Client::connect(address).await;
    let authorization = format!("Authorization: Bearer {}", installation.token("alice"));
    let verify = |otp: &str| {
        let body = json!({ "otp": otp }).to_string();
        request(&format!("POST {VERIFY}"), &[&authorization, JSON], body.as_bytes())
    };
    // More than the pipe, a group and the queue take.
    let many = verify("no code").repeat(100);
    for _ in 0..95 {
        client.send(&many).await;
        for _ in 0..100 {
            assert_eq!(client.answer().await.status, 404);
        }
    }
    assert!(serving.metrics().await.value("einmal_events_lost_total") > 0);
    // By the thread of the store, which all others would wait for.
    for _ in 0..2 {
        assert_eq!(client.request(verify(&wrong_code())).await.status, 404);
    }
    assert_eq!(client.request(verify(&code_at(step()))).await.status, 204);
    serving.stop().await;
}

fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

#[tokio::test]
async fn what_cannot_be_written_is_counted_and_what_comes_after_it_is_written_again() {
    let metrics = metrics();
    // Always full.
    let events = Events::open(Some(&Output::File("/dev/full".into())), metrics.clone()).unwrap();
    let reporter = events.reporter(origin);
    for lost in 1..=3 {
        reporter.tell(Event::PinDead);
        within_patience("the count", async {
            while metrics.lost.get() < lost {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }
    assert_eq!((metrics.written.get(), metrics.lost.get()), (0, 3));
}

#[tokio::test]
async fn where_events_are_off_nothing_is_asked_for_and_nothing_is_written() {
    let events = Events::open(None, metrics()).unwrap();
    let reporter = events.reporter(|| panic!("nobody wants to know"));
    assert!(!reporter.is_on() && events.reopening().is_none());
    reporter.tell(Event::PinDead);
    events.ending().wait().await;
    let service = Service::start_with(ADMIN).await;
    service.provision_device("alice").await;
    assert_eq!(service.verify("alice", &service.code(0)).await, 204);
    let names = std::fs::read_dir(service.directory.path()).unwrap().map(|entry| entry.unwrap().file_name());
    assert!(names.into_iter().all(|name| !name.to_str().unwrap().contains("events")));
}
