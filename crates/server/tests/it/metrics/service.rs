//! Requests, stages, the store, and the service itself.

use super::{Exposition, growth};
use crate::harness::issuer::{Answer, KEYS};
use crate::harness::service::{SECRET, Service, VERIFY};
use crate::harness::wire::JSON;
use crate::http::client::{Client, within_patience};
use einmal::clock::Clock;
use einmal_core::account::AccountId;
use serde_json::json;
use std::collections::BTreeSet;
use std::fs;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

fn requests(method: &str, route: &str, status: u16) -> String {
    format!("einmal_requests_total{{method=\"{method}\",route=\"{route}\",status=\"{status}\"}}")
}

const ROUTE: &str = "/user/{version}/user/otp/verify";

#[tokio::test]
async fn requests_are_counted_by_template_method_and_status() {
    let service = Service::start().await;
    service.provision_device("alice").await;
    assert_eq!(service.verify("alice", &service.code(0)).await, 204);
    let older = VERIFY.replace("2025-1", "2020-4");
    let body = json!({ "otp": service.wrong_code(0) }).to_string();
    let other = service.client.post(service.url(&older)).bearer_auth(service.token("alice"));
    assert_eq!(
        other.header("content-type", "application/json").body(body).send().await.unwrap().status(),
        404
    );
    let mut client = service.connect().await;
    for line in ["GET /canary", &format!("CANARY {VERIFY}"), &format!("DELETE {VERIFY}")] {
        client.send(format!("{line} HTTP/1.1\r\nHost: a\r\n\r\n")).await;
        client.answer().await;
    }
    client.request("GET / HTTP/1.1\r\n\r\n").await;
    let metrics = service.metrics().await;
    for (method, route, status) in [
        ("POST", ROUTE, 204),
        ("POST", ROUTE, 404),
        ("GET", "none", 404),
        ("other", ROUTE, 405),
        ("DELETE", ROUTE, 405),
        ("other", "none", 400),
    ] {
        assert_eq!(metrics.value(&requests(method, route, status)), 1, "{method} {route} {status}");
    }
    assert_eq!(metrics.value(&format!("einmal_request_duration_seconds_count{{route=\"{ROUTE}\"}}")), 4);
    assert_eq!(service.metric(&requests("GET", "/metrics", 200)).await, 1);
}

#[tokio::test]
async fn a_verification_is_one_of_each_stage_and_one_request_to_the_store() {
    let service = Service::start().await;
    service.provision_device("alice").await;
    let stage = |stage| format!("einmal_stage_duration_seconds_count{{stage=\"{stage}\"}}");
    let [token, turn, load, decide, commit] = ["token", "turn", "load", "decide", "commit"].map(stage);
    let reads = "einmal_store_batch_size_count{kind=\"read\"}";
    let took = format!("einmal_request_duration_seconds_count{{route=\"{ROUTE}\"}}");
    let series = [&token, &turn, &load, &decide, &commit, reads, &took];
    let grown = growth(&service, series, async || {
        assert_eq!(service.verify("alice", &service.code(0)).await, 204);
    });
    assert_eq!(grown.await, [1, 0, 1, 1, 1, 0, 1]);
    // Each look at the metrics is a write, too: readiness tries one.
    let writes = "einmal_store_batch_size_count{kind=\"write\"}";
    let grown = growth(&service, [writes], async || {
        assert_eq!(service.verify("alice", &service.wrong_code(0)).await, 404);
    });
    assert_eq!(grown.await, [2]);
}

#[tokio::test]
async fn waits_for_a_turn_are_counted() {
    let service = Service::start().await;
    service.provision_device("alice").await;
    let id = AccountId::new("main", "alice");
    let write = async || service.running.accounts().unlock(id.clone(), service.clock.now()).await.is_ok();
    let turns = "einmal_stage_duration_seconds_count{stage=\"turn\"}";
    within_patience("a wait", async {
        while service.metric(turns).await == 0 {
            tokio::join!(write(), write(), write(), write());
        }
    })
    .await;
}

#[tokio::test]
async fn what_the_store_fails_to_do_is_counted() {
    let service = Service::start().await;
    service.provision_device("alice").await;
    let series = "einmal_store_errors_total{kind=\"read\"}";
    let list = service.url("/user/2025-1/user/devices/totp");
    let list = service.client.get(list).bearer_auth(service.token("alice"));
    let away = service.directory.path().with_extension("away");
    let grown = growth(&service, [series], async || {
        fs::rename(service.directory.path(), &away).unwrap();
        assert_eq!(list.send().await.unwrap().status(), 503);
        let written = service.metric("einmal_store_errors_total{kind=\"write\"}").await;
        assert_eq!(service.verify("alice", &service.code(0)).await, 503);
        let metrics = service.metrics().await;
        // The look itself tries to write, too.
        assert!(metrics.value("einmal_store_errors_total{kind=\"write\"}") >= written + 2);
        assert_eq!(metrics.value("einmal_ready"), 0);
        assert_eq!(metrics.value("einmal_part_ready{part=\"store\"}"), 0);
        fs::rename(&away, service.directory.path()).unwrap();
    });
    assert_eq!(grown.await, [1]);
    assert_eq!(service.metric("einmal_ready").await, 1);
}

#[tokio::test]
async fn the_gauge_of_readiness_names_the_part_that_is_not() {
    let service = Service::start().await;
    for part in ["store", "issuers", "shutdown"] {
        assert_eq!(service.metric(&format!("einmal_part_ready{{part=\"{part}\"}}")).await, 1, "{part}");
    }
    let service = service.restart_after(async |_| {}).await;
    assert_eq!(service.metric("einmal_ready").await, 1);
    service.issuer.answer(KEYS, Answer::HangUp);
    service.clock.advance(25 * 60 * 60);
    assert_eq!(service.metric("einmal_part_ready{part=\"issuers\"}").await, 0);
    let metrics = service.metrics().await;
    assert_eq!((metrics.value("einmal_ready"), metrics.value("einmal_part_ready{part=\"store\"}")), (0, 1));
}

#[tokio::test]
async fn connections_and_the_hash_pool_are_gauges() {
    let service = Service::start().await;
    service.provision(&json!({ "id": "alice", "pin": "8299" })).await;
    let open = async || service.metric("einmal_connections_open").await;
    let before = open().await;
    let clients = [service.connect().await, service.connect().await, service.connect().await];
    within_patience("connecting", async { while open().await < before + 3 {} }).await;
    drop(clients);
    within_patience("closing", async { while open().await > before {} }).await;

    let pool = service.running.accounts().hashing();
    let mut places = Vec::new();
    while let Ok(place) = pool.enter() {
        places.push(place);
    }
    assert_eq!(service.metric("einmal_hashing_waiting").await, places.len() as u64);
    let refused = "einmal_hashing_refused_total";
    let grown = growth(&service, [refused], async || {
        assert_eq!(service.create("alice", json!({ "pin": "8299" })).await.status, 503);
    });
    assert_eq!(grown.await, [1]);
    let (release, held) = std::sync::mpsc::channel::<()>();
    let place = places.pop().unwrap();
    let working = tokio::spawn(async move { place.run(move || held.recv()).await });
    within_patience("working", async { while service.metric("einmal_hashing_running").await < 1 {} }).await;
    drop((release, places));
    working.await.unwrap().unwrap().unwrap_err();
    within_patience("ending", async { while service.metric("einmal_hashing_waiting").await > 0 {} }).await;
}

#[tokio::test]
async fn refusals_that_no_throttle_bounds_leave_at_500_a_second_and_who_is_known_waits_for_none() {
    let service = Service::start().await;
    service.provision_device("alice").await;
    let held = "einmal_refusals_held_total";
    for (line, status) in [(format!("POST {VERIFY}"), 401), ("GET /nothing".to_owned(), 404)] {
        let request = format!("{line} HTTP/1.1\r\nHost: a\r\n\r\n");
        // On a crowded machine they may come no faster than they leave.
        within_patience("one that waits", async {
            let refused =
                async || assert!(flood(&service, request.as_bytes(), status).await >= AT_500_A_SECOND);
            while growth(&service, [held], refused).await == [0] {}
        })
        .await;
    }
    let wrong = json!({ "otp": service.wrong_code(0) }).to_string();
    let wrong = service.verify_request("alice", &[JSON], wrong);
    let more = growth(&service, [held], async || {
        for _ in 0..3 {
            flood(&service, &wrong, 404).await;
        }
        assert_eq!(service.verify("alice", &service.code(0)).await, 404);
    });
    assert_eq!(more.await, [0]);
}

/// Without the first 100 of what `flood` sends.
const AT_500_A_SECOND: Duration = Duration::from_secs(1);

/// 600 times from 60 clients, and how long it took.
async fn flood(service: &Service, request: &[u8], status: u16) -> Duration {
    const CLIENTS: usize = 60;
    const EACH: usize = 10;
    let began = Instant::now();
    let mut flood = JoinSet::new();
    for _ in 0..CLIENTS {
        let mut client = service.connect().await;
        let requests = request.repeat(EACH);
        flood.spawn(async move {
            client.send(requests).await;
            for _ in 0..EACH {
                assert_eq!(client.answer().await.status, status);
            }
        });
    }
    flood.join_all().await;
    began.elapsed()
}

#[tokio::test]
async fn each_service_of_a_process_counts_for_itself() {
    let (one, other) = (Service::start().await, Service::start().await);
    one.provision_device("alice").await;
    assert_eq!(one.verify("alice", &one.code(0)).await, 204);
    let series = requests("POST", ROUTE, 204);
    assert_eq!(one.metric(&series).await, 1);
    assert!(!other.metrics().await.has(&series));
}

#[tokio::test]
async fn metrics_are_on_the_management_listener_alone_and_need_no_token() {
    let service = Service::start().await;
    assert_eq!(service.client.get(service.url("/metrics")).send().await.unwrap().status(), 404);
    assert_eq!(service.client.get(service.management_url("/metrics")).send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn every_metric_is_in_the_manual_and_no_other() {
    let manual = include_str!("../../../../../docs/OPERATIONS.md");
    let rows = manual.lines().filter(|line| line.starts_with("| `einmal_"));
    let cells = rows.map(|row| row.split('|').nth(1).unwrap());
    let documented: BTreeSet<_> = cells
        .flat_map(|cell| cell.split('`').skip(1).step_by(2))
        .filter(|name| name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'))
        .map(str::to_owned)
        .collect();
    let service = Service::start().await;
    // Of requests there are series only once there were requests, and this is one.
    service.metrics().await;
    assert_eq!(documented, service.metrics().await.names());
}

/// What somebody sends or has gets into no label, whatever it is.
#[tokio::test]
async fn no_label_names_an_account_a_code_a_client_or_a_token_151() {
    let service = Service::start_administered().await;
    let canary = "canary-4417";
    service.provision(&json!({ "id": canary, "pin": "8299", "deviceTotps": [{ "secret": SECRET }] })).await;
    let token = service.token_with(canary, &json!({ "client_id": canary, "jti": canary }));
    let codes = [service.code(0), service.wrong_code(0)];
    for otp in [codes[0].as_str(), codes[1].as_str(), canary] {
        let body = json!({ "otp": otp, "types": ["device-totp"] });
        let request = service.request_with_token(&token, &body).header("request-id", canary);
        request.header("user-agent", canary).header("traceparent", canary).send().await.unwrap();
    }
    service.create(canary, json!({ "pin": canary })).await;
    service.administer(&format!("GET /admin/accounts/main/{canary}"), &serde_json::Value::Null).await;
    service.administer(&format!("GET /admin/accounts/{canary}/{canary}"), &serde_json::Value::Null).await;
    let mut client = Client::connect(service.running.address).await;
    let garbage =
        format!("{canary} /{canary}?{canary} HTTP/1.1\r\nHost: {canary}\r\n{canary}: {canary}\r\n\r\n");
    client.request(garbage).await;

    let text = reqwest::get(service.management_url("/metrics")).await.unwrap().text().await.unwrap();
    for needle in [canary, SECRET, "8299", &codes[0], &codes[1], &token, token.rsplit('.').next().unwrap()] {
        let is_label = |line: &&str| line.split('}').next().unwrap().contains(needle);
        assert_eq!(text.lines().find(is_label), None, "{needle}");
    }
    let metrics = Exposition::parse(&text);
    let known = [
        "issuer", "kind", "le", "method", "of", "outcome", "part", "route", "stage", "status", "type",
        "version",
    ];
    assert_eq!(metrics.label_names().into_iter().collect::<Vec<_>>(), known);
    assert_eq!(metrics.values_of("issuer").into_iter().collect::<Vec<_>>(), ["main"]);
    assert!(metrics.values_of("method").iter().all(|method| ["GET", "POST", "other"].contains(method)));
}
