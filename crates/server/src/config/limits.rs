//! What `[otp]`, `[totp]` and `[throttle]` make together: the policy. Its rules are the core's, only the names of the
//! keys are known here.

use super::fault::Fault;
use super::{Document, otp, throttle, totp};
use einmal_core::policy::{Policy, PolicyError, Settings};

pub(super) struct Limits {
    pub policy: Policy,
    pub throttle_status: u16,
    pub totp_issuer_label: String,
    pub login_enabled: bool,
}

/// Setting, section and key.
const NAMES: &[(&str, &str, &str)] = &[
    ("account_code_ttl_seconds", "otp", "account_ttl"),
    ("login_code_ttl_seconds", "otp", "login_ttl"),
    ("login_resend_after_seconds", "otp", "login_resend_after"),
    ("skew_steps", "totp", "skew_steps"),
    ("max_devices", "totp", "max_devices"),
    ("max_authenticators", "totp", "max_authenticators"),
    ("free_failures", "throttle", "free_failures"),
    ("first_wait_seconds", "throttle", "first_wait"),
    ("longest_wait_seconds", "throttle", "longest_wait"),
    ("guesses", "throttle", "guesses"),
    ("failures", "throttle", "failures"),
];

pub(super) fn read(document: &Document, faults: &mut Vec<Fault>) -> Option<Limits> {
    let mut settings = Settings::default();
    let login_enabled = otp::read(&mut document.section("otp", faults), &mut settings);
    let totp_issuer_label = totp::read(&mut document.section("totp", faults), &mut settings);
    let throttle_status = throttle::read(&mut document.section("throttle", faults), &mut settings);
    match Policy::new(settings) {
        Ok(policy) => Some(Limits { policy, throttle_status, totp_issuer_label, login_enabled }),
        Err(error) => {
            refuse(document, &error, faults);
            None
        }
    }
}

fn refuse(document: &Document, error: &PolicyError, faults: &mut Vec<Fault>) {
    let (name, key) = NAMES
        .iter()
        .find(|(setting, ..)| *setting == error.key)
        .map_or(("", error.key), |(_, name, key)| (*name, *key));
    let unit = if error.key.ends_with("_seconds") { " seconds" } else { "" };
    let mut section = document.section(name, faults);
    let found = section.shown(key).unwrap_or_else(|| format!("the default {}{unit}", error.found));
    section.refuse(key, format!("found {found}, expected {}{unit}", error.expected));
}
