//! docs/LOGGING.md names every line that there is, with its level and fields, and no other.

use crate::harness::log::Log;
use crate::harness::service::Service;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Level, message and fields of a line.
type Line = (String, String, BTreeSet<String>);

fn sources() -> Vec<String> {
    let mut texts = Vec::new();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    while let Some(folder) = folders.pop() {
        for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                texts.push(fs::read_to_string(path).unwrap());
            }
        }
    }
    texts
}

/// What the macros of `tracing` in this text write. The last argument is the message.
fn lines_of(text: &str) -> Vec<Line> {
    let text = text.split("#[cfg(test)]").next().unwrap();
    let mut lines = Vec::new();
    for call in text.split("tracing::").skip(1) {
        let Some((level, rest)) = call.split_once("!(") else { continue };
        if !["error", "warn", "info", "debug", "trace"].contains(&level) {
            continue;
        }
        let mut arguments = arguments_of(rest);
        let message = arguments.pop().unwrap().trim().trim_matches('"').to_owned();
        let name = |field: &String| {
            field.split('=').next().unwrap().trim().trim_start_matches(['%', '?']).to_owned()
        };
        let fields = arguments.iter().map(name).collect();
        lines.push((level.to_owned(), message, fields));
    }
    lines
}

/// The arguments of a macro, up to its closing parenthesis.
fn arguments_of(text: &str) -> Vec<String> {
    let (mut depth, mut is_text, mut parts) = (0, false, vec![String::new()]);
    for c in text.chars() {
        match c {
            '"' => is_text = !is_text,
            '(' if !is_text => depth += 1,
            ')' if !is_text && depth == 0 => break,
            ')' if !is_text => depth -= 1,
            ',' if !is_text && depth == 0 => {
                parts.push(String::new());
                continue;
            }
            _ => {}
        }
        parts.last_mut().unwrap().push(c);
    }
    parts.retain(|part| !part.trim().is_empty());
    parts
}

fn manual() -> String {
    let root: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap().to_path_buf();
    fs::read_to_string(root.join("docs/LOGGING.md")).unwrap()
}

/// The rows `| level | message | fields | meaning |`.
fn documented() -> BTreeSet<Line> {
    let rows = manual();
    let cells = rows.lines().map(|line| line.split('|').map(str::trim).collect::<Vec<_>>());
    let lines =
        cells.filter(|cells| cells.len() == 6 && ["error", "warn", "info", "debug"].contains(&cells[1]));
    lines
        .map(|cells| {
            let message = cells[2].trim_matches('`').to_owned();
            let fields = cells[3].split('`').skip(1).step_by(2).map(str::to_owned).collect();
            (cells[1].to_owned(), message, fields)
        })
        .collect()
}

#[test]
fn every_line_that_the_code_writes_is_in_the_manual_and_no_other() {
    let written: BTreeSet<Line> = sources().iter().flat_map(|text| lines_of(text)).collect();
    assert!(written.len() > 20, "{written:#?}");
    let documented = documented();
    let missing: Vec<_> = written.difference(&documented).collect();
    let stale: Vec<_> = documented.difference(&written).collect();
    assert!(missing.is_empty() && stale.is_empty(), "not documented: {missing:#?}\nnot written: {stale:#?}");
}

#[test]
fn every_field_is_explained() {
    let manual = manual();
    let explained = |field: &str| manual.lines().any(|line| line.starts_with(&format!("| `{field}` | ")));
    let written =
        sources().iter().flat_map(|text| lines_of(text)).flat_map(|line| line.2).collect::<BTreeSet<_>>();
    let missing: Vec<_> = written.iter().filter(|field| !explained(field)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[tokio::test]
async fn what_a_running_service_writes_has_no_field_that_is_not_explained() {
    Log::capture();
    let service = Service::start_administered().await;
    service.provision_device("alice").await;
    service.verify("alice", &service.code(0)).await;
    service.verify("alice", "x").await;
    service.shown("alice").await;
    let manual = manual();
    let mut seen = BTreeSet::new();
    for line in Log::text().lines() {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        // The test's own client logs, too.
        if !line["target"].as_str().unwrap().starts_with("einmal") {
            continue;
        }
        seen.extend(line["fields"].as_object().unwrap().keys().cloned());
    }
    assert!(seen.len() > 8, "{seen:?}");
    for field in seen.iter().filter(|field| *field != "message") {
        assert!(manual.contains(&format!("| `{field}` | ")), "{field}");
    }
}

#[test]
fn the_reader_of_this_test_finds_lines_and_their_fields() {
    let text = "tracing::warn!(path = %path.display(), %error, count = f(1, 2).len(), \"it; broke, (a)\"),\n\
                tracing::info!(\n    a,\n    b = ?c,\n    \"done\"\n);";
    let fields = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
    assert_eq!(
        lines_of(text),
        [
            ("warn".to_owned(), "it; broke, (a)".to_owned(), fields(&["path", "error", "count"])),
            ("info".to_owned(), "done".to_owned(), fields(&["a", "b"])),
        ]
    );
}
