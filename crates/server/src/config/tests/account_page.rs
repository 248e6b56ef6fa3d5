//! `[account_page]`: what need not be said, and the message for each mistake.

use super::*;

fn faults(keys: &str) -> String {
    refusal(&format!("[account_page]\n{keys}"))
}

#[test]
fn a_client_id_is_all_that_the_page_needs() {
    let config = written(&format!("[account_page]\nclient_id = \"account-page\"\n{MINIMAL}")).config();
    let page = config.account_page.unwrap();
    assert_eq!((&*page.issuer, page.client_id.as_str(), page.language), ("main", "account-page", "en"));
    assert_eq!(page.resource, None);
    let scopes = "openid user:device-totps:create user:device-totps:delete user:users.pin:update \
                  user:users.pin:check user:users.password:check user:otp:create";
    assert_eq!(page.scopes.join(" "), scopes);
    assert!(written(MINIMAL).config().account_page.is_none());
}

#[test]
fn whatever_is_wrong_is_refused_with_what_was_expected() {
    let client = "client_id = \"a\"\n";
    for (keys, message) in [
        (
            String::new(),
            "1: account_page.client_id: missing, expected the client id that the issuer has for this page, such as \
             \"account-page\"",
        ),
        (
            "client_id = \" \"".to_owned(),
            "2: account_page.client_id: found \" \", expected the client id that the issuer has for this page, such as \
             \"account-page\"",
        ),
        (
            format!("{client}issuer = \"trucks\""),
            "3: account_page.issuer: found \"trucks\", expected the name of a configured issuer, such as \"main\"",
        ),
        (
            format!("{client}scopes = [\"openid\"]"),
            "3: account_page.scopes: found a list, expected a list of scopes with \"openid\" and \
             \"user:device-totps:create\" in it",
        ),
        (
            format!("{client}scopes = [\"openid user:device-totps:create\"]"),
            "3: account_page.scopes: found a list, expected a list of scopes with \"openid\" and \
             \"user:device-totps:create\" in it",
        ),
        (format!("{client}language = \"fr\""), "3: account_page.language: found \"fr\", expected en or de"),
        (
            format!("{client}resource = \"\""),
            "3: account_page.resource: found \"\", expected what the issuer calls einmal when tokens are asked for it \
             (RFC 8707)",
        ),
        (
            format!("{client}client = \"b\""),
            "3: account_page.client: unknown key, the nearest known one is account_page.client_id",
        ),
    ] {
        assert_eq!(faults(&keys), format!("einmal.toml:{message}"));
    }
}

#[test]
fn of_several_issuers_one_has_to_be_named() {
    let issuer = |name: &str| {
        format!(
            "[[issuers]]\nname = \"{name}\"\nissuer = \"https://{name}.example\"\naudiences = [\"einmal\"]\n"
        )
    };
    let text = format!(
        "[account_page]\nclient_id = \"a\"\n[keyring]\nfile = \"einmal.keys\"\n{}{}",
        issuer("cars"),
        issuer("trucks")
    );
    let expected = "einmal.toml:1: account_page.issuer: missing, expected the name of a configured issuer, such as \"main\"";
    assert_eq!(written(&text).refusal(), expected);
    let named = text.replace("client_id", "issuer = \"trucks\"\nclient_id");
    assert_eq!(&*written(&named).config().account_page.unwrap().issuer, "trucks");
}
