//! What Kubernetes, Compose and Prometheus make of what is in `deploy/`.

use super::peer;
use crate::deployments::{deployed, root};
use crate::metrics::dashboards::expressions_of_the_dashboard;
use serde_json::{Value, json};
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use tempfile::TempDir;

/// What it prints; it must be content.
fn output_of(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{command:?}\n{}\n{}", text(&output.stdout), text(&output.stderr));
    text(&output.stdout)
}

fn fits(what: &str) {
    let Some(python) = peer("EINMAL_TEST_PYTHON", &format!("the test of what is for {what}")) else { return };
    let directory = deployed();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/third_party/deployments.py");
    let said = output_of(Command::new(python).arg(script).arg(what).arg(directory.path()));
    print!("{said}");
    assert!(said.contains(" fit\n"), "{said}");
}

#[test]
fn what_is_for_kubernetes_fits_its_schemas_and_the_restricted_standard() {
    fits("kubernetes");
}

#[test]
fn what_is_for_compose_fits_its_specification() {
    fits("compose");
}

#[test]
fn hadolint_finds_nothing_in_the_dockerfile() {
    let Some(python) = peer("EINMAL_TEST_PYTHON", "the test with hadolint") else { return };
    let said = output_of(Command::new(python.with_file_name("hadolint")).arg(root().join("Dockerfile")));
    assert_eq!(said, "");
}

#[test]
fn haproxy_takes_its_configuration_for_compose() {
    let Some(haproxy) = peer("EINMAL_TEST_HAPROXY", "the test of haproxy.cfg for Compose") else { return };
    output_of(Command::new(haproxy).arg("-c").arg("-f").arg(root().join("deploy/compose/haproxy.cfg")));
}

fn promtool() -> Option<PathBuf> {
    peer("EINMAL_TEST_PROMTOOL", "the test of alerts with promtool")
}

#[test]
fn alerts_fire_when_they_should_and_not_before() {
    let Some(promtool) = promtool() else { return };
    let mut command = Command::new(promtool);
    output_of(
        command.args(["test", "rules", "alerts.test.yaml"]).current_dir(root().join("deploy/prometheus")),
    );
}

#[test]
fn prometheus_understands_every_expression_of_the_dashboard() {
    let Some(promtool) = promtool() else { return };
    let directory = TempDir::new().unwrap();
    let expressions = expressions_of_the_dashboard();
    // As Grafana fills them in. JSON is YAML.
    let filled = |one: &String| one.replace("$__rate_interval", "1m").replace("$instance", ".*");
    let rules: Vec<Value> = (0..)
        .zip(&expressions)
        .map(|(number, one)| json!({ "record": format!("panel:{number}"), "expr": filled(one) }))
        .collect();
    let text = json!({ "groups": [{ "name": "dashboard", "rules": rules }] }).to_string();
    assert!(!text.contains('$'), "{text}");
    let path = directory.path().join("rules.json");
    fs::write(&path, text).unwrap();
    let said = output_of(Command::new(promtool).args(["check", "rules"]).arg(path));
    assert!(said.contains(&format!("{} rules found", expressions.len())), "{said}");
}
