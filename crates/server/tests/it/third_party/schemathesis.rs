//! Schemathesis makes requests from the OpenAPI document, good and bad ones, and compares every answer with it.

use super::peer;
use crate::harness::installation::{Installation, Serving, code_at, step};
use crate::harness::is_long;
use crate::harness::mail_server::MailServer;
use crate::harness::program::run;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs;
use std::process::Command;
use tempfile::TempDir;

const SETTINGS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/third_party/schemathesis.toml");

/// With everything that an operation asks for, and the proofs that the document has as its examples.
const ACCOUNT: &str = r#"{"id":"driver","pin":"8299","password":"einmal und nie wieder","email":"driver@example.org",
    "deviceTotps":[{"secret":"GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"}]}"#;

/// Of a user.
const SCOPES: &str = "user:otp:verify user:otp:create user:users.pin:update user:users.pin:check \
     user:users.password:check user:device-totps:create user:device-totps:delete";

/// As `einmal openapi` prints it, but with codes that are good now, and without the answers that stand for all which
/// are not named: so each one must be named.
fn document() -> Value {
    let mut document: Value = serde_json::from_str(&run(&["openapi"]).stdout).unwrap();
    for item in document["paths"].as_object_mut().unwrap().values_mut() {
        for operation in item.as_object_mut().unwrap().values_mut() {
            operation["responses"].as_object_mut().unwrap().remove("default").unwrap();
        }
    }
    let mut set = |path: &str, method: &str, pointer: &str, code: String| {
        let example = format!("/requestBody/content/application~1json/example{pointer}");
        *document["paths"][path][method].pointer_mut(&example).unwrap() = json!(code);
    };
    set("/user/otp/verify", "post", "/otp", code_at(step()));
    set("/user/pin", "put", "/data/attributes/otp", code_at(step() + 1));
    document
}

/// Method, route and status of all requests.
fn answered(serving: &Serving) -> BTreeSet<(String, String, u64)> {
    let log = serving.program.stdout();
    let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let requests = lines.filter(|line| line["message"] == "request" && line["status"].is_u64());
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    requests
        .map(|line| (text(&line["method"]), text(&line["route"]), line["status"].as_u64().unwrap()))
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_is_sent_every_answer_is_a_documented_one_200() {
    let Some(python) = peer("EINMAL_TEST_PYTHON", "the test with schemathesis") else { return };
    let mail_server = MailServer::start().await;
    let installation = Installation::with(&mail_server.settings()).await;
    installation.import(ACCOUNT.replace('\n', ""));
    let serving = installation.serve().await;
    let token = installation.token_with("driver", &json!({ "scope": SCOPES }));
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("openapi.json");
    let document = document();
    fs::write(&path, document.to_string()).unwrap();

    let mut command = Command::new(python.with_file_name("schemathesis"));
    command.args(["--config-file", SETTINGS, "run", "--no-color", "--request-timeout", "20"]);
    command.arg(path).arg("--url").arg(format!("http://{}/user/2025-1", serving.address));
    command.arg("--header").arg(format!("Authorization: Bearer {token}"));
    // The same ones every time, or other ones and many.
    let amount: &[&str] =
        if is_long() { &["-n", "500"] } else { &["-n", "20", "--generation-deterministic"] };
    let output = command.args(amount).current_dir(&directory).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{}\n{}", text(&output.stdout), text(&output.stderr));

    // It has been where something happens, and not only at the door.
    let answered = answered(&serving);
    for (path, item) in document["paths"].as_object().unwrap() {
        for method in item.as_object().unwrap().keys() {
            let (method, route) = (method.to_uppercase(), format!("/user/2025-1{path}"));
            let statuses: BTreeSet<_> = answered
                .iter()
                .filter(|(of, at, _)| (of, at) == (&method, &route))
                .map(|(_, _, status)| *status)
                .collect();
            // By then the PIN has mostly died of wrong ones, and counts as not set.
            let is_of_the_pin = (method.as_str(), path.as_str()) == ("GET", "/user/pin");
            // Takes a code of a secret that was made a moment before, which no schema tells.
            let is_to_confirm = path.ends_with("/confirm");
            let has_worked = statuses.iter().any(|status| *status < 300);
            assert!(has_worked || is_of_the_pin || is_to_confirm, "{method} {path}: {statuses:?}");
            assert!(statuses.contains(&401), "{method} {path}: {statuses:?}");
        }
    }
}
