//! `[admin]`: whose tokens may administer accounts over HTTP. Without the section nobody's may.

use super::keys::Key;
use super::section::Section;
use crate::auth::AdministratorSettings;

pub(super) const KEYS: &[Key] = &[Key::value("issuer"), Key::value("clients")];

const CLIENTS_EXPECTED: &str = "a list of client ids such as [\"backoffice\"]";

/// Both keys are required: nobody becomes an administrator by leaving something out. `issuers` are the configured
/// names.
pub(super) fn read(section: &mut Section<'_>, issuers: &[String]) -> Option<AdministratorSettings> {
    let expected = format!("the name of a configured issuer, such as {:?}", super::issuers::DEFAULT_NAME);
    for (key, expected) in [("issuer", expected.as_str()), ("clients", CLIENTS_EXPECTED)] {
        if !section.has(key) {
            section.refuse(key, format!("missing, expected {expected}"));
        }
    }
    let issuer = section
        .parsed("issuer", &expected, |text| issuers.iter().find(|name| *name == text).map(String::as_str));
    let clients = section.texts("clients", CLIENTS_EXPECTED);
    Some(AdministratorSettings { issuer: issuer?.into(), clients: clients? })
}
