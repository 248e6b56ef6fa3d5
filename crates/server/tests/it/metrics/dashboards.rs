//! Dashboard and alerts ask for what is there: an alert on a misspelled metric never fires, and nobody notices.

use super::Exposition;
use crate::harness::service::Service;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

const ALERTS: &str = include_str!("../../../../../deploy/prometheus/alerts.yaml");
const DASHBOARD: &str = include_str!("../../../../../deploy/grafana/einmal.json");
const MANUAL: &str = include_str!("../../../../../docs/OPERATIONS.md");

/// What an expression asks for.
#[derive(Debug, PartialEq, Eq)]
struct Selector {
    metric: String,
    /// Label, whether it is a pattern, and what it is compared with.
    matchers: Vec<(String, bool, String)>,
}

fn is_of_name(character: char) -> bool {
    character.is_ascii_lowercase() || character == '_'
}

fn selectors(expression: &str) -> Vec<Selector> {
    let mut found = Vec::new();
    let mut rest = expression;
    while let Some(start) = rest.find("einmal_") {
        rest = &rest[start..];
        let end = rest.find(|character| !is_of_name(character)).unwrap_or(rest.len());
        let (metric, after) = rest.split_at(end);
        rest = after;
        let mut matchers = Vec::new();
        if let Some(mut inner) = rest.strip_prefix('{') {
            while !inner.starts_with('}') {
                let end = inner.find(|character| !is_of_name(character)).unwrap();
                let (label, after) = inner.split_at(end);
                let (operator, after) = after.split_once('"').unwrap();
                let (value, after) = after.split_once('"').unwrap();
                matchers.push((label.to_owned(), operator.contains('~'), value.to_owned()));
                inner = after.strip_prefix(',').unwrap_or(after);
            }
            rest = &inner[1..];
        }
        found.push(Selector { metric: metric.to_owned(), matchers });
    }
    found
}

/// Labels by which something is grouped.
fn grouped_by(expression: &str) -> BTreeSet<&str> {
    let lists = expression.split("by (").skip(1).map(|rest| rest.split(')').next().unwrap());
    lists.flat_map(|list| list.split(',')).map(str::trim).collect()
}

/// A row of the manual's table of metrics.
struct Documented {
    labels: BTreeSet<&'static str>,
    values: BTreeSet<&'static str>,
}

fn in_quotes(cell: &'static str) -> BTreeSet<&'static str> {
    cell.split('`').skip(1).step_by(2).collect()
}

fn documented() -> BTreeMap<&'static str, Documented> {
    let mut all = BTreeMap::new();
    for row in MANUAL.lines().filter(|line| line.starts_with("| `einmal_")) {
        let cells: Vec<_> = row.split('|').collect();
        for name in in_quotes(cells[1]).into_iter().filter(|name| name.chars().all(is_of_name)) {
            all.insert(name, Documented { labels: in_quotes(cells[2]), values: in_quotes(cells[3]) });
        }
    }
    all
}

/// The metric of a histogram's series.
fn without_suffix(name: &str) -> &str {
    let suffixes = ["_bucket", "_sum", "_count"];
    suffixes.iter().find_map(|suffix| name.strip_suffix(suffix)).unwrap_or(name)
}

/// Whether a value, or each alternative of a pattern, is one that there is.
fn exists(is_pattern: bool, wanted: &str, label: &str, known: &BTreeSet<&str>) -> bool {
    if !is_pattern {
        return known.contains(wanted);
    }
    wanted.split('|').all(|one| match one.strip_suffix(".*") {
        Some(prefix) => known.iter().any(|value| value.starts_with(prefix)),
        None if label == "status" => ["2..", "4..", "5.."].contains(&one),
        None => known.contains(one),
    })
}

fn faults(expression: &str, exposition: &Exposition) -> Vec<String> {
    let documented = documented();
    let mut faults = Vec::new();
    for selector in selectors(expression) {
        let name = without_suffix(&selector.metric);
        let is_histogram = exposition.kind(name) == Some("histogram");
        let Some(metric) = documented.get(name).filter(|_| is_histogram == (name != selector.metric)) else {
            faults.push(format!("no {}", selector.metric));
            continue;
        };
        for (label, is_pattern, wanted) in &selector.matchers {
            // Prometheus's own, which says whom it asked.
            if label == "instance" {
                continue;
            }
            let known = &metric.values | &exposition.values_in(name, label);
            if !metric.labels.contains(label.as_str()) || !exists(*is_pattern, wanted, label, &known) {
                faults.push(format!("no {}{{{label}=\"{wanted}\"}}", selector.metric));
            }
        }
    }
    let labels = exposition.label_names();
    let unknown =
        grouped_by(expression).into_iter().filter(|&one| one != "instance" && !labels.contains(one));
    faults.extend(unknown.map(|label| format!("no label {label}")));
    faults
}

/// Everything under this name, wherever it is.
fn texts_of<'a>(value: &'a Value, name: &str, found: &mut Vec<&'a str>) {
    match value {
        Value::Object(members) => {
            for (key, value) in members {
                found.extend(value.as_str().filter(|_| key == name));
                texts_of(value, name, found);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| texts_of(item, name, found)),
        _ => {}
    }
}

pub(crate) fn expressions_of_the_dashboard() -> Vec<String> {
    let dashboard: Value = serde_json::from_str(DASHBOARD).unwrap();
    let mut found = Vec::new();
    texts_of(&dashboard, "expr", &mut found);
    found.into_iter().map(str::to_owned).collect()
}

/// With a series of every route and of what only some requests bring.
async fn exposition() -> Exposition {
    let service = Service::start().await;
    service.provision_device("alice").await;
    assert_eq!(service.verify("alice", &service.code(0)).await, 204);
    let readiness = service.client.get(service.management_url("/health/readiness")).send().await;
    assert_eq!(readiness.unwrap().status(), 200);
    service.metrics().await;
    service.metrics().await
}

/// The alerts without their words, and their words.
fn alerts_and_words() -> (String, String) {
    let is_prose =
        |line: &&str| ["summary: ", "description: "].iter().any(|key| line.trim().starts_with(key));
    let (words, rest): (Vec<_>, Vec<_>) = ALERTS.lines().partition(is_prose);
    (rest.join("\n"), words.join("\n"))
}

#[tokio::test]
async fn alerts_and_dashboard_name_only_metrics_labels_and_values_that_exist() {
    let exposition = exposition().await;
    let (alerts, words) = alerts_and_words();
    assert_eq!(faults(&alerts, &exposition), Vec::<String>::new());
    let documented = documented();
    let named = selectors(&words);
    assert!(
        !named.is_empty() && named.iter().all(|one| documented.contains_key(one.metric.as_str())),
        "{named:?}"
    );
    let expressions = expressions_of_the_dashboard();
    assert!(expressions.len() > 25, "{}", expressions.len());
    let faulty: Vec<_> = expressions.iter().flat_map(|one| faults(one, &exposition)).collect();
    assert_eq!(faulty, Vec::<String>::new());

    for (wrong, fault) in [
        ("rate(einmal_request_total[5m])", "no einmal_request_total"),
        ("einmal_request_duration_seconds{}", "no einmal_request_duration_seconds"),
        ("einmal_mails_total{outcome=\"lost\"}", "no einmal_mails_total{outcome=\"lost\"}"),
        ("einmal_mails_total{result=\"sent\"}", "no einmal_mails_total{result=\"sent\"}"),
        (
            "einmal_requests_total{route=\"/user/otp/verify\"}",
            "no einmal_requests_total{route=\"/user/otp/verify\"}",
        ),
        (
            "einmal_introspections_total{outcome=~\"failed|full\"}",
            "no einmal_introspections_total{outcome=\"failed|full\"}",
        ),
        ("sum by (outcom) (einmal_mails_total)", "no label outcom"),
    ] {
        assert_eq!(faults(wrong, &exposition), [fault]);
    }
}

#[test]
fn every_metric_is_on_the_dashboard() {
    let expressions = expressions_of_the_dashboard();
    let seen: BTreeSet<_> = expressions.iter().flat_map(|one| selectors(one)).map(|one| one.metric).collect();
    let seen: BTreeSet<_> = seen.iter().map(|name| without_suffix(name)).collect();
    let missing: Vec<_> = documented().into_keys().filter(|name| !seen.contains(name)).collect();
    assert_eq!(missing, Vec::<&str>::new());
}

#[test]
fn every_alert_has_a_place_in_the_manual() {
    let alerts: Vec<_> = ALERTS.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect();
    assert!(alerts.len() > 10, "{alerts:?}");
    let missing: Vec<_> = alerts.into_iter().filter(|name| !MANUAL.contains(&format!("`{name}`"))).collect();
    assert_eq!(missing, Vec::<&str>::new());
}
