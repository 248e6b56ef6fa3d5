//! What an operator sees: the whole message for each kind of mistake.

mod account_page;
mod example;
mod introspection;
mod issuers;
mod mail;
mod overlay;
mod password;
mod postgres;
mod print;
mod values;

use super::*;
use crate::accounts::KeyringFile;
use crate::auth::Algorithm;
use std::fs;
use tempfile::TempDir;

const MINIMAL: &str = "\
[keyring]
file = \"einmal.keys\"
[[issuers]]
issuer = \"https://id.example.com\"
audiences = [\"einmal\"]
";

struct Written {
    directory: TempDir,
    environment: Environment,
}

fn written(text: &str) -> Written {
    let directory = TempDir::new().unwrap();
    fs::write(directory.path().join("einmal.toml"), text).unwrap();
    Written { directory, environment: Environment::from([]) }
}

impl Written {
    fn with<const N: usize>(mut self, variables: [(&str, &str); N]) -> Self {
        self.environment = Environment::from(variables);
        self
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn document(self) -> (Result<Document, ConfigError>, TempDir) {
        let path = self.path("einmal.toml");
        (Document::open(Some(&path), self.environment), self.directory)
    }

    fn config(self) -> Config {
        self.document().0.and_then(|document| document.service()).unwrap_or_else(|error| panic!("{error}"))
    }

    /// The message, with the directory left out.
    fn refusal(self) -> String {
        let (document, directory) = self.document();
        let error = document.and_then(|document| document.service()).expect_err("taken");
        error.to_string().replace(&format!("{}/", directory.path().display()), "")
    }
}

/// The message about a minimal configuration with `text` before it, so that its lines count from 1.
fn refusal(text: &str) -> String {
    written(&format!("{text}\n{MINIMAL}")).refusal()
}

#[test]
fn a_minimal_configuration_has_sensible_defaults() {
    let written = written(MINIMAL);
    let (store, keys) = (written.path("einmal.db"), written.path("einmal.keys"));
    let config = written.config();
    assert_eq!(config.http.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(config.http.management_listen.to_string(), "127.0.0.1:9090");
    assert_eq!(config.http.public_url, None);
    assert_eq!(config.http.max_connections, 10_000);
    assert_eq!(config.http.drain.as_secs(), 1);
    assert_eq!(config.store.engine, Engine::Sqlite(store));
    assert_eq!(config.keyring, KeyringSource::File(KeyringFile::private(keys)));
    assert_eq!(config.issuers.len(), 1);
    assert_eq!(&*config.issuers[0].name, "main");
    assert_eq!(config.issuers[0].algorithms, Algorithm::ALL);
    assert_eq!(config.throttle_status, 404);
    assert_eq!(config.totp_issuer_label, "einmal");
    assert_eq!(config.log.format, LogFormat::Json);
    assert_eq!(*config.policy, einmal_core::policy::Settings::default());
}

#[test]
fn an_unknown_key_is_refused_with_its_place_and_the_nearest_known_one() {
    for (text, message) in [
        (
            "[http]\nlisten = \"127.0.0.1:1\"\nlistn = \"127.0.0.1:2\"",
            "einmal.toml:3: http.listn: unknown key, the nearest known one is http.listen",
        ),
        ("[htpp]\nx = 1", "einmal.toml:1: htpp: unknown key, the nearest known one is http"),
        (
            "[http]\nurl = \"sqlite:x\"",
            "einmal.toml:2: http.url: unknown key, the nearest known one is store.url",
        ),
        (
            "[store]\nurl = { fiel = \"x\" }",
            "2 faults in the configuration\n  einmal.toml:2: store.url: expected either file or env\n  \
             einmal.toml:2: store.url.fiel: unknown key, the nearest known one is store.url.file",
        ),
    ] {
        assert_eq!(refusal(text), message);
    }
    let second =
        format!("{MINIMAL}\n[[issuers]]\nname = \"b\"\nissuer = \"https://b\"\naudience = [\"b\"]\n");
    let message = written(&second).refusal();
    assert!(
        message.contains(
            "einmal.toml:10: issuers.1.audience: unknown key, the nearest known one is issuers.1.audiences"
        ),
        "{message}"
    );
}

#[test]
fn all_faults_are_told_at_once_in_the_order_of_the_file() {
    let message = written(
        "[http]\nlisten = 8080\n[totp]\nskew_stps = 1\n[throttle]\nstatus = \"x\"\n[[issuers]]\nissuer = 3\n",
    )
    .refusal();
    insta::assert_snapshot!(message, @r#"
    6 faults in the configuration
      einmal.toml: keyring: missing, expected file = "PATH" or env = "NAME" (`einmal keys generate --config FILE` makes the file; to try einmal without one, run `einmal dev`)
      einmal.toml:2: http.listen: found the number 8080, expected an IP address and a port such as 127.0.0.1:8080 or [::1]:8080
      einmal.toml:4: totp.skew_stps: unknown key, the nearest known one is totp.skew_steps
      einmal.toml:6: throttle.status: found "x", expected 404 or 429
      einmal.toml:7: issuers.0.audiences: missing, expected a list of audiences such as ["einmal"]
      einmal.toml:8: issuers.0.issuer: found the number 3, expected an https URL without user name and fragment (http is accepted for localhost, 127.0.0.0/8 and [::1] only)
    "#);
}

#[test]
fn a_file_that_is_no_toml_is_refused_without_repeating_its_lines() {
    let message = refusal("[store]\nurl = \"postgres://einmal:hunter2@db/x\n");
    assert!(message.starts_with("einmal.toml:2: not valid TOML: "), "{message}");
    assert!(!message.contains("hunter2"), "{message}");
}

#[test]
fn without_anything_the_message_points_to_the_way_out() {
    let error = Document::open(None, Environment::from([("HOME", "/root")])).err().unwrap();
    assert_eq!(
        error.to_string(),
        "no configuration: name a file by --config FILE or EINMAL_CONFIG (to try einmal without one, run `einmal dev`)"
    );
    assert_eq!(written("").refusal().lines().count(), 3);
    let message = written("").refusal();
    assert!(
        message.contains("einmal.toml: issuers: missing, expected at least one [[issuers]]"),
        "{message}"
    );
    assert!(message.contains("einmal.toml: keyring: missing, expected file"), "{message}");
    assert!(message.contains("einmal dev"), "{message}");
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let error = Document::open(Some(Path::new("/nowhere/einmal.toml")), Environment::from([])).err().unwrap();
    assert!(error.to_string().starts_with("/nowhere/einmal.toml: cannot be read: "), "{error}");
}

#[test]
fn a_command_refuses_unknown_keys_but_only_the_faults_of_what_it_needs() {
    let open = |text: &str| written(text).document().0.unwrap();
    let half = open("[http]\nlisten = 1\n[keyring]\nenv = \"NOT_YET\"\n");
    assert_eq!(half.keyring_location().unwrap(), KeyringLocation::Environment { name: "NOT_YET".to_owned() });
    assert!(half.administration().is_err());

    let unfinished = open("[http]\nlisten = 1\n[keyring]\nfile = \"k\"\n[[issuers]]\nname = \"a\"\n");
    assert_eq!(unfinished.administration().unwrap().issuer_names, ["a"]);
    assert!(unfinished.service().is_err());

    let misspelled = open("[keyring]\nfile = \"k\"\n[trottle]\n[[issuers]]\nname = \"a\"\n");
    for error in [misspelled.keyring_location().err(), misspelled.administration().err()] {
        assert!(error.unwrap().to_string().contains("the nearest known one is throttle"));
    }
}
