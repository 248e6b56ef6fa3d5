//! The first document that somebody follows: every line of it, from one terminal, with the servers as its other terminals
//! have them. Only clone and build are left out.

use super::{read, run_samples, shell_samples, statuses_said, statuses_shown};
use crate::harness::installation::{Serving, early_in_a_step};
use crate::harness::program::einmal;
use crate::process::dev::Dev;
use std::fs;
use tempfile::TempDir;

const DEV: &str = "127.0.0.1:8080";
const SERVE: [&str; 2] = ["127.0.0.1:8090", "127.0.0.1:9090"];
/// For the lines that use codes.
const SECONDS: u64 = 8;

/// In two parts: with everything built in, and with a service of one's own.
fn parts() -> [Vec<String>; 2] {
    let text = read("docs/FIRST_TEN_MINUTES.md");
    let (first, second) = text.split_once("\n## With a service of your own\n").unwrap();
    for terminal in ["$ einmal dev\n```", "$ einmal serve\n```"] {
        assert!(text.contains(terminal), "what this test starts instead");
    }
    [first, second].map(shell_samples)
}

/// They get what they say. What they wrote.
async fn assert_get_what_they_say(samples: &[String], script: &str, directory: &TempDir) -> String {
    early_in_a_step(SECONDS).await;
    let (out, err) = run_samples(script, directory.path());
    assert_eq!(statuses_shown(&out), statuses_said(samples), "{out}\n{err}");
    out
}

#[tokio::test]
async fn the_first_ten_minutes_go_as_described() {
    let dev = Dev::start(&[]).await;
    let (samples, directory) = (&parts()[0], TempDir::new().unwrap());
    assert_eq!((samples.len(), statuses_said(samples).len()), (6, 8));
    let script = samples.join("\n").replace(DEV, &dev.address.to_string());
    let out = assert_get_what_they_say(samples, &script, &directory).await;
    assert!(out.contains("\"My phone\""), "{out}");
}

#[tokio::test]
async fn the_first_service_of_ones_own_goes_as_described() {
    let dev = Dev::start(&[]).await;
    let directory = TempDir::new().unwrap();
    let [_, samples] = parts();
    let samples: Vec<_> =
        samples.iter().map(|sample| sample.replace(DEV, &dev.address.to_string())).collect();
    let [make, import, ask] = samples.as_slice() else { panic!("{samples:?}") };
    run_samples(&format!("{make}\n{import}"), directory.path());

    // The ports are others, so that tests run beside each other, and stay those of the document for its reader.
    let configured = fs::read_to_string(directory.path().join("einmal.toml")).unwrap();
    assert!(SERVE.iter().all(|address| configured.contains(address)), "{configured}");
    let mut command = einmal(&["serve"]);
    let command = command.current_dir(directory.path()).env("EINMAL_CONFIG", "einmal.toml");
    let free = [("EINMAL__HTTP__LISTEN", "127.0.0.1:0"), ("EINMAL__HTTP__MANAGEMENT_LISTEN", "127.0.0.1:0")];
    let serving = Serving::start(command.envs(free)).await;
    serving.until_ready().await;
    let addresses = [serving.address, serving.management].map(|address| address.to_string());
    let moved = SERVE.iter().zip(&addresses).fold(configured, |text, (from, to)| text.replace(from, to));
    fs::write(directory.path().join("einmal.toml"), moved).unwrap();

    let script = format!("export EINMAL_CONFIG=einmal.toml\n{}", ask.replace(SERVE[0], &addresses[0]));
    let out = assert_get_what_they_say(&samples, &script, &directory).await;
    assert!(out.contains("anna"), "{out}");
    serving.stop().await;
}
