//! `[otp]`: account and login codes.

use super::keys::Key;
use super::section::Section;
use einmal_core::policy::Settings;

pub(super) const KEYS: &[Key] = &[
    Key::value("account_ttl"),
    Key::value("login_ttl"),
    Key::value("login_resend_after"),
    Key::value("login_enabled"),
];

/// Fills the settings and returns whether login codes are mailed.
pub(super) fn read(section: &mut Section<'_>, settings: &mut Settings) -> bool {
    if let Some(seconds) = section.seconds("account_ttl") {
        settings.account_code_ttl_seconds = seconds;
    }
    if let Some(seconds) = section.seconds("login_ttl") {
        settings.login_code_ttl_seconds = seconds;
    }
    if let Some(seconds) = section.seconds("login_resend_after") {
        settings.login_resend_after_seconds = seconds;
    }
    section.boolean("login_enabled").unwrap_or(true)
}
