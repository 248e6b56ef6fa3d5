//! `[throttle]`: waits and guess budgets, and the status that a throttled attempt gets.

use super::keys::Key;
use super::section::Section;
use einmal_core::policy::Settings;

pub(super) const KEYS: &[Key] = &[
    Key::value("status"),
    Key::value("free_failures"),
    Key::value("first_wait"),
    Key::value("longest_wait"),
    Key::value("guesses"),
    Key::value("failures"),
];

const NOT_FOUND: u16 = 404;
const TOO_MANY_REQUESTS: u16 = 429;

/// Fills the settings and returns the status of a throttled attempt.
pub(super) fn read(section: &mut Section<'_>, settings: &mut Settings) -> u16 {
    // A number beyond its type becomes the type's largest one, which the policy refuses.
    if let Some(count) = section.whole_number("free_failures", 0..=u64::MAX) {
        settings.free_failures = u32::try_from(count).unwrap_or(u32::MAX);
    }
    if let Some(seconds) = section.seconds("first_wait") {
        settings.first_wait_seconds = seconds;
    }
    if let Some(seconds) = section.seconds("longest_wait") {
        settings.longest_wait_seconds = seconds;
    }
    if let Some(guesses) = section.whole_number("guesses", 0..=u64::MAX) {
        settings.guesses = guesses;
    }
    if let Some(count) = section.whole_number("failures", 0..=u64::MAX) {
        settings.failures = u32::try_from(count).unwrap_or(u32::MAX);
    }
    let statuses = [NOT_FOUND, TOO_MANY_REQUESTS];
    section
        .number("status", "404 or 429", |status| statuses.iter().any(|known| u64::from(*known) == status))
        .and_then(|status| u16::try_from(status).ok())
        .unwrap_or(NOT_FOUND)
}
