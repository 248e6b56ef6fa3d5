//! `introspection` of an issuer.

use super::*;
use crate::auth::IntrospectionSettings;

const GOOD: &str =
    "url = \"https://id.example.com/introspect\", client_id = \"einmal\", client_secret = \"geheim\"";

fn with_introspection(text: &str) -> Written {
    written(&format!("{MINIMAL}introspection = {{ {text} }}\n"))
}

fn taken(text: &str) -> IntrospectionSettings {
    with_introspection(text).config().issuers.remove(0).introspection.unwrap()
}

#[test]
fn an_issuer_may_be_asked_about_opaque_tokens() {
    let taken = |further: &str| taken(&format!("{GOOD}{further}"));
    let settings = taken("");
    assert_eq!(settings.url.as_str(), "https://id.example.com/introspect");
    assert_eq!((settings.client_id.as_str(), settings.client_secret.expose()), ("einmal", "geheim"));
    assert_eq!((settings.token_prefix.as_str(), settings.takes_missing_audience), ("", false));
    assert!(!format!("{settings:?}").contains("geheim"));
    assert_eq!(taken(", token_prefix = \"at_\"").token_prefix, "at_");
    assert!(taken(", missing_aud = \"accept\"").takes_missing_audience);
    assert!(!taken(", missing_aud = \"refuse\"").takes_missing_audience);
}

#[test]
fn the_client_secret_may_be_in_a_file_or_a_variable() {
    let elsewhere = |source: &str| GOOD.replace("\"geheim\"", source);
    let written = with_introspection(&elsewhere("{ file = \"secret\" }"));
    fs::write(written.path("secret"), "from file\n").unwrap();
    let secret = |mut config: Config| config.issuers.remove(0).introspection.unwrap().client_secret;
    assert_eq!(secret(written.config()).expose(), "from file");
    let written = with_introspection(&elsewhere("{ env = \"SECRET\" }")).with([("SECRET", "from env")]);
    assert_eq!(secret(written.config()).expose(), "from env");
    let named = "EINMAL__ISSUERS__0__INTROSPECTION__CLIENT_SECRET";
    assert_eq!(secret(with_introspection(GOOD).with([(named, "over it")]).config()).expose(), "over it");
    assert_eq!(
        with_introspection(&elsewhere("{ env = \"SECRET\" }")).refusal(),
        "einmal.toml:6: issuers.0.introspection.client_secret.env: the environment variable SECRET is not set"
    );
    for empty in ["\"\"", "{ file = \"empty\" }"] {
        let written = with_introspection(&elsewhere(empty));
        fs::write(written.path("empty"), "\n").unwrap();
        assert_eq!(
            written.refusal(),
            "einmal.toml:6: issuers.0.introspection.client_secret: found an empty text, expected that client's secret"
        );
    }
}

#[test]
fn the_client_secret_is_not_printed_whatever_it_looks_like() {
    for secret in ["hunter2", "https://hunter2", "sqlite:hunter2", "https://a@hunter2"] {
        let text = GOOD.replace("geheim", secret);
        let named = "EINMAL__ISSUERS__0__INTROSPECTION__CLIENT_SECRET";
        for written in [with_introspection(&text), with_introspection(GOOD).with([(named, secret)])] {
            let (document, _directory) = written.document();
            let printed = document.and_then(|document| document.print()).unwrap();
            assert!(!printed.contains("hunter2"), "{}", *printed);
            assert!(printed.contains("client_id = \"einmal\", client_secret = \"***\""), "{}", *printed);
        }
    }
}

#[test]
fn what_is_missing_or_wrong_is_named() {
    let message = with_introspection("").refusal();
    for key in ["url: missing", "client_id: missing", "client_secret: missing"] {
        assert!(message.contains(&format!("issuers.0.introspection.{key}, expected")), "{message}");
    }
    for url in ["http://id.example.com", "ftp://127.0.0.1", "x", "https://a:hunter2@b", "https://a/#x"] {
        let message = with_introspection(&GOOD.replace("https://id.example.com/introspect", url)).refusal();
        assert!(message.starts_with("einmal.toml:6: issuers.0.introspection.url: found"), "{message}");
        assert!(message.contains("expected an https URL") && !message.contains("hunter2"), "{message}");
    }
    with_introspection(&GOOD.replace("https://id.example.com", "http://127.0.0.1:1")).config();
    for (further, key, expected) in [
        ("token_prefix = \"\"", "token_prefix", "begin with"),
        ("token_prefix = \"a b\"", "token_prefix", "visible ASCII"),
        ("token_prefix = 1", "token_prefix", "begin with"),
        ("missing_aud = \"maybe\"", "missing_aud", "\"refuse\" or \"accept\""),
        ("missing_aud = true", "missing_aud", "\"refuse\" or \"accept\""),
    ] {
        let message = with_introspection(&format!("{GOOD}, {further}")).refusal();
        assert!(
            message.starts_with(&format!("einmal.toml:6: issuers.0.introspection.{key}: found")),
            "{message}"
        );
        assert!(message.contains(expected) && message.lines().count() == 1, "{message}");
    }
    let message = with_introspection(&GOOD.replace("\"geheim\"", "5")).refusal();
    assert!(message.contains("client_secret: found a number, expected text"), "{message}");
}

#[test]
fn of_several_issuers_with_introspection_each_needs_a_prefix_of_its_own() {
    let two = |prefixes: [&str; 2]| {
        let block = |name: &str, prefix: &str| {
            let prefix =
                if prefix.is_empty() { String::new() } else { format!(", token_prefix = \"{prefix}\"") };
            format!(
                "[[issuers]]\nname = \"{name}\"\nissuer = \"https://{name}\"\naudiences = [\"x\"]\n\
                 introspection = {{ {GOOD}{prefix} }}\n"
            )
        };
        let keyring = "[keyring]\nfile = \"einmal.keys\"\n";
        written(&format!("{keyring}{}{}", block("a", prefixes[0]), block("b", prefixes[1])))
    };
    assert_eq!(two(["x", "y"]).config().issuers.len(), 2);
    for shared in [["", ""], ["x", ""], ["", "x"], ["x", "x"], ["x", "xy"], ["xy", "x"]] {
        assert_eq!(
            two(shared).refusal(),
            "einmal.toml:8: issuers.1.introspection.token_prefix: opaque tokens could be of issuer \"a\" as well, \
             expected a token_prefix in both of which neither begins with the other"
        );
    }
}

#[test]
fn only_beside_introspection_there_may_be_no_algorithms() {
    let none = format!("{MINIMAL}algorithms = []\n");
    assert!(
        written(&none).refusal().contains("issuers.0.algorithms: found a list, expected a list of RS256")
    );
    let opaque = format!("{none}introspection = {{ {GOOD} }}\n");
    assert!(written(&opaque).config().issuers[0].algorithms.is_empty());
    let opaque = with_introspection(GOOD).with([("EINMAL__ISSUERS__0__ALGORITHMS", "[]")]);
    assert!(opaque.config().issuers[0].algorithms.is_empty());
}
