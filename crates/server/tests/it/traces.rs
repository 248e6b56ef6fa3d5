//! Traces: whose a request is, what a collector gets of it, and that none of it costs a request.

use crate::harness::collector::Collector;
use crate::harness::issuer::{Answer, INTROSPECTION, KEYS};
use crate::harness::log::Log;
use crate::harness::service::{SECRET, Service};
use crate::http::client::within_patience;
use data_encoding::HEXLOWER;
use einmal::http::Shutdown;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::trace::v1::Span;
use serde_json::json;
use std::collections::BTreeSet;
use std::time::Instant;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00f067aa0ba902b7";

async fn service(url: &str) -> Service {
    let service = Service::start_with(&format!("[log]\notlp = \"{url}\"")).await;
    service.provision_device("alice").await;
    service
}

/// Ends the service, which sends what it has.
async fn end(service: Service) {
    let shutdown: Shutdown = service.running.shutdown.clone();
    shutdown.begin();
    within_patience("ending", service.running.finished()).await;
}

async fn verify(service: &Service, traceparent: Option<&str>) -> u16 {
    let request = service.request("alice", &json!({ "otp": service.wrong_code(0) }));
    let request = match traceparent {
        Some(traceparent) => request.header("traceparent", traceparent),
        None => request,
    };
    request.send().await.unwrap().status().as_u16()
}

fn named<'a>(spans: &'a [Span], name: &str) -> Vec<&'a Span> {
    spans.iter().filter(|span| span.name == name).collect()
}

fn attribute(span: &Span, key: &str) -> Option<Any> {
    span.attributes.iter().find(|pair| pair.key == key)?.value.clone()?.value
}

#[tokio::test]
async fn a_request_and_its_stages_reach_a_collector_over_grpc_and_over_http() {
    for is_grpc in [true, false] {
        let collector = Collector::start().await;
        let service = service(&if is_grpc { collector.grpc_url() } else { collector.http_url() }).await;
        assert_eq!(verify(&service, None).await, 404);
        end(service).await;
        let spans = collector.spans();
        let names: Vec<_> = spans.iter().map(|span| span.name.as_str()).collect();
        assert_eq!(names, ["request", "token", "load", "decide", "commit"]);
        let (root, stages) = spans.split_first().unwrap();
        assert!(root.parent_span_id.is_empty() && root.kind == 2 && root.trace_id.len() == 16);
        assert!(root.trace_id.iter().any(|byte| *byte != 0));
        let route = "/user/2025-1/user/otp/verify".to_owned();
        assert_eq!(attribute(root, "http.route"), Some(Any::StringValue(route)));
        assert_eq!(attribute(root, "http.request.method"), Some(Any::StringValue("POST".to_owned())));
        assert_eq!(attribute(root, "http.response.status_code"), Some(Any::IntValue(404)));
        let mut before = root.start_time_unix_nano;
        for stage in stages {
            assert_eq!((&stage.trace_id, &stage.parent_span_id), (&root.trace_id, &root.span_id));
            assert!(before <= stage.start_time_unix_nano && stage.attributes.is_empty());
            assert!(stage.start_time_unix_nano <= stage.end_time_unix_nano);
            before = stage.end_time_unix_nano;
        }
        assert!(before <= root.end_time_unix_nano);
        let ids: BTreeSet<_> = spans.iter().map(|span| &span.span_id).collect();
        assert!(ids.len() == spans.len() && ids.iter().all(|id| id.len() == 8));
        let resource = collector.requests()[0].resource_spans[0].resource.clone().unwrap();
        assert_eq!(resource.attributes[0].key, "service.name");
    }
}

#[tokio::test]
async fn a_caller_that_sends_its_trace_finds_the_request_in_it() {
    Log::capture();
    let collector = Collector::start().await;
    let service = service(&collector.grpc_url()).await;
    verify(&service, Some(&format!("00-{TRACE}-{PARENT}-01"))).await;
    verify(&service, Some(&format!("00-{TRACE}-{PARENT}-00"))).await;
    verify(&service, Some("00-canary")).await;
    verify(&service, None).await;
    end(service).await;
    let spans = collector.spans();
    let roots = named(&spans, "request");
    assert_eq!(roots.len(), 3, "of a trace that is not sampled nothing is sent");
    assert_eq!(HEXLOWER.encode(&roots[0].trace_id), TRACE);
    assert_eq!(HEXLOWER.encode(&roots[0].parent_span_id), PARENT);
    assert_ne!(HEXLOWER.encode(&roots[0].span_id), PARENT);
    let logged: Vec<_> =
        Log::lines("request").iter().map(|line| line["trace_id"].as_str().unwrap().to_owned()).collect();
    assert_eq!(logged[..2], [TRACE, TRACE]);
    assert_eq!(logged[2..], [HEXLOWER.encode(&roots[1].trace_id), HEXLOWER.encode(&roots[2].trace_id)]);
    assert_ne!(logged[2], logged[3]);
    assert!(!Log::text().contains("canary"));
}

#[tokio::test]
async fn without_a_collector_a_request_has_the_trace_of_its_caller_or_none() {
    Log::capture();
    let service = Service::start().await;
    service.provision_device("alice").await;
    for traceparent in [None, Some("canary"), Some(&*format!("00-{TRACE}-{PARENT}-01"))] {
        verify(&service, traceparent).await;
    }
    let lines = Log::lines("request");
    assert_eq!(lines.len(), 3);
    assert!(lines[0].get("trace_id").is_none() && lines[1].get("trace_id").is_none());
    assert_eq!(lines[2]["trace_id"], TRACE);
}

#[tokio::test]
async fn issuers_are_told_the_trace_that_they_are_asked_in() {
    let asked = crate::harness::issuer::Issuer::start(&[]).await;
    let introspection = format!(
        "introspection = {{ url = \"{}\", client_id = \"einmal\", client_secret = \"geheim\" }}",
        asked.introspection_url()
    );
    let service = Service::start_with(&introspection).await;
    asked.answer(INTROSPECTION, Answer::Json(json!({ "active": false })));
    let parent = format!("00-{TRACE}-{PARENT}-01");
    let stranger = crate::harness::issuer::SigningKey::new("EdDSA", Some("stranger"));
    service.clock.advance(31);
    for token in ["opaque", &stranger.token(&service.claims("alice"))] {
        let request = service.request_with_token(token, &json!({ "otp": "000000" }));
        assert_eq!(request.header("traceparent", &parent).send().await.unwrap().status(), 401);
    }
    let header = format!("traceparent: {parent}\r\n");
    assert!(asked.requests()[0].contains(&header), "{:?}", asked.requests());
    let fetches = service.issuer.requests();
    let with_it: Vec<_> = fetches
        .iter()
        .filter(|request| request.starts_with(&format!("GET {KEYS}")))
        .map(|r| r.contains(&header))
        .collect();
    assert_eq!(with_it, [false, true], "at the start nobody had asked");
}

#[tokio::test]
async fn a_collector_out_of_reach_slows_nothing_is_logged_once_and_is_found_again() {
    Log::capture();
    let collector = Collector::start().await;
    collector.refuse(Some("14"));
    let service = service(&collector.grpc_url()).await;
    let started = Instant::now();
    for _ in 0..3 {
        verify(&service, None).await;
    }
    assert!(started.elapsed().as_secs() < 1, "nobody waits for a collector");
    let dropped = "einmal_spans_total{outcome=\"dropped\"}";
    let until = async |series: &str, least: u64| {
        within_patience(series, async { while service.metric(series).await < least {} }).await;
    };
    until(dropped, 15).await;
    let lost = service.metric(dropped).await;
    verify(&service, None).await;
    until(dropped, lost + 1).await;
    let warned = Log::lines("traces cannot be exported and are dropped");
    assert_eq!(warned.len(), 1, "{warned:?}");
    assert!(warned[0]["error"].as_str().unwrap().contains("grpc-status 14"), "{warned:?}");
    collector.refuse(None);
    verify(&service, None).await;
    until("einmal_spans_total{outcome=\"exported\"}", 1).await;
    assert_eq!(Log::lines("traces can be exported again").len(), 1);
}

#[tokio::test]
async fn an_address_where_nobody_listens_costs_no_request_and_the_end_does_not_wait_for_it() {
    Log::capture();
    let nobody = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", nobody.local_addr().unwrap());
    // It takes connections and says nothing.
    let service = service(&url).await;
    assert_eq!(verify(&service, None).await, 404);
    let started = Instant::now();
    end(service).await;
    assert!(started.elapsed().as_secs() < 4, "{:?}", started.elapsed());
}

#[tokio::test]
async fn no_code_secret_subject_or_token_is_in_a_span_142() {
    let collector = Collector::start().await;
    let service = service(&collector.http_url()).await;
    service.provision(&json!({ "id": "canary", "pin": "8035", "deviceTotps": [{ "secret": SECRET }] })).await;
    let code = service.code(0);
    let token = service.token_with("canary", &json!({ "client_id": "canary" }));
    let request = service.request_with_token(&token, &json!({ "otp": code, "types": ["device-totp"] }));
    assert_eq!(request.header("tracestate", "canary=1").send().await.unwrap().status(), 204);
    service.create("canary", json!({ "pin": "8035" })).await;
    service.client.get(service.url("/canary?canary")).send().await.unwrap();
    end(service).await;
    assert_eq!(named(&collector.spans(), "request").len(), 3);
    let bytes = collector.bytes();
    let found = |needle: &str| memchr::memmem::find(&bytes, needle.as_bytes()).is_some();
    for needle in ["canary", "8035", SECRET, code.as_str(), token.as_str(), "Bearer"] {
        assert!(!found(needle), "{needle}");
    }
    assert!(found("http.route") && found("compare"));
}
