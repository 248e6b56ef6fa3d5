//! What other people's software makes of the OpenAPI document: a linter, and generators of clients, whose clients then
//! talk to the service.

use super::peer;
use crate::harness::installation::{Installation, Serving, code_at, early_in_a_step, step};
use crate::harness::program::run;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;

const OURS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/third_party");

/// As `einmal openapi` prints it, in a file.
fn written_to(folder: &Path) -> String {
    let path = folder.join("openapi.json");
    fs::write(&path, run(&["openapi"]).stdout).unwrap();
    path.to_str().unwrap().to_owned()
}

/// What it prints; it must be content.
fn output_of(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{command:?}\n{}\n{}", text(&output.stdout), text(&output.stderr));
    text(&output.stdout)
}

fn node(folder: &Path, package: &str, script: &str) -> Command {
    let mut command = Command::new("node");
    command.arg(folder.join("node_modules").join(package).join(script));
    command
}

#[test]
fn spectral_finds_no_error_in_the_document() {
    let Some(folder) = peer("EINMAL_TEST_NODE", "the test with spectral") else { return };
    let directory = TempDir::new().unwrap();
    let rules = directory.path().join("rules.yaml");
    fs::write(&rules, "extends: [\"spectral:oas\"]\n").unwrap();
    let mut command = node(&folder, "@stoplight/spectral-cli", "dist/index.js");
    let command = command.args(["lint", "--quiet", "--format", "json", "--ruleset"]).arg(rules);
    let output = command.arg(written_to(directory.path())).output().unwrap();
    let found: Vec<Value> = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)));
    let warnings: BTreeSet<_> = found.iter().map(|one| one["code"].as_str().unwrap()).collect();
    // Whom to ask is not ours to say, all operations belong together, and OpenAPI 3.1 has scopes with bearer tokens, too.
    let known = ["info-contact", "operation-tags", "oas3-operation-security-defined"];
    assert_eq!(warnings, BTreeSet::from(known), "{found:#?}");
    assert!(found.iter().all(|one| one["severity"] != 0), "{found:#?}");
}

/// A service with one device, and the arguments of a client.
async fn with_a_code() -> (Installation, Serving, [String; 3]) {
    let installation = Installation::new().await;
    installation.import_device("driver");
    let serving = installation.serve().await;
    let url = format!("http://{}/user/2025-1", serving.address);
    early_in_a_step(10).await;
    let arguments = [url, installation.token("driver"), code_at(step())];
    (installation, serving, arguments)
}

fn assert_accepted_once(answers: &str) {
    let answers: Value = serde_json::from_str(answers).unwrap();
    assert_eq!(answers[0], json!({ "status": 204 }), "{answers}");
    assert_eq!(
        (&answers[1]["status"], &answers[1]["code"]),
        (&json!(404), &json!("otp-invalid")),
        "{answers}"
    );
    assert!(answers[1]["about"].as_str().unwrap().ends_with("otp-invalid"), "{answers}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_in_typescript_on_generated_types_compiles_and_verifies_a_code() {
    let Some(folder) = peer("EINMAL_TEST_NODE", "the test with openapi-typescript") else { return };
    // Beside its packages.
    let directory = TempDir::new_in(&folder).unwrap();
    let document = written_to(directory.path());
    let types = directory.path().join("api.d.ts");
    output_of(node(&folder, "openapi-typescript", "bin/cli.js").arg(document).arg("--output").arg(types));
    fs::copy(format!("{OURS}/openapi_client.ts"), directory.path().join("openapi_client.ts")).unwrap();
    let mut compiler = node(&folder, "typescript", "bin/tsc");
    let compiler =
        compiler.args(["--strict", "--module", "nodenext", "--target", "es2022", "openapi_client.ts"]);
    output_of(compiler.current_dir(&directory));
    let (_installation, _serving, arguments) = with_a_code().await;
    let mut client = Command::new("node");
    let answers = output_of(client.arg("openapi_client.js").args(arguments).current_dir(&directory));
    assert_accepted_once(&answers);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_generated_client_in_python_verifies_a_code() {
    let Some(python) = peer("EINMAL_TEST_PYTHON", "the test with openapi-python-client") else { return };
    let directory = TempDir::new().unwrap();
    let settings = directory.path().join("settings.yaml");
    // No formatter need be there; and it takes images for something unknown, unless told that they are bytes.
    let images = ["image/svg+xml", "image/png"].map(|kind| format!("  {kind}: application/octet-stream\n"));
    let text = format!("post_hooks: []\ncontent_type_overrides:\n{}", images.concat());
    fs::write(&settings, text).unwrap();
    let mut generator = Command::new(python.with_file_name("openapi-python-client"));
    let generator = generator.args(["generate", "--meta", "none", "--fail-on-warning", "--path"]);
    let generator = generator.arg(written_to(directory.path())).arg("--config").arg(settings);
    output_of(generator.arg("--output-path").arg(directory.path().join("generated")));
    let (_installation, _serving, arguments) = with_a_code().await;
    let mut client = Command::new(python);
    let client = client.arg(format!("{OURS}/openapi_client.py")).arg(directory.path()).args(arguments);
    assert_accepted_once(&output_of(client));
}
