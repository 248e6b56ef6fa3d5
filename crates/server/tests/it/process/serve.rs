//! `einmal serve` at its start: what is missing it says, and what comes later it waits for.

use crate::harness::installation::{Installation, Serving, code_at, step};
use crate::harness::issuer::{Answer, Issuer, SigningKey};
use crate::harness::program::{Program, einmal, run};
use serde_json::json;
use std::fs;

#[test]
fn without_a_configuration_one_line_points_to_dev() {
    let run = run(&["serve"]);
    assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""));
    assert_eq!(run.stderr.lines().count(), 1);
    for way_out in ["--config FILE", "EINMAL_CONFIG", "`einmal dev`"] {
        assert!(run.stderr.contains(way_out), "{}", run.stderr);
    }
}

#[tokio::test]
async fn a_faulty_configuration_exits_2_and_makes_nothing() {
    let installation = Installation::new().await;
    installation.configure("https://a", "listn = \"x\"\nmax_connections = 0");
    let check = installation.run(&["config", "check"]);
    let serve = installation.run(&["serve"]);
    assert_eq!((check.code, serve.code), (Some(2), Some(2)));
    assert_eq!(check.stderr, serve.stderr, "check says what serve would");
    for place in ["einmal.toml:9: http.listn: ", "einmal.toml:10: http.max_connections: "] {
        assert!(serve.stderr.contains(place), "{}", serve.stderr);
    }
    assert!(!installation.path("einmal.db").exists());
}

#[tokio::test]
async fn an_address_in_use_is_one_clear_line() {
    let holder = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = holder.local_addr().unwrap().to_string();
    let installation = Installation::new().await;
    for name in ["EINMAL__HTTP__LISTEN", "EINMAL__HTTP__MANAGEMENT_LISTEN"] {
        let run = Program::start(installation.einmal(&["serve"]).env(name, &address)).ended().await;
        assert_eq!(run.code, Some(1), "{run:?}");
        assert!(run.stderr.starts_with(&format!("error: cannot listen on {address}: ")), "{}", run.stderr);
        assert_eq!(run.stderr.lines().count(), 1, "{}", run.stderr);
    }
}

/// The issuer comes back at once; the service asks it again after the 30 seconds of its rule, or when it first has a
/// token to check, whichever it may.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_issuer_out_of_reach_at_the_start_makes_it_not_ready_until_it_is_there() {
    let installation = Installation::new().await;
    installation.import_device("a");
    let discovery = installation.issuer.discovery_path();
    installation.issuer.answer(&discovery, Answer::HangUp);
    let serving = Serving::start(&mut installation.einmal(&["serve"])).await;
    let readiness = serving.readiness().await;
    assert_eq!(readiness.status(), 503);
    assert_eq!(readiness.text().await.unwrap(), r#"{"status":"not ready","notReady":["issuers"]}"#);
    let liveness = format!("http://{}/health/liveness", serving.management);
    assert_eq!(serving.client.get(liveness).send().await.unwrap().status(), 200);
    let token = installation.token("a");
    let refused = serving.try_verify(&token, &code_at(step())).await.unwrap();
    assert_eq!(refused.status(), 503);
    assert!(refused.headers().contains_key("retry-after"));

    let issuer = &installation.issuer;
    issuer.answer(&discovery, Answer::Json(json!({ "issuer": issuer.url(), "jwks_uri": issuer.keys_url() })));
    serving.until_ready().await;
    assert_eq!(serving.verify(&token, &code_at(step())).await, 204);
}

/// Case 88: else one tenant of a provider could hand out another one's keys.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_discovery_document_of_another_issuer_is_an_error_at_the_start() {
    let installation = Installation::new().await;
    let issuer = &installation.issuer;
    let other = json!({ "issuer": format!("{}/other", issuer.url()), "jwks_uri": issuer.keys_url() });
    issuer.answer(&issuer.discovery_path(), Answer::Json(other));
    let run = Program::start(&mut installation.einmal(&["serve"])).ended().await;
    assert_eq!(run.code, Some(1), "{run:?}");
    let expected = format!("says that it is of issuer \"{0}/other\", expected \"{0}\"", issuer.url());
    assert!(run.stderr.contains(&expected) && run.stderr.lines().count() == 1, "{}", run.stderr);
    assert!(!run.stdout.contains("\"serving\""), "{}", run.stdout);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_can_come_from_the_environment() {
    let installation = Installation::new().await;
    let key = SigningKey::new("EdDSA", Some("key"));
    let issuer = Issuer::start(&[&key]).await;
    let settings = format!("[{{ issuer = \"{}\", audiences = [\"einmal\"] }}]", issuer.url());
    let mut command = einmal(&["serve"]);
    command.current_dir(installation.directory.path()).envs([
        ("EINMAL__HTTP__LISTEN", "127.0.0.1:0"),
        ("EINMAL__HTTP__MANAGEMENT_LISTEN", "127.0.0.1:0"),
        ("EINMAL__KEYRING__FILE", "einmal.keys"),
        ("EINMAL__STORE__URL", "sqlite:elsewhere.db"),
        ("EINMAL__ISSUERS", &settings),
    ]);
    let serving = Serving::start(&mut command).await;
    serving.until_ready().await;
    assert!(fs::exists(installation.path("elsewhere.db")).unwrap());
    serving.stop().await;
}

/// What `config check` finds fine, `serve` takes; the example names every key there is.
#[test]
fn the_example_in_the_repository_is_fine() {
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/../../einmal.example.toml");
    let run = run(&["config", "check", "--config", example]);
    assert_eq!((run.code, run.stdout.as_str()), (Some(0), "the configuration is fine\n"), "{}", run.stderr);
}
