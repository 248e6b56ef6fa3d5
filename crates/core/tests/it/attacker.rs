//! Simulated attackers with a stolen token: what the rules leave them.

mod model;
mod odds;

use crate::build::{NOON, code_of, issued, with_device, wrong_code};
use einmal_core::account::{OtpType, OtpTypes, Verification};
use einmal_core::policy::Policy;

const DAY: u64 = 86_400;

#[test]
fn thirty_days_of_guessing_are_at_most_100_guesses_at_a_secret_118() {
    let policy = Policy::default();
    let mut account = with_device(1);
    let types = OtpTypes::NONE.with(OtpType::DeviceTotp);
    let (mut now, mut evaluated) = (NOON, 0);
    while now.seconds_since(NOON) < 30 * DAY {
        let wrong = wrong_code(&account, now, 6);
        let before = account.devices[0].progress.failures;
        match account.verify(&wrong, types, now, &policy) {
            Verification::Throttled(wait) => now = now.plus_seconds(wait.seconds),
            Verification::Refused(_) => now = now.plus_seconds(60),
            Verification::Accepted => unreachable!("a wrong code"),
        }
        evaluated += account.devices[0].progress.failures - before;
    }
    assert_eq!(evaluated, 100);
}

#[test]
fn a_day_of_guessing_at_created_codes_is_about_a_hundred_guesses() {
    let policy = Policy::default();
    let types = OtpTypes::NONE.with(OtpType::Account);
    let mut account = with_device(1);
    let (mut now, mut evaluated) = (NOON, 0);
    while now.seconds_since(NOON) < DAY {
        // The owner, or the attacker, makes a new code whenever the last one has died.
        account.account_code = Some(issued("402913", now.seconds_since(NOON) + 300));
        let before = account.otp_throttle.failures;
        match account.verify(&crate::build::code("111111"), types, now, &policy) {
            Verification::Throttled(wait) => now = now.plus_seconds(wait.seconds),
            other => assert_ne!(other, Verification::Accepted),
        }
        evaluated += account.otp_throttle.failures - before;
    }
    assert!(evaluated <= 40, "{evaluated} guesses: more than 4 in 100,000 a day");
}

#[test]
fn an_owner_who_succeeds_in_between_starts_the_attackers_budget_again_and_no_more() {
    let policy = Policy::default();
    let mut account = with_device(1);
    let mut now = NOON;
    for _ in 0..20 {
        for _ in 0..4 {
            let wrong = wrong_code(&account, now, 6);
            account.verify(&wrong, OtpTypes::ALL, now, &policy);
        }
        let right = code_of(&account.devices[0], now, 0);
        assert_eq!(account.verify(&right, OtpTypes::ALL, now, &policy), Verification::Accepted);
        assert_eq!(account.devices[0].progress.guess_units, 0);
        now = now.plus_seconds(60);
    }
}
