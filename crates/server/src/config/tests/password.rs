//! `password` of an issuer.

use super::*;
use crate::auth::DirectGrantSettings;

const GOOD: &str =
    "token_url = \"https://id.example.com/token\", client_id = \"einmal\", username_claim = \"/name\"";

fn with_password(text: &str) -> Written {
    written(&format!("{MINIMAL}password = {text}\n"))
}

fn with_direct_grant(text: &str) -> Written {
    with_password(&format!("{{ direct_grant = {{ {text} }} }}"))
}

fn settings(written: Written) -> DirectGrantSettings {
    written.config().issuers.remove(0).direct_grant.unwrap()
}

#[test]
fn an_issuer_may_judge_its_users_passwords() {
    let taken = settings(with_direct_grant(GOOD));
    assert_eq!(taken.token_url.as_str(), "https://id.example.com/token");
    assert_eq!((taken.client_id.as_str(), taken.username_claim.as_str()), ("einmal", "/name"));
    assert_eq!((taken.client_secret, taken.scope.as_str()), (None, "openid"));
    let taken =
        settings(with_direct_grant(&format!("{GOOD}, client_secret = \"geheim\", scope = \"a b:c/d\"")));
    assert_eq!(taken.client_secret.as_ref().map(Secret::expose), Some("geheim"));
    assert_eq!(taken.scope, "a b:c/d");
    assert!(!format!("{taken:?}").contains("geheim"));
    with_direct_grant(&GOOD.replace("https://id.example.com", "http://127.0.0.1:1")).config();
    assert!(written(MINIMAL).config().issuers.remove(0).direct_grant.is_none());
}

#[test]
fn the_client_secret_may_be_in_a_file_or_a_variable_and_is_not_printed() {
    let with_secret = |source: &str| with_direct_grant(&format!("{GOOD}, client_secret = {source}"));
    let secret = |written| settings(written).client_secret.unwrap();
    let written = with_secret("{ file = \"secret\" }");
    fs::write(written.path("secret"), "from file\n").unwrap();
    assert_eq!(secret(written).expose(), "from file");
    let from_env = with_secret("{ env = \"SECRET\" }").with([("SECRET", "from env")]);
    assert_eq!(secret(from_env).expose(), "from env");
    let named = "EINMAL__ISSUERS__0__PASSWORD__DIRECT_GRANT__CLIENT_SECRET";
    let in_file = || with_secret("\"hunter2\"");
    let in_variable = || with_direct_grant(GOOD).with([(named, "hunter2")]);
    for (written, again) in [(in_file(), in_file()), (in_variable(), in_variable())] {
        assert_eq!(secret(written).expose(), "hunter2");
        let (document, _directory) = again.document();
        let printed = document.and_then(|document| document.print()).unwrap();
        assert!(!printed.contains("hunter2"), "{}", *printed);
        assert!(printed.contains("password = { direct_grant = { "), "{}", *printed);
        assert!(
            printed.contains("client_secret = \"***\"") && printed.contains("username_claim = \"/name\"")
        );
    }
    assert_eq!(
        with_secret("\"\"").refusal(),
        "einmal.toml:6: issuers.0.password.direct_grant.client_secret: found an empty text, expected that client's secret"
    );
}

#[test]
fn what_is_missing_or_wrong_is_named() {
    let message = with_direct_grant("").refusal();
    for key in ["token_url", "client_id", "username_claim"] {
        let expected = format!("issuers.0.password.direct_grant.{key}: missing, expected");
        assert!(message.contains(&expected), "{message}");
    }
    assert!(message.starts_with("3 faults in the configuration\n"), "{message}");
    for (text, expected) in [
        ("{}", "issuers.0.password.direct_grant: missing, expected a table with token_url"),
        ("\"x\"", "issuers.0.password: found a string, expected a table"),
        ("{ direct_grant = true }", "issuers.0.password.direct_grant: found a boolean, expected a table"),
        ("{ direct = {} }", "issuers.0.password.direct: unknown key"),
    ] {
        let message = with_password(text).refusal();
        assert!(message.contains(&format!("einmal.toml:6: {expected}")), "{message}");
    }
    for url in ["http://id.example.com", "ftp://127.0.0.1", "x", "https://a:hunter2@b", "https://a/#x"] {
        let message = with_direct_grant(&GOOD.replace("https://id.example.com/token", url)).refusal();
        let expected = "einmal.toml:6: issuers.0.password.direct_grant.token_url: found";
        assert!(message.starts_with(expected) && message.contains("expected an https URL"), "{message}");
        assert!(!message.contains("hunter2"), "{message}");
    }
    for (good, bad, key, expected) in [
        ("\"/name\"", "\"name\"", "username_claim", "a JSON pointer"),
        ("\"/name\"", "\"\"", "username_claim", "a JSON pointer"),
        ("\"einmal\"", "\"\"", "client_id", "client of the issuer"),
        ("\"/name\"", "\"/name\", scope = \"\"", "scope", "scopes with a space between"),
        ("\"/name\"", "\"/name\", scope = \"a  b\"", "scope", "scopes with a space between"),
        ("\"/name\"", "\"/name\", scope = \"ä\"", "scope", "scopes with a space between"),
        ("\"/name\"", "\"/name\", scope = [\"a\"]", "scope", "scopes with a space between"),
    ] {
        let message = with_direct_grant(&GOOD.replace(good, bad)).refusal();
        let place = format!("einmal.toml:6: issuers.0.password.direct_grant.{key}: found");
        assert!(message.starts_with(&place) && message.contains(expected), "{message}");
        assert_eq!(message.lines().count(), 1, "{message}");
    }
}
