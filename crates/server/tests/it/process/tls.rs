//! TLS as an operator has it: files in the configuration, and SIGHUP when they are new.

use crate::harness::certificate::{BOTH, Certificate, handshake, shown};
use crate::harness::installation::{Installation, Serving};
use crate::harness::program::PATIENCE;
use reqwest::{Client, ClientBuilder};
use rustix::process::Signal;
use serde_json::Value;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

const TLS: &str = "tls = { certificate = \"chain.pem\", key = \"key.pem\" }";

/// A client that trusts these certificates alone.
fn trusting(certificates: &[&Certificate]) -> ClientBuilder {
    let roots = certificates.iter().map(|one| reqwest::Certificate::from_pem(one.pem.as_bytes()).unwrap());
    Client::builder().no_proxy().tls_certs_only(roots)
}

async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so().await {
        assert!(Instant::now() < deadline, "{what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_sighup_the_certificate_changes_and_no_request_under_load_is_lost_199() {
    let installation = Installation::with(TLS).await;
    let certificates = [Certificate::new(), Certificate::new()];
    certificates[0].write(installation.directory.path());
    let serving = installation.serve().await;
    let url = format!("https://{}/user/2025-1/user/otp/verify", serving.address);
    let (is_over, answered) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let both: Vec<_> = certificates.iter().collect();
    let mut workers = JoinSet::new();
    // Two that keep their connections, and one that makes a new one each time.
    for client in [trusting(&both), trusting(&both).http1_only(), trusting(&both).pool_max_idle_per_host(0)] {
        let (client, url, token) = (client.build().unwrap(), url.clone(), installation.token("stranger"));
        let (is_over, answered) = (Arc::clone(&is_over), Arc::clone(&answered));
        workers.spawn(async move {
            while !is_over.load(Ordering::SeqCst) {
                let request =
                    client.post(&url).bearer_auth(&token).header("content-type", "application/json");
                let response = request.body("{\"otp\":\"000000\"}").send().await.expect("an answer");
                assert_eq!(response.status(), 404);
                let body: Value = serde_json::from_slice(&response.bytes().await.unwrap()).unwrap();
                let about = body["errors"][0]["links"]["about"].as_str().unwrap();
                assert!(url.starts_with(about.split("/docs").next().unwrap()), "{about}");
                answered.fetch_add(1, Ordering::SeqCst);
            }
        });
    }
    for round in 1..=10 {
        let new = &certificates[round % 2];
        new.write(installation.directory.path());
        let before = answered.load(Ordering::SeqCst);
        serving.program.signal(Signal::HUP);
        until("the new certificate is not shown", async || {
            let stream = handshake(serving.address, &both, BOTH, &[]).await.unwrap();
            shown(&stream) == new.der
        })
        .await;
        until("the load has stopped", async || answered.load(Ordering::SeqCst) > before + 20).await;
    }
    is_over.store(true, Ordering::SeqCst);
    while let Some(worker) = workers.join_next().await {
        worker.expect("every request is answered");
    }
    serving.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_sighup_files_that_are_not_right_are_logged_and_the_old_ones_kept() {
    let installation = Installation::with(TLS).await;
    let certificate = Certificate::new();
    let files = certificate.write(installation.directory.path());
    let mut serving = installation.serve().await;
    fs::write(&files.key, Certificate::new().key_pem).unwrap();
    serving.program.signal(Signal::HUP);
    let line = serving
        .program
        .printed("line about the reload", |log| {
            log.lines().find(|line| line.contains("SIGHUP")).map(str::to_owned)
        })
        .await;
    let line: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(
        (&line["level"], &line["message"]),
        (&"ERROR".into(), &"SIGHUP: certificate and key stay as they were".into())
    );
    assert!(line["error"].as_str().unwrap().contains("key.pem: is not the key of the certificate in "));
    let stream = handshake(serving.address, &[&certificate], BOTH, &[]).await.unwrap();
    assert_eq!(shown(&stream), certificate.der);
    drop(stream);
    serving.stop().await;
}

#[tokio::test]
async fn what_is_wrong_with_the_files_is_told_by_config_check_and_at_the_start() {
    let installation = Installation::with("").await;
    installation.configure(&installation.issuer.url(), "tls = { certificate = \"chain.pem\" }");
    let check = installation.run(&["config", "check"]);
    let expected = "http.tls.key: missing, expected the path of a PEM file with its private key";
    assert!(check.code == Some(2) && check.stderr.contains(expected), "{check:?}");

    installation.configure(&installation.issuer.url(), TLS);
    let files = Certificate::new().write(installation.directory.path());
    assert_eq!(installation.run(&["config", "check"]).code, Some(0));
    fs::set_permissions(&files.key, fs::Permissions::from_mode(0o644)).unwrap();
    let (check, serve) = (installation.run(&["config", "check"]), installation.run(&["serve"]));
    assert_eq!((check.code, serve.code), (Some(2), Some(2)));
    for run in [check, serve] {
        assert!(run.stderr.starts_with("error: TLS: key.pem: others may read it"), "{}", run.stderr);
        assert_eq!(run.stderr.lines().count(), 1, "{}", run.stderr);
    }
    assert!(!installation.path("einmal.db").exists(), "nothing is made before it is known to be right");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_tls_sighup_changes_nothing() {
    let installation = Installation::new().await;
    let serving = Serving::start(&mut installation.einmal(&["serve"])).await;
    let mut serving = serving;
    serving.program.signal(Signal::HUP);
    serving.program.printed("line about it", |log| log.contains("nothing to read again").then_some(())).await;
    serving.stop().await;
}
