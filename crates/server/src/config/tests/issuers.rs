//! Issuers: how they are reached, what they need, their names, and claims of theirs that are read.

use super::*;
use crate::auth::Algorithm;

fn with_issuer(from: &str, to: &str) -> Written {
    written(&MINIMAL.replace(from, to))
}

#[test]
fn an_issuer_is_reached_by_https_or_on_loopback() {
    for url in ["http://127.0.0.1:8080/realms/x", "http://[::1]:1", "http://localhost", "https://10.0.0.1"] {
        let config = with_issuer("https://id.example.com", url).config();
        assert_eq!(config.issuers[0].issuer, url);
    }
    for url in [
        "http://id.example.com",
        "http://127.0.0.1.example.com",
        "http://localhost.example.com",
        "ftp://127.0.0.1",
        "id.example.com",
        "https://id.example.com#x",
        "https://id.example.com?x",
        "",
    ] {
        let message = with_issuer("https://id.example.com", url).refusal();
        assert!(message.starts_with("einmal.toml:4: issuers.0.issuer: found \""), "{url}: {message}");
        assert!(message.contains("expected an https URL"), "{message}");
    }
    for url in [
        "https://a:hunter2@id.example.com",
        "https://:hunter2@id.example.com",
        "https://hunter2@id.example.com",
    ] {
        let message = with_issuer("https://id.example.com", url).refusal();
        let expected = "einmal.toml:4: issuers.0.issuer: found a URL with a user name or password, expected";
        assert!(message.starts_with(expected), "{message}");
        assert!(!message.contains("hunter2"), "{message}");
    }
    let jwks = with_issuer("audiences", "jwks_uri = \"http://keys.example.com\"\naudiences").refusal();
    assert!(jwks.starts_with("einmal.toml:5: issuers.0.jwks_uri: found"), "{jwks}");
}

#[test]
fn an_issuer_needs_audiences_and_asymmetric_algorithms() {
    let missing = with_issuer("audiences = [\"einmal\"]", "").refusal();
    assert_eq!(
        missing,
        "einmal.toml:3: issuers.0.audiences: missing, expected a list of audiences such as [\"einmal\"]"
    );
    for empty in ["[]", "[\"\"]", "[1]", "\"einmal\""] {
        let message = with_issuer("[\"einmal\"]", empty).refusal();
        assert!(message.starts_with("einmal.toml:5: issuers.0.audiences: found "), "{message}");
    }
    for algorithm in ["HS256", "none", "RS1", "rs256", "ES512"] {
        let message = written(&format!("{MINIMAL}algorithms = [\"RS256\", \"{algorithm}\"]\n")).refusal();
        let expected =
            format!("einmal.toml:6: issuers.0.algorithms: found \"{algorithm}\", expected a list of RS256");
        assert!(message.starts_with(&expected), "{message}");
    }
    let config = written(&format!("{MINIMAL}algorithms = [\"ES256\", \"EdDSA\"]\n")).config();
    assert_eq!(config.issuers[0].algorithms, [Algorithm::Es256, Algorithm::EdDsa]);
}

#[test]
fn several_issuers_have_names_of_their_own() {
    let two = |first: &str, second: &str, issuer: &str| {
        let text = MINIMAL.replace("[[issuers]]", &format!("[[issuers]]\n{first}"));
        written(&format!("{text}[[issuers]]\n{second}\nissuer = \"{issuer}\"\naudiences = [\"x\"]\n"))
    };
    let named = two("name = \"a\"", "name = \"b\"", "https://b").config();
    assert_eq!(&*named.issuers[1].name, "b");
    assert_eq!(
        two("name = \"a\"", "", "https://b").refusal(),
        "einmal.toml:7: issuers.1.name: missing, required when there are several issuers"
    );
    assert_eq!(
        two("name = \"a\"", "name = \"a\"", "https://b").refusal(),
        "einmal.toml:7: issuers.1.name: found \"a\" a second time, expected another one"
    );
    assert_eq!(
        two("name = \"a\"", "name = \"b\"", "https://id.example.com").refusal(),
        "einmal.toml:7: issuers.1.issuer: found \"https://id.example.com\" a second time, expected another one"
    );
    for name in ["", "a b", "ä", "a/b", &"a".repeat(65)] {
        let message = with_issuer("issuer =", &format!("name = \"{name}\"\nissuer =")).refusal();
        assert!(message.contains("issuers.0.name: found") && message.contains("1 to 64"), "{message}");
    }
}

#[test]
fn claims_are_json_pointers() {
    let linked = "linked_identity = { claim = \"/a~1b\", provider = \"fleet\", clients = [\"app\"] }";
    let config = written(&format!("{MINIMAL}registered_at_claim = \"/registered_at\"\n{linked}\n")).config();
    assert_eq!(config.issuers[0].registered_at_claim.as_deref(), Some("/registered_at"));
    let linked_identity = config.issuers[0].linked_identity.as_ref().unwrap();
    assert_eq!((linked_identity.claim.as_str(), linked_identity.provider.as_str()), ("/a~1b", "fleet"));
    assert_eq!(linked_identity.clients, ["app"]);
    for pointer in ["", "registered_at", "/a~", "/a~2"] {
        let message = written(&format!("{MINIMAL}registered_at_claim = \"{pointer}\"\n")).refusal();
        assert!(message.contains("expected a JSON pointer such as \"/registered_at\""), "{message}");
    }
    assert_eq!(
        written(&format!("{MINIMAL}linked_identity = {{ claim = \"/a\" }}\n")).refusal(),
        "einmal.toml:6: issuers.0.linked_identity.provider: missing, expected the name of a third party"
    );
    let nobody = "linked_identity = { claim = \"/a\", provider = \"b\", clients = [] }\n";
    assert!(written(&format!("{MINIMAL}{nobody}")).refusal().contains("leave it out for all clients"));
}
