//! A panic amid secrets leaves none of them in the log. The hook and the log are the process's, so that a process of its own
//! panics: this program, told to run the one test that does.

use crate::harness::service::{SECRET, Service};
use data_encoding::{BASE32_NOPAD, HEXLOWER};
use einmal::config::{Document, Environment};
use einmal::{process, telemetry};
use einmal_core::account::{Account, Verification};
use serde_json::{Value, json};
use std::process::Command;

const PIN: &str = "8035";
const CODE: &str = "80357142";
/// Set only for the process that is to panic.
const TOLD_TO: &str = "EINMAL_TEST_PANIC";

/// Does nothing but in a process that was told to.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_process_that_panics() {
    #[expect(clippy::disallowed_methods, reason = "set by the test below, and not for the service")]
    if std::env::var_os(TOLD_TO).is_none() {
        return;
    }
    let environment = Environment::from([
        ("EINMAL__LOG__LEVEL", "trace"),
        ("EINMAL__KEYRING__FILE", "k"),
        ("EINMAL__ISSUERS", "[{ issuer = \"https://a\", audiences = [\"a\"] }]"),
    ]);
    telemetry::init(&Document::open(None, environment).unwrap().service().unwrap().log).unwrap();
    process::log_panics_by_place();
    let service = Service::start().await;
    service.provision(&json!({ "id": "alice", "pin": PIN, "deviceTotps": [{ "secret": SECRET }] })).await;
    let id = einmal_core::account::AccountId::new("main", "alice");
    let panics = |account: &mut Account| -> Verification {
        let secret = account.devices[0].totp.secret();
        panic!("{} {:?} {PIN} {CODE}", secret.to_base32().as_str(), secret.bytes())
    };
    assert!(service.running.accounts().update(id.clone(), panics).await.is_err());
    let out_of_bounds = |account: &mut Account| -> Verification {
        let secret = account.devices[0].totp.secret().to_base32();
        let parsed: Result<u64, _> = secret.parse();
        parsed.map_err(|error| format!("{error}: {}", secret.as_str())).unwrap();
        Verification::Accepted
    };
    assert!(service.running.accounts().update(id, out_of_bounds).await.is_err());
    assert_eq!(service.verify("alice", &service.code(0)).await, 204, "the process lives");
}

#[test]
fn a_panic_amid_secrets_leaves_none_in_the_log_149() {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "panics::the_process_that_panics", "--nocapture"])
        .env(TOLD_TO, "1")
        .env("RUST_BACKTRACE", "full")
        .output()
        .unwrap();
    let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    assert!(output.status.success(), "{said}");
    let lines: Vec<Value> = said.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let panicked: Vec<_> = lines.iter().filter(|line| line["message"] == "panicked").collect();
    assert_eq!(panicked.len(), 2, "{said}");
    for line in panicked {
        assert!(line["place"].as_str().unwrap().contains("panics.rs:"), "{line}");
    }
    let secret = BASE32_NOPAD.decode(SECRET.as_bytes()).unwrap();
    let in_debug = format!("{secret:?}");
    for canary in [SECRET, &HEXLOWER.encode(&secret), in_debug.trim_matches(['[', ']']), CODE] {
        assert!(!said.contains(canary), "{canary} in {said}");
    }
    assert!(!said.contains(&format!(" {PIN} ")), "{said}");
}
