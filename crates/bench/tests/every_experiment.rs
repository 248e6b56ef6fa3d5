//! Runs every experiment for a moment, so that none of them rots. Says nothing about speed.

#![cfg(test)]

use einmal_bench::catalogue;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Minutes of installing Python packages are too much for a test.
const LEFT_OUT: &str = "privacyidea";

/// Contestants that need what a machine may not have, with the variable that `scripts/test` sets where it is there.
const NEEDS: [(&str, &str); 2] = [("PostgreSQL", "EINMAL_TEST_POSTGRES"), ("fastify", "EINMAL_TEST_NODE")];

struct Folder(PathBuf);

impl Folder {
    /// Not a temporary one: PostgreSQL runs as a user who may not look into those.
    fn new(name: &str) -> Self {
        let name = format!("bench-{}-{name}", std::process::id());
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn run(folder: &Path, names: &[&str]) -> (bool, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_einmal-bench"));
    command.args(["run", "--rounds", "1", "--seconds", "0.1", "--tokens", "2048", "--accounts", "2048"]);
    command.arg("--directory").arg(folder).arg("--only").arg(names.join(","));
    // Built by the tests of the service; only the size of a release is worth anything.
    command.arg("--program").arg(program());
    let output = command.stdin(Stdio::null()).output().unwrap();
    (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
}

fn program() -> PathBuf {
    Path::new(env!("CARGO_BIN_EXE_einmal-bench")).with_file_name("einmal")
}

/// Whether a contestant may be missing: where `scripts/test` has not found what it needs.
#[expect(clippy::disallowed_methods, reason = "asks the one who runs the tests, and not the service")]
fn is_excused(row: &Value) -> bool {
    let label = row["label"].as_str().unwrap();
    let needs = |name: &str| label.contains(name) || (name == "PostgreSQL" && label.contains("replica"));
    let missing = NEEDS.iter().find(|(name, variable)| needs(name) && std::env::var_os(variable).is_none());
    if let Some((_, variable)) = missing {
        eprintln!("NOT RUN: {label}: {variable} is not set, scripts/test sets it");
    }
    missing.is_some()
}

#[test]
fn every_experiment_runs_to_its_end_with_the_answers_it_expects() {
    let folder = Folder::new("all");
    let experiments = catalogue::all(false);
    let mut names: Vec<_> = experiments.iter().map(|experiment| experiment.name).collect();
    names.retain(|name| *name != LEFT_OUT);
    if program().exists() {
        names.push("footprint");
    } else {
        eprintln!("NOT RUN: the footprint, {} is not built", program().display());
    }
    let (is_good, said) = run(&folder.0, &names);
    assert!(is_good, "{said}");
    let report: Value = serde_json::from_slice(&fs::read(folder.0.join("report.json")).unwrap()).unwrap();
    let outcomes = report["outcomes"].as_array().unwrap();
    for experiment in experiments.iter().filter(|experiment| experiment.name != LEFT_OUT) {
        let outcome = outcomes.iter().find(|outcome| outcome["name"] == experiment.name).unwrap();
        for row in outcome["rows"].as_array().unwrap() {
            let is_there = row["not_run"].is_null() && row["median"]["answered"].as_u64() > Some(0);
            assert!(is_there || is_excused(row), "{}: {row}\n{said}", experiment.name);
        }
    }
    let markdown = fs::read_to_string(folder.0.join("report.md")).unwrap();
    assert!(experiments.iter().filter(|one| one.name != LEFT_OUT).all(|one| markdown.contains(one.title)));
}

#[test]
fn what_is_no_experiment_is_refused_with_the_names_of_those_there_are() {
    let folder = Folder::new("none");
    let (is_good, said) = run(&folder.0, &["fast"]);
    assert!(!is_good && said.contains("no experiment fast") && said.contains("seen, fresh"), "{said}");
}
