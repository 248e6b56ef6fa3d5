//! Environment variables over the file.

use super::*;

#[test]
fn a_variable_sets_a_key_and_wins_over_the_file() {
    let config = written(&format!("[http]\nlisten = \"127.0.0.1:1\"\n{MINIMAL}"))
        .with([
            ("EINMAL__HTTP__LISTEN", "0.0.0.0:8443"),
            ("EINMAL__HTTP__MAX_CONNECTIONS", "12"),
            ("EINMAL__THROTTLE__FIRST_WAIT", "1m"),
            ("EINMAL__THROTTLE__STATUS", "429"),
            ("EINMAL__ISSUERS__0__AUDIENCES", "[\"a\", \"b\"]"),
        ])
        .config();
    assert_eq!(config.http.listen.to_string(), "0.0.0.0:8443");
    assert_eq!(config.http.max_connections, 12);
    assert_eq!(config.policy.first_wait_seconds, 60);
    assert_eq!(config.throttle_status, 429);
    assert_eq!(config.issuers[0].audiences, ["a", "b"]);
    assert_eq!(config.issuers[0].issuer, "https://id.example.com");
}

#[test]
fn everything_can_be_set_by_variables_alone() {
    let environment = Environment::from([
        ("EINMAL__KEYRING__FILE", "keys"),
        ("EINMAL__ISSUERS__0__ISSUER", "https://a"),
        ("EINMAL__ISSUERS__0__AUDIENCES", "einmal"),
        ("EINMAL__ISSUERS__0__NAME", "a"),
        ("EINMAL__ISSUERS__0__LINKED_IDENTITY", "{ claim = \"/x\", provider = \"fleet\" }"),
        ("EINMAL__ISSUERS__1", "{ name = \"b\", issuer = \"https://b\", audiences = [\"b\"] }"),
    ]);
    let config = Document::open(None, environment).unwrap().service().unwrap();
    assert_eq!(config.issuers[0].audiences, ["einmal"]);
    assert_eq!(config.issuers[0].linked_identity.as_ref().unwrap().provider, "fleet");
    assert_eq!(&*config.issuers[1].name, "b");
    assert_eq!(config.keyring, KeyringSource::File(KeyringFile::private("keys")));
}

#[test]
fn the_eleventh_issuer_comes_after_the_third() {
    let names: Vec<(String, String)> = (0..11)
        .flat_map(|index| {
            let variable = |key: &str| format!("EINMAL__ISSUERS__{index}__{key}");
            [
                (variable("NAME"), format!("n{index}")),
                (variable("ISSUER"), format!("https://n{index}")),
                (variable("AUDIENCES"), "x".to_owned()),
            ]
        })
        .collect();
    let mut pairs = names.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let pairs: [(&str, &str); 33] = std::array::from_fn(|_| pairs.next().unwrap());
    let config = written("[keyring]\nfile = \"k\"\n").with(pairs).config();
    assert_eq!(&*config.issuers[10].name, "n10");
}

#[test]
fn text_that_looks_like_a_number_stays_text() {
    let config = written(MINIMAL)
        .with([
            ("EINMAL__ISSUERS__0__AUDIENCES", "12345"),
            ("EINMAL__ISSUERS__0__NAME", "007"),
            ("EINMAL__TOTP__ISSUER_LABEL", "true"),
        ])
        .config();
    assert_eq!(config.issuers[0].audiences, ["12345"]);
    assert_eq!(&*config.issuers[0].name, "007");
    assert_eq!(config.totp_issuer_label, "true");
}

#[test]
fn a_secret_given_as_text_is_replaced_by_its_source() {
    let config = written(&format!("[store]\nurl = \"sqlite:a\"\n{MINIMAL}"))
        .with([("EINMAL__STORE__URL__ENV", "STORE"), ("STORE", "sqlite:/b")])
        .config();
    assert_eq!(config.store.engine, Engine::Sqlite("/b".into()));
}

#[test]
fn a_wrong_variable_is_refused_by_its_name() {
    for (name, value, message) in [
        (
            "EINMAL__HTTP__LISTN",
            "x",
            "EINMAL__HTTP__LISTN: http.listn: unknown key, the nearest known one is http.listen (EINMAL__HTTP__LISTEN)",
        ),
        (
            "EINMAL__ISSUERS__0__AUDIENCE",
            "x",
            "EINMAL__ISSUERS__0__AUDIENCE: issuers.0.audience: unknown key, the nearest known one is issuers.0.audiences (EINMAL__ISSUERS__0__AUDIENCES)",
        ),
        (
            "EINMAL__http__listen",
            "127.0.0.1:1",
            "EINMAL__http__listen: http.listen: expected capital letters: EINMAL__HTTP__LISTEN",
        ),
        (
            "EINMAL__ISSUERS__2__NAME",
            "x",
            "EINMAL__ISSUERS__2__NAME: issuers.2.name: there is no element 2, the next one would be 1",
        ),
        ("EINMAL__HTTP", "x", "EINMAL__HTTP: http: expected a table in TOML, such as { name = \"value\" }"),
        (
            "EINMAL__ISSUERS",
            "x",
            "EINMAL__ISSUERS: issuers: expected an array of tables in TOML, such as [{ name = \"value\" }]",
        ),
        (
            "EINMAL__HTTP__LISTEN",
            "8080",
            "EINMAL__HTTP__LISTEN: http.listen: found \"8080\", expected an IP address and a port such as 127.0.0.1:8080 or [::1]:8080",
        ),
        (
            "EINMAL__TOTP__SKEW_STEPS",
            "one",
            "EINMAL__TOTP__SKEW_STEPS: totp.skew_steps: found \"one\", expected a whole number",
        ),
        (
            "EINMAL__HTTP__LISTEN__PORT",
            "1",
            "EINMAL__HTTP__LISTEN__PORT: http.listen.port: unknown key, the nearest known one is http.listen (EINMAL__HTTP__LISTEN)",
        ),
        (
            "EINMAL__STORE__URL",
            "mysql://einmal:hunter2@db/x",
            "EINMAL__STORE__URL: store.url: expected sqlite:PATH or postgres://USER@HOST/DATABASE",
        ),
        (
            "EINMAL__KEYRING",
            "{ flie = \"x\" }",
            "EINMAL__KEYRING: keyring.flie: unknown key, the nearest known one is keyring.file",
        ),
    ] {
        let refusal = written(MINIMAL).with([(name, value)]).refusal();
        assert!(refusal.contains(message), "{name}\n{refusal}\nexpected {message}");
        assert!(!refusal.contains("hunter2"));
    }
}
