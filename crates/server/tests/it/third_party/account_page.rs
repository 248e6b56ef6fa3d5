//! The account page in a real browser, signed in at a certified OpenID provider.

use super::openid_provider::Provider;
use super::peer;
use crate::harness::installation::{Installation, SECRET, code_of, early_in_a_step, step};
use crate::harness::mail_server::MailServer;
use einmal_core::account::check_pin;
use serde_json::{Value, json};
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

fn asset(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/page/assets");
    fs::read_to_string(folder.join(name)).unwrap()
}

fn node(folder: &Path, script: &str, input: &Value) -> Value {
    let mut command = Command::new("node");
    command.arg(folder.join(script)).current_dir(folder).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.stderr(Stdio::piped()).spawn().expect("node runs");
    child.stdin.take().unwrap().write_all(input.to_string().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Where pictures for the manual are to be left: `EINMAL_TEST_SCREENSHOTS=docs/images`, from the root of the repository.
#[expect(clippy::disallowed_methods, reason = "asks the one who runs the tests, and not the service")]
fn screenshots() -> Option<String> {
    let folder = std::env::var("EINMAL_TEST_SCREENSHOTS").ok()?;
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap();
    Some(root.join(folder).display().to_string())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn users_look_after_their_account_on_phones_and_wide_screens_by_mouse_and_keyboard() {
    let Some(folder) = peer("EINMAL_TEST_NODE", "the test of the account page") else { return };
    let Some(chromium) = peer("EINMAL_TEST_CHROMIUM", "the test of the account page") else { return };
    let provider = Provider::start(&folder, "account-page-provider.mjs");
    let mail = MailServer::start().await;
    let installation = Installation::new().await;
    let page = "[account_page]\nclient_id = \"account-page\"\nresource = \"urn:einmal\"\n\
         scopes = [\"openid\", \"profile\", \"user:device-totps:create\", \"user:device-totps:delete\", \
         \"user:users.pin:update\", \"user:users.pin:check\", \"user:users.password:check\", \"user:otp:create\"]\n\
         [totp]\nissuer_label = \"Example Cars\"\n";
    installation.configure(&provider.url, &format!("{page}{}", mail.settings()));
    for (subject, email) in [("alice", "alice@example.com"), ("bettina", "bettina@example.com")] {
        let devices = [json!({ "secret": SECRET, "label": "Glove box" })];
        let account = json!({ "id": subject, "pin": "8299", "email": email, "deviceTotps": devices });
        installation.import(format!("{account}\n"));
    }
    let serving = installation.serve().await;
    let url = format!("http://{}", serving.address);

    early_in_a_step(10).await;
    let input = json!({
        "url": url, "executablePath": chromium, "texts": asset("texts.js"), "deviceSecret": SECRET,
        "screenshots": screenshots(),
    });
    let seen = tokio::task::spawn_blocking(move || node(&folder, "account-page.mjs", &input)).await.unwrap();

    let mut origins = [url.clone(), provider.url.clone()];
    origins.sort();
    assert_eq!(seen["origins"], json!(origins), "nothing from anywhere else: {seen:#}");
    assert_eq!(seen["secretsInAddresses"], json!([]));
    // A refusal is an error to the browser's console; a violation of the policy would be another one.
    let complaints = seen["complaints"].as_array().unwrap();
    let is_expected = |text: &Value| text.as_str().unwrap().starts_with("Failed to load resource");
    assert!(complaints.iter().all(is_expected), "{complaints:#?}");
    for (visit, width) in [("phone", 375), ("wide", 1280)] {
        assert_visit(&seen[visit], width, &url);
    }
    let said = |visit: &str, name: &str| seen[visit]["said"][name].as_str().unwrap().to_owned();
    assert!(said("wide", "clock").contains("5 minutes fast"), "{}", said("wide", "clock"));
    assert!(said("phone", "clock").contains("5 Minuten vor"), "{}", said("phone", "clock"));
    assert!(said("wide", "wrongCode").contains("Tries left: 4"), "{}", said("wide", "wrongCode"));
    assert_eq!(seen["wide"]["confirmed"], "An authenticator app was added: My phone");
    assert_eq!(seen["phone"]["confirmed"], "Eine Authenticator-App wurde hinzugefügt: Mein Telefon");
    assert!(said("wide", "foreign").contains("not begun on this page"), "{}", said("wide", "foreign"));

    let recipients: Vec<_> = mail.mails().into_iter().flat_map(|mail| mail.recipients).collect();
    assert_eq!(recipients, ["TO:<bettina@example.com>", "TO:<alice@example.com>"]);
    for subject in ["alice", "bettina"] {
        let shown = installation.run(&["accounts", "show", subject, "--json"]);
        let shown: Value = serde_json::from_str(&shown.stdout).unwrap();
        assert_eq!(shown["authenticators"], json!([]), "what was deleted is gone: {shown:#}");
    }
}

fn assert_visit(visit: &Value, width: u64, url: &str) {
    let views = visit["views"].as_object().unwrap();
    assert_eq!(views.len(), 12, "{visit:#}");
    for (name, view) in views {
        assert_eq!(*view, json!({ "width": width, "violations": [] }), "{name} at {width}");
    }
    assert_eq!(visit["address"], format!("{url}/account"), "the code has left the address");
    assert_eq!(visit["foreignAddress"], format!("{url}/account"));
    // The language was not chosen yet, and there are no cookies.
    assert_eq!(visit["kept"], json!([""]), "nothing is kept but in memory");
    assert_eq!([&visit["focused"], &visit["focusedThen"]], ["h1", "h1"], "the focus is on the new view");
    assert_eq!(visit["focusedAfterEscape"], true, "and goes back to where it was");
    assert_eq!(visit["key"], json!({ "isLinked": true, "isShown": true, "isCopied": true }));
    assert_eq!(
        visit["rules"],
        json!([[false, false, false], [true, true, false], [true, false, true], [true, true, true]])
    );
    let activity =
        ["authenticator_deleted", "pin_set", "authenticator_confirmed", "authenticator_begun", "code_mailed"];
    assert_eq!(visit["activity"], json!(activity.map(|name| format!("event_{name}"))), "the latest first");
    assert_eq!(
        visit["isActivityOfOlderShown"], false,
        "what an older server has not is absent, and nothing else"
    );
    assert_eq!(visit["typed"], "typed before", "what was typed outlives the session");
    assert_eq!((&visit["issuerSaid"], &visit["isStillSignedOut"]), (&json!(200), &json!(true)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_page_takes_the_pins_that_the_service_takes_tells_how_far_a_clock_is_off_and_speaks_both_languages()
 {
    let Some(folder) = peer("EINMAL_TEST_NODE", "the comparison of the account page with the service") else {
        return;
    };
    early_in_a_step(5).await;
    let key = "KRUGS4ZANFZSAYJAONSWG4TFOQQGM33S";
    // In steps of 30 s.
    let offsets = [0, 1, -1, 2, -10, 120, -2_880];
    let codes: Vec<_> =
        offsets.iter().map(|offset| code_of(key, step().checked_add_signed(*offset).unwrap())).collect();
    let input = json!({
        "pinRules": asset("pin-rules.js"), "clockCheck": asset("clock-check.js"), "texts": asset("texts.js"),
        "key": { "secret": key, "algorithm": "SHA1", "digits": 6, "period": 30 },
        "now": step() * 30 + 7, "codes": codes,
    });
    let said = node(&folder, "account-page-modules.mjs", &input);
    let secure: Vec<_> =
        (0..10_000).map(|pin| format!("{pin:04}")).filter(|pin| check_pin(pin).is_ok()).collect();
    assert_eq!(said["secure"], json!(secure));
    assert_eq!(said["others"], json!([]));
    let seconds: Vec<_> = offsets.iter().map(|offset| offset * 30).collect();
    assert_eq!(said["offsets"], json!(seconds));
    let [english, german] = [0, 1].map(|language| said["shapes"][language].as_array().unwrap());
    assert!(english.len() > 90);
    assert_eq!(english, german, "each text in each language, with the same places");
}
