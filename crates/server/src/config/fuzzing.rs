//! What is fuzzed of the configuration: a file with an environment over it. The target takes any bytes and panics where
//! its property does not hold. It must not be in what is shipped.

use super::environment::Environment;
use super::fault::{ConfigError, Place};
use super::{Config, Document};
use std::path::PathBuf;

/// What is in none of a message's own words.
const MARK: &str = "KANARIE7";

/// The text of a file, and after it variables, each after a NUL. What is in force is printed so that it means the same
/// without any variable; a fault has its place; and no secret is in a message.
pub(crate) fn configuration(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    // Files are read where a secret is one: not these.
    if text.contains("/dev") || text.contains("/proc") {
        return;
    }
    let mut parts = text.split('\0');
    let file = parts.next().unwrap_or_default();
    let variables = || parts.clone().filter_map(|variable| variable.split_once('='));
    let environment: Environment = variables().collect();
    let is_secret_marked = text.matches(MARK).count() == 1
        && (is_marked(file) || variables().any(|(name, value)| is_secret(name) && value.contains(MARK)));
    let told = |message: &str| assert!(!(is_secret_marked && message.contains(MARK)), "{message}");

    let document = Document::of(file, Some("einmal.toml".to_owned()), PathBuf::new(), environment);
    let service = document.as_ref().map_err(ToString::to_string).map(Document::service);
    let (document, config) = match (document, service) {
        (Ok(document), Ok(Ok(config))) => (document, config),
        (Err(error), _) | (_, Ok(Err(error))) => {
            told(&error.to_string());
            return has_places(&error, file, &mut variables().map(|(name, _)| name));
        }
        (Ok(_), Err(_)) => return,
    };
    let Ok(printed) = document.print() else {
        assert!(document.print().is_ok(), "good, and not printed: {text:?}");
        return;
    };
    told(&printed);
    // What is not shown cannot be read back; what a value points to is only there with the environment.
    if printed.lines().any(|line| !line.starts_with('#') && line.contains("***")) {
        return;
    }
    let without_prefix = variables().filter(|(name, _)| !name.starts_with(Environment::PREFIX));
    let read =
        Document::of(&printed, Some("einmal.toml".to_owned()), PathBuf::new(), without_prefix.collect());
    let read = read.and_then(|document| document.service());
    assert!(
        read.is_ok(),
        "{:?} printed, not read: {:?}",
        read.err().map(|error| error.to_string()),
        printed.as_str()
    );
    let meant = |config: &Config| format!("{config:?}");
    assert_eq!(read.as_ref().ok().map(meant), Some(meant(&config)), "{}", printed.as_str());
}

/// Whether the mark is where only a secret can be, or the file cannot be read at all.
fn is_marked(file: &str) -> bool {
    fn in_secret(value: &toml::Value, is_secret: bool) -> bool {
        match value {
            toml::Value::String(text) => is_secret && text.contains(MARK),
            toml::Value::Array(items) => items.iter().any(|item| in_secret(item, false)),
            toml::Value::Table(members) => {
                let is_secret = |name: &str| ["password", "client_secret"].contains(&name);
                members.iter().any(|(name, value)| in_secret(value, is_secret(name)))
            }
            _ => false,
        }
    }
    match file.parse::<toml::Table>() {
        Ok(table) => in_secret(&toml::Value::Table(table), false),
        Err(_) => file.contains(MARK),
    }
}

fn is_secret(variable: &str) -> bool {
    let secrets = ["EINMAL__STORE__PASSWORD", "EINMAL__ISSUERS__0__INTROSPECTION__CLIENT_SECRET"];
    secrets.contains(&variable)
}

fn has_places(error: &ConfigError, file: &str, variables: &mut dyn Iterator<Item = &str>) {
    let ConfigError::Faulty { faults, .. } = error else { return };
    assert!(!faults.is_empty(), "a fault without one");
    let names: Vec<String> = variables.map(|name| name.escape_debug().to_string()).collect();
    for fault in faults {
        assert!(!fault.message.is_empty(), "a fault that says nothing");
        match &fault.place {
            Place::Whole => {}
            Place::Line(line) => {
                assert!((1..=file.lines().count().max(1) + 1).contains(line), "line {line} of {file:?}");
            }
            Place::Variable(name) => {
                let is_one = names.iter().any(|one| one == name || *one == name.escape_debug().to_string());
                assert!(is_one, "no variable is called {name}");
            }
        }
    }
}
