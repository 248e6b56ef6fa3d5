//! `[totp]`: device secrets and authenticator apps.

use super::keys::Key;
use super::section::Section;
use einmal_core::policy::Settings;

pub(super) const KEYS: &[Key] = &[
    Key::value("skew_steps"),
    Key::value("max_devices"),
    Key::value("max_authenticators"),
    Key::value("accept_other_parameters"),
    Key::value("issuer_label"),
];

/// Fills the settings and returns the label that authenticator apps show.
pub(super) fn read(section: &mut Section<'_>, settings: &mut Settings) -> String {
    // A number beyond its type becomes the type's largest one, which the policy refuses.
    if let Some(steps) = section.whole_number("skew_steps", 0..=u64::MAX) {
        settings.skew_steps = u8::try_from(steps).unwrap_or(u8::MAX);
    }
    if let Some(count) = section.whole_number("max_devices", 0..=u64::MAX) {
        settings.max_devices = usize::try_from(count).unwrap_or(usize::MAX);
    }
    if let Some(count) = section.whole_number("max_authenticators", 0..=u64::MAX) {
        settings.max_authenticators = usize::try_from(count).unwrap_or(usize::MAX);
    }
    if let Some(is_accepted) = section.boolean("accept_other_parameters") {
        settings.accept_other_parameters = is_accepted;
    }
    section
        .parsed("issuer_label", "1 to 64 characters without a colon", |text| {
            is_label(text).then(|| text.to_owned())
        })
        .unwrap_or_else(|| "einmal".to_owned())
}

/// A colon would end the label inside of an otpauth URI.
fn is_label(text: &str) -> bool {
    (1..=64).contains(&text.chars().count())
        && !text.chars().any(|c| c == ':' || c.is_control())
        && text.trim() == text
}
