//! `einmal health`, as the probe of a container asks.

use crate::harness::installation::{Installation, Serving};
use crate::harness::issuer::Answer;
use crate::harness::program::Run;
use std::net::SocketAddr;
use std::process::Command;

fn health(installation: &Installation, management: SocketAddr) -> Run {
    let mut command: Command = installation.einmal(&["health"]);
    command.env("EINMAL__HTTP__MANAGEMENT_LISTEN", management.to_string()).output().unwrap().into()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn health_is_0_while_the_service_is_ready_and_1_with_the_reason_else() {
    let installation = Installation::new().await;
    let serving = installation.serve().await;
    let management = serving.management;
    for address in [management, SocketAddr::from(([0, 0, 0, 0], management.port()))] {
        let ready = health(&installation, address);
        assert_eq!((ready.code, ready.stdout.as_str(), ready.stderr.as_str()), (Some(0), "ready\n", ""));
    }
    serving.stop().await;
    let gone = health(&installation, management);
    assert_eq!((gone.code, gone.stdout.as_str()), (Some(1), ""));
    assert!(gone.stderr.starts_with(&format!("error: {management}: ")), "{}", gone.stderr);
    assert_eq!(gone.stderr.lines().count(), 1, "{}", gone.stderr);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn health_names_what_is_not_ready_and_no_words_of_a_stranger() {
    let installation = Installation::new().await;
    installation.issuer.answer(&installation.issuer.discovery_path(), Answer::HangUp);
    let serving = Serving::start(&mut installation.einmal(&["serve"])).await;
    let waiting = health(&installation, serving.management);
    assert_eq!((waiting.code, waiting.stdout.as_str()), (Some(1), ""));
    assert_eq!(waiting.stderr, format!("error: {}: not ready: issuers\n", serving.management));
    // The public listener has no such path.
    let other = health(&installation, serving.address);
    assert_eq!(other.code, Some(1));
    assert_eq!(other.stderr, format!("error: {}: not ready: no such report was answered\n", serving.address));
}
