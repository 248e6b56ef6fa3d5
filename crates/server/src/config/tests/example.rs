//! einmal.example.toml: it loads, it is complete, and the defaults that it shows are the real ones.

use super::*;

use super::super::example::TEXT as EXAMPLE;

const EXAMPLE_MARK: &str = "# Example: ";

/// The example with the lines that show a default taken as set; with `examples`, the others, too.
fn uncommented(examples: bool) -> String {
    let line = |line: &str| {
        if let Some(example) = line.strip_prefix(EXAMPLE_MARK) {
            return if examples { example.to_owned() } else { String::new() };
        }
        match line.strip_prefix('#') {
            Some(default) if default.starts_with(|c: char| c.is_ascii_lowercase()) => default.to_owned(),
            _ => line.to_owned(),
        }
    };
    EXAMPLE.lines().map(line).collect::<Vec<_>>().join("\n")
}

fn shown(text: &str) -> String {
    let written = written(text);
    let directory = written.directory.path().display().to_string();
    format!("{:#?}", written.config()).replace(&directory, "")
}

#[test]
fn the_example_loads_as_it_is() {
    assert_eq!(written(EXAMPLE).config().issuers[0].issuer, "https://id.example.com/realms/cars");
}

#[test]
fn the_defaults_that_the_example_shows_are_the_real_ones() {
    assert_ne!(uncommented(false), EXAMPLE);
    assert_eq!(shown(&uncommented(false)), shown(EXAMPLE));
}

#[test]
fn what_the_example_shows_beside_the_defaults_is_valid() {
    // The alternatives that cannot stand beside what is set.
    let text = uncommented(true).replace("env = \"EINMAL_KEYS\"", "");
    let text = text.replace("url = \"sqlite:einmal.db\"", "url = \"postgres://einmal@db/einmal\"");
    let secrets = [
        ("EINMAL_CLIENT_SECRET", "geheim"),
        ("EINMAL_GRANT_SECRET", "auch geheim"),
        ("EINMAL_DATABASE_PASSWORD", "geheim"),
    ];
    let config = written(&text).with(secrets).config();
    assert!(matches!(config.store.engine, Engine::Postgres(server) if server.password.is_some()));
    assert!(config.issuers[0].jwks_uri.is_some());
    assert!(config.issuers[0].linked_identity.is_some());
    assert!(config.issuers[0].introspection.is_some());
    assert!(config.issuers[0].direct_grant.is_some());
    assert!(config.administrators.is_some());
    assert!(config.account_page.is_some());
    assert!(config.mail.is_some());
}

#[test]
fn every_known_key_is_in_the_example() {
    let table = tree::parse_file(&uncommented(true)).unwrap_or_default();
    let mut known = Vec::new();
    keys::collect(keys::ROOT, "", "0", &mut known);
    assert!(known.len() > 30, "{known:?}");
    // A secret is shown in one way, and its comment names the others.
    let secrets = [".url.", "store.password.", ".client_secret."];
    let is_shown = |path: &String| !secrets.iter().any(|secret| path.contains(secret));
    for path in known.into_iter().filter(is_shown) {
        assert!(present(&table, &path), "{path}");
    }
}

fn present(table: &Table, path: &str) -> bool {
    let (first, rest) = path.split_once('.').map_or((path, None), |(first, rest)| (first, Some(rest)));
    match (table.get(first).map(|node| &node.value), rest) {
        (Some(_), None) => true,
        (Some(Value::Table(inner)), Some(rest)) => present(inner, rest),
        (Some(Value::List(list)), Some(rest)) => {
            let rest = rest.strip_prefix("0.").unwrap();
            matches!(&list[0].value, Value::Table(inner) if present(inner, rest))
        }
        _ => false,
    }
}
