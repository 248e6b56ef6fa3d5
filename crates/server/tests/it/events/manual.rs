//! docs/EVENTS.md and the schema beside it say what is true.

use super::schema;
use einmal::events;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

fn manual() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/EVENTS.md");
    fs::read_to_string(path).unwrap()
}

fn blocks(kind: &str) -> Vec<String> {
    let manual = manual();
    let start = format!("```{kind}\n");
    let blocks = manual.split(&start).skip(1);
    blocks.map(|block| block.split("```").next().unwrap().to_owned()).collect()
}

/// The rows of the table below a heading: the first cell, without its marks.
fn rows(heading: &str) -> BTreeSet<String> {
    let manual = manual();
    let (_, section) = manual.split_once(&format!("\n## {heading}\n")).expect("a heading");
    let section = section.split("\n## ").next().unwrap();
    let rows = section.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`'));
    rows.map(|(name, _)| name.to_owned()).collect()
}

#[test]
fn manual_schema_and_code_name_the_same_events_and_members() {
    let named: BTreeSet<_> = events::names().map(str::to_owned).collect();
    assert_eq!(named.len(), events::names().count(), "each once");
    assert_eq!(rows("Events"), named);
    let schema = schema::schema();
    let properties = schema["properties"].as_object().unwrap();
    let all = properties["event"]["enum"].as_array().unwrap();
    let all: BTreeSet<_> = all.iter().map(|name| name.as_str().unwrap().to_owned()).collect();
    assert_eq!(all, named);
    assert_eq!(rows("Members"), properties.keys().cloned().collect());
    assert!(properties.values().all(|property| property["description"].is_string()));
}

#[test]
fn the_lines_that_the_manual_shows_fit_the_schema_and_its_samples_find_them() {
    let lines = blocks("json").concat();
    let count = lines.lines().count();
    assert!(count >= 5, "{lines}");
    for line in lines.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        assert_eq!(schema::faults(&line), Vec::<String>::new(), "{line}");
    }
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("events.jsonl"), lines).unwrap();
    let samples = blocks("sh");
    assert_eq!(samples.len(), 2);
    for sample in samples {
        let mut bash = Command::new("bash");
        let output = bash.args(["-euc", &sample]).current_dir(directory.path()).output().unwrap();
        let out = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success() && !out.trim().is_empty(), "{sample}: {out}");
    }
}
