//! The pages in a real browser.

use super::peer;
use crate::harness::installation::early_in_a_step;
use crate::process::dev::Dev;
use serde_json::{Value, json};
use std::process::Command;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_button_of_the_page_of_dev_does_what_it_says() {
    let Some(folder) = peer("EINMAL_TEST_NODE", "the test of the page of dev") else { return };
    let Some(chromium) = peer("EINMAL_TEST_CHROMIUM", "the test of the page of dev") else { return };
    let dev = Dev::start(&[]).await;
    let url = format!("http://{}/", dev.address);
    early_in_a_step(10).await;
    let mut command = Command::new("node");
    let command = command.arg(folder.join("dev-page.mjs")).arg(&url).arg(chromium).current_dir(&folder);
    let output = command.output().expect("node runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let seen: Value = serde_json::from_slice(&output.stdout).unwrap();

    assert_eq!(seen["hosts"], json!([dev.address.to_string()]), "nothing from anywhere else: {seen}");
    // A refusal is an error to the browser's console, and there is no icon.
    let complaints = seen["complaints"].as_array().unwrap();
    let is_expected = |text: &Value| text.as_str().unwrap().starts_with("Failed to load resource");
    assert!(complaints.iter().all(is_expected), "{seen}");
    assert_eq!(seen["width"], 375, "as wide as a phone");
    assert_eq!(seen["pages"], json!([375, 375, 375]), "/docs, /docs/errors and /dev/mailbox");
    let answers = seen["answers"].as_array().unwrap();
    assert!(answers.len() >= 5);
    for answer in answers {
        assert_eq!(answer["first"], answer["said"], "{answer}");
    }
    assert_eq!(seen["created"], json!([204, 404]));
    let enrolled = json!({ "isWhatIsShown": true, "width": 375, "statuses": ["403", "204"] });
    assert_eq!(seen["scanned"], json!([enrolled, enrolled]), "a QR code, in light and dark colours");
}
