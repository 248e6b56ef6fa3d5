//! The manual for client developers: what it shows is pasted, and shows every operation there is.

use super::dev::{Dev, paste, status_of};
use crate::harness::installation::early_in_a_step;
use crate::harness::program::PROGRAM;
use serde_json::Value;
use std::fs;
use std::path::Path;

/// For two codes, of which the second must be the first again.
const SECONDS: u64 = 4;
/// As the lines write it: the client's choice, or of an answer before.
const IDS: [&str; 2] = ["8f14e45f-ceea-467f-a0e6-1b2c3d4e5f60", "$ID"];

fn read(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(name)).unwrap()
}

/// Each line with the status that it says it gets.
fn lines() -> Vec<(String, u16)> {
    let manual = read("docs/CLIENTS.md");
    let blocks = manual.split("```console\n").skip(1).map(|block| block.split("```").next().unwrap());
    let lines = blocks.flat_map(|block| block.strip_prefix("$ ").unwrap().split("\n$ "));
    lines
        .map(|line| {
            let (command, status) = line.trim_end().rsplit_once(" # ").expect("a status");
            (command.to_owned(), status.parse().expect("a status"))
        })
        .collect()
}

/// Of which the lines after it need id and secret.
fn made_authenticator(answer: &str) -> Option<Value> {
    let (_, body) = answer.split_once("\r\n\r\n")?;
    let body: Value = serde_json::from_str(body).ok()?;
    let is_new = body["data"]["type"] == "authenticator" && body["data"]["attributes"]["secret"].is_string();
    is_new.then_some(body)
}

#[tokio::test]
async fn the_lines_of_the_manual_for_clients_get_the_status_they_say() {
    let dev = Dev::start(&[]).await;
    early_in_a_step(SECONDS).await;
    let mut variables = format!("TOKEN=$(curl -s http://{}/dev/token)", dev.address);
    for (line, expected) in lines() {
        assert!(line.contains("http://127.0.0.1:8080/"), "{line}");
        let address = dev.address.to_string();
        let line = line.replace("127.0.0.1:8080", &address).replace("$(einmal ", &format!("$({PROGRAM} "));
        let answer = paste(&format!("{variables}; {line}"));
        assert_eq!(status_of(&answer), expected, "{line}");
        if let Some(made) = made_authenticator(&answer) {
            let text = |pointer| made.pointer(pointer).and_then(Value::as_str).unwrap();
            let (id, secret) = (text("/data/id"), text("/data/attributes/secret"));
            variables = format!("{variables}; ID={id}; SECRET={secret}");
        }
    }
}

#[test]
fn the_manual_for_clients_shows_every_operation_and_every_scope() {
    let manual = read("docs/CLIENTS.md");
    let lines = lines();
    let document: Value = serde_json::from_str(&read("openapi.json")).unwrap();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let urls = IDS.map(|id| format!("http://127.0.0.1:8080/user/2025-1{}", path.replace("{id}", id)));
            let is_shown = lines.iter().any(|(line, _)| {
                let rest = urls.iter().find_map(|url| line.split_once(url)).map_or("/", |(_, rest)| rest);
                let sent = match line.split_once(" -X ") {
                    Some((_, rest)) => rest.split(' ').next().unwrap(),
                    None if line.contains(" -d ") => "POST",
                    None => "GET",
                };
                [' ', '?', '\''].iter().any(|end| rest.starts_with(*end)) && sent == method.to_uppercase()
            });
            assert!(is_shown, "{method} {path}");
            let id = operation["operationId"].as_str().unwrap();
            let together = operation["security"].as_array().unwrap().iter().map(|one| &one["bearer"]);
            for scope in together.flat_map(|scopes| scopes.as_array().unwrap()) {
                let start = format!("| `{}` | ", scope.as_str().unwrap());
                let row = manual.lines().find_map(|line| line.strip_prefix(&start));
                assert!(row.is_some_and(|row| row.contains(id)), "{id}: {scope}");
            }
        }
    }
}
