//! What other people's software makes of the OpenAPI document: a linter, and generators of clients, whose clients then
//! talk to the service.

use super::peer;
use crate::harness::installation::Installation;
use crate::harness::mail_server::MailServer;
use crate::harness::program::{Program, run};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use tempfile::TempDir;

const OURS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/third_party");
const PASSWORD: &str = "correct horse battery staple";

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

/// What mobile clients do, and what they are answered.
fn ways() -> Value {
    json!({
        "pin_by_password": [200, "404 not-set", 201, 200, 200, 200, 201, 204],
        "biometry_by_pin": [201, 200, 201, 204],
        "biometry_by_password": [201, 204, "404 otp-invalid"],
        "biometry_by_mail": [204, 201, 204],
        "pin_by_mail_and_device": [204, 201, "406 pin-not-secure", 200, 201, 204],
        "pin_by_mail": [204, 200, 201, 204],
        "repeats": [201, 201, 204, 204, "404 otp-invalid", 201, 200, 200, 201, 204],
    })
}

/// Lets a client go all the ways, each with a user of its own who has a password and a verified address.
async fn assert_goes_all_ways(client: &mut Command) {
    let mail_server = MailServer::start().await;
    let installation = Installation::with(&mail_server.settings()).await;
    let ways = ways();
    let users: Vec<_> = ways.as_object().unwrap().keys().collect();
    let account = |user| json!({ "id": user, "email": format!("{user}@example.com"), "password": PASSWORD });
    let lines: Vec<_> = users.iter().map(|user| account(user).to_string()).collect();
    installation.import(lines.join("\n"));
    let scope = json!({ "scope": "user:otp:verify user:otp:create user:device-totps:create \
        user:users.pin:update user:users.pin:check user:users.password:check" });
    let tokens: Value = users.iter().map(|user| (*user, installation.token_with(user, &scope))).collect();
    let serving = installation.serve().await;
    let url = format!("http://{}/user/2025-1", serving.address);
    client.args([&url, PASSWORD, &tokens.to_string()]).stdin(Stdio::piped());
    let mut client = Program::start(client);
    for count in 0.. {
        let said = client.printed("further line", |text| text.lines().nth(count).map(str::to_owned)).await;
        if said == "mailed" {
            client.say(&mail_server.mails().pop().unwrap().code());
            continue;
        }
        let answers: Value = serde_json::from_str(&said).unwrap();
        assert_eq!(answers, ways, "{}", serving.program.stdout());
        break;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_in_typescript_on_generated_types_compiles_and_goes_all_ways() {
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
    let mut client = Command::new("node");
    assert_goes_all_ways(client.arg("openapi_client.js").current_dir(&directory)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_generated_client_in_python_goes_all_ways() {
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
    let mut client = Command::new(python);
    assert_goes_all_ways(client.arg(format!("{OURS}/openapi_client.py")).arg(directory.path())).await;
}
