//! Security events: which lines there are, that they are true, and what becomes of them when nobody takes them.

mod files;
mod history;
mod manual;
mod overflow;
mod refusals;
mod repeats;
mod schema;
mod story;

use crate::harness::back_office::ADMIN;
use crate::harness::service::Service;
use crate::http::client::within_patience;
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use std::time::Duration;

const SETTINGS: &str = "[events]\noutput = \"events.jsonl\"\n";

/// A service that writes its events into a file, with a back office.
async fn service() -> Service {
    Service::start_with(&format!("{ADMIN}\n{SETTINGS}")).await
}

/// Whole lines, each of which fits the schema.
fn lines_of(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).unwrap();
    let (whole, _) = text.rsplit_once('\n').unwrap_or_default();
    whole
        .lines()
        .map(|line| {
            let line: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
            assert_eq!(schema::faults(&line), Vec::<String>::new(), "{line}");
            line
        })
        .collect()
}

/// When there are so many of them.
async fn until_lines(path: &Path, count: usize) -> Vec<Value> {
    within_patience("lines of events", async {
        while lines_of(path).len() < count {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    })
    .await;
    lines_of(path)
}

/// Without what differs each time.
fn bare(line: &Value) -> Value {
    let mut line = line.clone();
    for member in ["time", "request_id"] {
        line.as_object_mut().unwrap().remove(member);
    }
    line
}

/// Of a request with alice's token.
fn of_alice(event: &str, further: &Value) -> Value {
    let line = json!({ "event": event, "issuer": "main", "account": "alice", "client": "app" });
    crate::harness::issuer::with(&line, further)
}

/// Of the back office, about alice.
fn of_support(event: &str) -> Value {
    let by = json!({ "client": null, "by_client": "backoffice", "by_subject": "agent-7" });
    of_alice(event, &by)
}
