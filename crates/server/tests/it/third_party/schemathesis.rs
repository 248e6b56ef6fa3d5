//! Requests that schemathesis makes of the OpenAPI document, right ones and wrong ones.

use super::peer;
use crate::harness::is_long;
use crate::process::dev::Dev;
use std::process::Command;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_is_sent_every_answer_is_a_documented_one_200() {
    let Some(python) = peer("EINMAL_TEST_PYTHON", "the test with schemathesis") else { return };
    let dev = Dev::start(&[]).await;
    let origin = format!("http://{}", dev.address);
    let token = reqwest::get(format!("{origin}/dev/token")).await.unwrap().text().await.unwrap();
    let directory = tempfile::tempdir().unwrap();
    let mut command = Command::new(python.with_file_name("schemathesis"));
    command
        .args(["--config-file", concat!(env!("CARGO_MANIFEST_DIR"), "/tests/third_party/schemathesis.toml")])
        .args(["run", &format!("{origin}/openapi.json"), "--url", &format!("{origin}/user/2025-1")])
        .args(["-H", &format!("Authorization: Bearer {token}")])
        .args(["--max-examples", if is_long() { "2000" } else { "30" }])
        .args(["--phases", "examples,coverage,fuzzing", "--seed", "1", "--generation-database", "none"])
        // Right by its schema is not yet a right code, and a PIN that is a run of digits is none.
        .args(["--exclude-checks", "positive_data_acceptance"])
        .env("NO_COLOR", "1")
        // It leaves files behind.
        .current_dir(directory.path());
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("Tested: 10"), "{said}");
}
