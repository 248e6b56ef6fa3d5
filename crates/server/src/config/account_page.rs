//! `[account_page]`: the page on which users look after their own authenticators, devices and PIN. Without the section
//! there is none.

use super::keys::Key;
use super::section::Section;
use crate::page::{AccountPageSettings, LANGUAGES};

pub(super) const KEYS: &[Key] = &[
    Key::value("client_id"),
    Key::value("issuer"),
    Key::value("scopes"),
    Key::value("resource"),
    Key::value("language"),
];

const CLIENT_EXPECTED: &str = "the client id that the issuer has for this page, such as \"account-page\"";
/// Without the first nobody could tell who signed in, without the second there would be nothing to see.
const NEEDED_SCOPES: [&str; 2] = ["openid", "user:device-totps:create"];
const FURTHER_SCOPES: [&str; 5] = [
    "user:device-totps:delete",
    "user:users.pin:update",
    "user:users.pin:check",
    "user:users.password:check",
    "user:otp:create",
];

/// `issuers` are the configured names.
pub(super) fn read(section: &mut Section<'_>, issuers: &[String]) -> Option<AccountPageSettings> {
    if !section.has("client_id") {
        section.refuse("client_id", format!("missing, expected {CLIENT_EXPECTED}"));
    }
    let client_id = text(section, "client_id", CLIENT_EXPECTED);
    let issuer = issuer(section, issuers);
    let scopes = scopes(section);
    let has_resource = section.has("resource");
    let resource =
        text(section, "resource", "what the issuer calls einmal when tokens are asked for it (RFC 8707)");
    let language = if section.has("language") {
        section.parsed("language", "en or de", |text| LANGUAGES.into_iter().find(|known| *known == text))
    } else {
        LANGUAGES.first().copied()
    };
    if has_resource && resource.is_none() {
        return None;
    }
    Some(AccountPageSettings {
        issuer: issuer?.into(),
        client_id: client_id?,
        scopes: scopes?,
        resource,
        language: language?,
    })
}

fn text(section: &mut Section<'_>, key: &str, expected: &str) -> Option<String> {
    section.parsed(key, expected, |text| (!text.trim().is_empty()).then(|| text.to_owned()))
}

/// The only one need not be named.
fn issuer(section: &mut Section<'_>, issuers: &[String]) -> Option<String> {
    if let ([only], false) = (issuers, section.has("issuer")) {
        return Some(only.clone());
    }
    let expected = format!("the name of a configured issuer, such as {:?}", super::issuers::DEFAULT_NAME);
    if !section.has("issuer") {
        section.refuse("issuer", format!("missing, expected {expected}"));
    }
    section.parsed("issuer", &expected, |text| issuers.iter().find(|name| *name == text).cloned())
}

fn scopes(section: &mut Section<'_>) -> Option<Vec<String>> {
    if !section.has("scopes") {
        return Some(NEEDED_SCOPES.into_iter().chain(FURTHER_SCOPES).map(str::to_owned).collect());
    }
    let [for_the_user, for_the_lists] = NEEDED_SCOPES;
    let expected = format!("a list of scopes with {for_the_user:?} and {for_the_lists:?} in it");
    let scopes = section.texts("scopes", &expected)?;
    // RFC 6749 section 3.3.
    let is_scope =
        |text: &String| text.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"\\".contains(&byte));
    let has = |needed: &&str| scopes.iter().any(|scope| scope == needed);
    if !scopes.iter().all(is_scope) || !NEEDED_SCOPES.iter().all(has) {
        let found = section.shown("scopes").unwrap_or_default();
        section.refuse("scopes", format!("found {found}, expected {expected}"));
        return None;
    }
    Some(scopes)
}
