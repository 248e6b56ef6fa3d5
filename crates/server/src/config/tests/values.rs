//! One wrong value at a time.

use super::*;
use crate::events::Output;

#[test]
fn a_wrong_value_is_refused_with_what_was_found_and_expected() {
    for (text, message) in [
        (
            "[http]\nlisten = \"localhost\"",
            "2: http.listen: found \"localhost\", expected an IP address and a port such as 127.0.0.1:8080 or [::1]:8080",
        ),
        (
            "[http]\nlisten = \"127.0.0.1:9090\"",
            "1: http.management_listen: found 127.0.0.1:9090, expected another address than http.listen",
        ),
        (
            "[http]\npublic_url = \"ftp://x\"",
            "2: http.public_url: found \"ftp://x\", expected a URL such as https://otp.example.com",
        ),
        (
            "[http]\nmax_connections = \"many\"",
            "2: http.max_connections: found \"many\", expected a whole number from 1 to 1000000",
        ),
        (
            "[http]\nmax_connections = 0",
            "2: http.max_connections: found the number 0, expected a whole number from 1 to 1000000",
        ),
        ("[http]\ndrain = \"21s\"", "2: http.drain: found \"21s\", expected at most 20 seconds"),
        (
            "[otp]\naccount_ttl = 300",
            "2: otp.account_ttl: found the number 300, expected a duration in whole seconds such as \"30s\", \"5m\" or \"1h\"",
        ),
        ("[otp]\nlogin_ttl = \"11m\"", "2: otp.login_ttl: found \"11m\", expected 60 to 600 seconds"),
        ("[totp]\nskew_steps = 300", "2: totp.skew_steps: found the number 300, expected 0 to 5"),
        ("[totp]\nskew_steps = -1", "2: totp.skew_steps: found the number -1, expected a whole number"),
        (
            "[totp]\nmax_devices = 1.5",
            "2: totp.max_devices: found a number with a fraction, expected a whole number",
        ),
        (
            "[totp]\naccept_other_parameters = \"no\"",
            "2: totp.accept_other_parameters: found \"no\", expected true or false",
        ),
        (
            "[totp]\nissuer_label = \"a:b\"",
            "2: totp.issuer_label: found \"a:b\", expected 1 to 64 characters without a colon",
        ),
        ("[throttle]\nstatus = 403", "2: throttle.status: found the number 403, expected 404 or 429"),
        ("[throttle]\nguesses = 1001", "2: throttle.guesses: found the number 1001, expected 20 to 1000"),
        (
            "[throttle]\nlongest_wait = \"10s\"",
            "1: throttle.first_wait: found the default 30 seconds, expected 1 to 10 seconds",
        ),
        (
            "[events]\noutput = \"stdou\"",
            "2: events.output: found \"stdou\", expected \"off\", \"stdout\" or the path of a file, such as \"/var/lib/einmal/events.jsonl\"",
        ),
        (
            "[events]\noutput = true",
            "2: events.output: found true, expected \"off\", \"stdout\" or the path of a file, such as \"/var/lib/einmal/events.jsonl\"",
        ),
        ("[log]\nformat = \"xml\"", "2: log.format: found \"xml\", expected \"json\" or \"text\""),
        (
            "[admin]\nissuer = \"other\"\nclients = [\"backoffice\"]",
            "2: admin.issuer: found \"other\", expected the name of a configured issuer, such as \"main\"",
        ),
        (
            "[admin]\nissuer = \"main\"",
            "1: admin.clients: missing, expected a list of client ids such as [\"backoffice\"]",
        ),
        (
            "[admin]\nissuer = \"main\"\nclients = []",
            "3: admin.clients: found a list, expected a list of client ids such as [\"backoffice\"]",
        ),
        (
            "[admin]\nclients = [\"backoffice\"]",
            "1: admin.issuer: missing, expected the name of a configured issuer, such as \"main\"",
        ),
        ("http = 3", "1: http: found a number, expected a table"),
        (
            "store.url = 3",
            "1: store.url: found a number, expected text, { file = \"path\" } or { env = \"NAME\" }",
        ),
    ] {
        assert_eq!(refusal(text), format!("einmal.toml:{message}"));
    }
    assert!(
        refusal("[log]\nlevel = \"inof\"")
            .starts_with("einmal.toml:2: log.level: found \"inof\", expected off,")
    );
}

#[test]
fn a_store_that_is_no_path_is_refused_and_its_password_never_shown() {
    for (url, message) in [
        ("mysql://einmal:hunter2@db", "expected sqlite:PATH or postgres://USER@HOST/DATABASE"),
        ("a.db", "expected sqlite:PATH or postgres://USER@HOST/DATABASE"),
        ("sqlite", "expected sqlite:PATH or postgres://USER@HOST/DATABASE"),
        ("sqlite:", "expected a path after sqlite:"),
        ("sqlite::memory:", "a store in memory forgets which codes are spent, expected sqlite:PATH"),
        ("sqlite:x.db?mode=ro", "expected sqlite:PATH without parameters"),
    ] {
        let expected = format!("einmal.toml:2: store.url: {message}");
        assert_eq!(refusal(&format!("[store]\nurl = \"{url}\"")), expected);
    }
}

#[test]
fn the_store_is_found_in_every_spelling() {
    for (url, path) in [
        ("sqlite:a.db", "a.db"),
        ("sqlite://a.db", "a.db"),
        ("sqlite:data/a.db", "data/a.db"),
        ("sqlite:a/b c.db", "a/b c.db"),
    ] {
        let written = written(&format!("[store]\nurl = \"{url}\"\n{MINIMAL}"));
        let expected = written.path(path);
        assert_eq!(written.config().store.engine, Engine::Sqlite(expected));
    }
    for url in ["sqlite:/var/a.db", "sqlite:///var/a.db"] {
        let config = written(&format!("[store]\nurl = \"{url}\"\n{MINIMAL}")).config();
        assert_eq!(config.store.engine, Engine::Sqlite("/var/a.db".into()));
    }
}

#[test]
fn migration_is_switched_off_by_a_boolean_and_nothing_else() {
    let migrates = |text: &str| written(&format!("{text}\n{MINIMAL}"));
    assert!(migrates("").config().store.migrate);
    assert!(!migrates("[store]\nmigrate = false").config().store.migrate);
    let variable = |value| migrates("[store]\nmigrate = true").with([("EINMAL__STORE__MIGRATE", value)]);
    assert!(!variable("false").config().store.migrate);
    assert!(variable("no").refusal().ends_with("found \"no\", expected true or false"));
    for (value, found) in [("\"false\"", "\"false\""), ("0", "the number 0")] {
        let expected = format!("einmal.toml:2: store.migrate: found {found}, expected true or false");
        assert_eq!(refusal(&format!("[store]\nmigrate = {value}")), expected);
    }
}

#[test]
fn a_secret_may_stand_in_a_file_or_in_a_variable() {
    let from_file = written(&format!("[store]\nurl = {{ file = \"url\" }}\n{MINIMAL}"));
    fs::write(from_file.path("url"), "sqlite:/var/file.db\n").unwrap();
    assert_eq!(from_file.config().store.engine, Engine::Sqlite("/var/file.db".into()));
    let from_variable = written(&format!("[store]\nurl = {{ env = \"STORE\" }}\n{MINIMAL}"))
        .with([("STORE", "sqlite:/var/variable.db")]);
    assert_eq!(from_variable.config().store.engine, Engine::Sqlite("/var/variable.db".into()));

    let message = refusal("[store]\nurl = { file = \"nowhere\" }");
    assert!(message.starts_with("einmal.toml:2: store.url.file: nowhere cannot be read: "), "{message}");
    assert_eq!(
        refusal("[store]\nurl = { env = \"STORE\" }"),
        "einmal.toml:2: store.url.env: the environment variable STORE is not set"
    );
}

fn with_keyring(keyring: &str) -> Written {
    written(&MINIMAL.replace("file = \"einmal.keys\"", keyring))
}

#[test]
fn a_keyring_has_exactly_one_source_and_is_never_shown() {
    let keyring = "k1:c2VjcmV0";
    let config = with_keyring("env = \"KEYS\"").with([("KEYS", keyring)]).config();
    assert_eq!(
        config.keyring,
        KeyringSource::Environment { name: "KEYS".to_owned(), value: Secret::new(keyring) }
    );
    assert!(!format!("{config:?}").contains("c2VjcmV0"));
    assert_eq!(
        with_keyring("file = \"a\"\nenv = \"B\"").refusal(),
        "einmal.toml:1: keyring: file and env are both given, expected one of them"
    );
    assert_eq!(
        with_keyring("env = \"KEYS\"").refusal(),
        "einmal.toml:2: keyring.env: the environment variable KEYS is not set"
    );
    // Whoever pastes the keys instead of a name must not find them in a log.
    let pasted = with_keyring(&format!("env = \"{keyring}\"")).refusal();
    assert_eq!(
        pasted,
        "einmal.toml:2: keyring.env: expected the name of an environment variable, such as EINMAL_KEYS"
    );
}

#[test]
fn a_keyring_file_may_be_readable_by_its_group_where_that_is_configured() {
    let source = |keyring| with_keyring(keyring).config().keyring;
    let file = |keyring| match source(keyring) {
        KeyringSource::File(file) => file.group_readable,
        KeyringSource::Environment { .. } => panic!("no file"),
    };
    assert!(!file("file = \"a\""));
    assert!(!file("file = \"a\"\ngroup_readable = false"));
    assert!(file("file = \"a\"\ngroup_readable = true"));
    assert_eq!(
        with_keyring("file = \"a\"\ngroup_readable = 1").refusal(),
        "einmal.toml:3: keyring.group_readable: found the number 1, expected true or false"
    );
    assert_eq!(
        with_keyring("env = \"KEYS\"\ngroup_readable = true").refusal(),
        "einmal.toml:3: keyring.group_readable: is about keyring.file, and there is keyring.env"
    );
}

#[test]
fn events_are_off_unless_somebody_says_where_they_go() {
    let events = |text: &str| {
        let written = written(&format!("{text}\n{MINIMAL}"));
        let directory = written.directory.path().to_owned();
        (written.config().events, directory)
    };
    for text in ["", "[events]", "[events]\noutput = \"off\""] {
        assert_eq!(events(text).0, None, "{text}");
    }
    assert_eq!(events("[events]\noutput = \"stdout\"").0, Some(Output::Stdout));
    let (relative, directory) = events("[events]\noutput = \"events.jsonl\"");
    assert_eq!(relative, Some(Output::File(directory.join("events.jsonl"))));
    let absolute = events("[events]\noutput = \"/var/log/off\"").0;
    assert_eq!(absolute, Some(Output::File("/var/log/off".into())));
}

/// Or else lines would be at the end of what only einmal itself writes.
#[test]
fn events_do_not_go_into_a_file_that_has_another_owner() {
    for (path, owner) in [
        ("einmal.db", "a file of the store"),
        ("./einmal.db-wal", "a file of the store"),
        ("einmal.db-shm", "a file of the store"),
        ("folder/../einmal.keys", "the keyring"),
        ("link.jsonl", "the keyring"),
        ("einmal.toml", "the configuration"),
        ("./tls.crt", "the certificate of TLS"),
        ("tls.key", "the key of TLS"),
    ] {
        let tls = "[http.tls]\ncertificate = \"tls.crt\"\nkey = \"folder/../tls.key\"";
        let written = written(&format!("[events]\noutput = \"{path}\"\n{tls}\n{MINIMAL}"));
        let directory = written.directory.path();
        fs::create_dir(directory.join("folder")).unwrap();
        fs::write(directory.join("einmal.keys"), "").unwrap();
        std::os::unix::fs::symlink("einmal.keys", directory.join("link.jsonl")).unwrap();
        let expected = format!(
            "einmal.toml:2: events.output: found {path:?}, which is {owner}, expected a file of its own"
        );
        assert_eq!(written.refusal(), expected);
    }
    let elsewhere = format!("[events]\noutput = \"folder/einmal.db\"\n{MINIMAL}");
    assert!(written(&elsewhere).config().events.is_some());
}

#[test]
fn administrators_are_there_only_if_somebody_says_who_they_are() {
    assert!(written(MINIMAL).config().administrators.is_none());
    let clients = |config: Config| {
        let administrators = config.administrators.unwrap();
        assert_eq!(&*administrators.issuer, "main");
        administrators.clients
    };
    let file = format!("[admin]\nissuer = \"main\"\nclients = [\"a\", \"b\"]\n{MINIMAL}");
    assert_eq!(clients(written(&file).config()), ["a", "b"]);
    let variables = [("EINMAL__ADMIN__ISSUER", "main"), ("EINMAL__ADMIN__CLIENTS", "backoffice")];
    assert_eq!(clients(written(MINIMAL).with(variables).config()), ["backoffice"]);
    // Half of it is a fault, and not a service without administrators or with more of them.
    let message = written(MINIMAL).with([("EINMAL__ADMIN__CLIENTS", "backoffice")]).refusal();
    assert!(message.contains("admin.issuer: missing"), "{message}");
    assert!(refusal("[admin]").contains("2 faults"), "{}", refusal("[admin]"));
}
