//! What `verify` answers, case by case.

use crate::build::{NOON, code, code_of, credential, issued, with_device, wrong_code};
use einmal_core::Timestamp;
use einmal_core::account::{Account, CodeState, OtpType, OtpTypes, Refusal, Verification, Wait};
use einmal_core::otp::Code;
use einmal_core::policy::Policy;

const DEVICE: OtpTypes = OtpTypes::NONE.with(OtpType::DeviceTotp);
const REPLAYED: Verification = Verification::Refused(Refusal::Replayed);
const WRONG: Verification = Verification::Refused(Refusal::Wrong);
const NOTHING: Verification = Verification::Refused(Refusal::NothingEnrolled);

fn verify(account: &mut Account, code: &Code, types: OtpTypes, now: Timestamp) -> Verification {
    account.verify(code, types, now, &Policy::default())
}

#[test]
fn the_steps_before_at_and_after_the_clock_are_good_and_no_others_10() {
    for offset in -5..=5 {
        let mut account = with_device(1);
        let code = code_of(&account.devices[0], NOON, offset);
        let expected = if (-1..=1).contains(&offset) { Verification::Accepted } else { WRONG };
        assert_eq!(verify(&mut account, &code, DEVICE, NOON), expected, "offset {offset}");
    }
}

#[test]
fn after_a_step_it_and_all_before_it_are_spent_and_the_next_is_good_11() {
    let mut account = with_device(1);
    let device = account.devices[0].clone();
    let at = |offset| code_of(&device, NOON, offset);
    assert_eq!(verify(&mut account, &at(0), DEVICE, NOON), Verification::Accepted);
    assert_eq!(verify(&mut account, &at(0), DEVICE, NOON), REPLAYED);
    assert_eq!(verify(&mut account, &at(-1), DEVICE, NOON), REPLAYED);
    assert_eq!(account.otp_throttle.failures, 0);
    assert_eq!(verify(&mut account, &at(1), DEVICE, NOON), Verification::Accepted);
}

#[test]
fn a_code_that_is_right_for_two_steps_is_accepted_once_13() {
    let device = credential(1, 6);
    let step = (0..10_000_000)
        .find(|step| device.totp.code_at(*step).as_str() == device.totp.code_at(step + 1).as_str())
        .expect("two equal neighbours exist");
    let now = Timestamp::from_seconds(step * 30);
    let mut account = Account { devices: vec![device], ..Account::default() };
    let code = account.devices[0].totp.code_at(step);
    assert_eq!(verify(&mut account, &code, DEVICE, now), Verification::Accepted);
    assert_eq!(verify(&mut account, &code, DEVICE, now.plus_seconds(30)), REPLAYED);
}

#[test]
fn drift_is_learned_from_successes_and_bounded() {
    let mut account = with_device(1);
    let device = account.devices[0].clone();
    let mut now = NOON;
    // The phone is one step slow, then two, then three.
    for (offset, expected) in [(-1, -1), (-2, -2), (-3, -2)] {
        assert_eq!(verify(&mut account, &code_of(&device, now, offset), DEVICE, now), Verification::Accepted);
        assert_eq!(account.devices[0].progress.drift, expected);
        now = now.plus_seconds(300);
    }
    assert_eq!(verify(&mut account, &code_of(&device, now, -4), DEVICE, now), WRONG);
}

#[test]
fn a_right_code_of_an_unwanted_type_is_refused_and_stays_good_26() {
    let mut account = with_device(1);
    account.account_code = Some(issued("402913", 300));
    assert_eq!(verify(&mut account, &code("402913"), DEVICE, NOON), WRONG);
    let types = OtpTypes::NONE.with(OtpType::Account);
    assert_eq!(verify(&mut account, &code("402913"), types, NOON), Verification::Accepted);
}

#[test]
fn a_code_is_spent_wherever_it_matches_wanted_or_not() {
    let mut account = with_device(1);
    account.authenticators = vec![credential(1, 6)];
    let code = code_of(&account.devices[0], NOON, 0);
    account.login_code = Some(issued(code.as_str(), 600));
    assert_eq!(verify(&mut account, &code, DEVICE, NOON), Verification::Accepted);
    for kind in OtpType::ALL {
        let refused = verify(&mut account, &code, OtpTypes::NONE.with(kind), NOON);
        assert!(matches!(refused, REPLAYED | NOTHING), "{kind:?}: {refused:?}");
    }
}

/// The device has learned that its clock is fast, so its window reaches further than the authenticator's.
#[test]
fn a_code_outside_of_the_window_of_a_second_enrolment_of_its_secret_is_spent_there_too() {
    let mut account = with_device(1);
    account.authenticators = vec![credential(1, 6)];
    let device = account.devices[0].clone();
    let mut now = NOON;
    for offset in [1, 2] {
        assert_eq!(verify(&mut account, &code_of(&device, now, offset), DEVICE, now), Verification::Accepted);
        now = now.plus_seconds(300);
    }
    let code = code_of(&device, now, 2);
    assert_eq!(verify(&mut account, &code, DEVICE, now), Verification::Accepted);
    let types = OtpTypes::NONE.with(OtpType::Totp);
    assert_eq!(verify(&mut account, &code, types, now.plus_seconds(60)), REPLAYED);
}

#[test]
fn a_secret_that_is_enrolled_twice_has_one_guess_budget() {
    let policy = Policy::default();
    let mut account = with_device(1);
    account.authenticators = vec![credential(1, 6)];
    let (mut now, mut evaluated) = (NOON, 0);
    for kind in [OtpType::DeviceTotp, OtpType::Totp].into_iter().cycle().take(2_000) {
        let wrong = wrong_code(&account, now, 6);
        match account.verify(&wrong, OtpTypes::NONE.with(kind), now, &policy) {
            Verification::Throttled(wait) => now = now.plus_seconds(wait.seconds),
            other => evaluated += u32::from(other == WRONG),
        }
    }
    assert_eq!(evaluated, 100);
}

#[test]
fn a_success_starts_the_budget_again_wherever_its_secret_is_enrolled_and_nowhere_else() {
    let mut account = with_device(1);
    account.authenticators = vec![credential(1, 6), credential(2, 6)];
    let wrong = wrong_code(&account, NOON, 6);
    assert_eq!(verify(&mut account, &wrong, OtpTypes::ALL, NOON), WRONG);
    let right = code_of(&account.devices[0], NOON, 0);
    assert_eq!(verify(&mut account, &right, DEVICE, NOON), Verification::Accepted);
    let failures: Vec<_> = account.credentials().map(|(_, c)| c.progress.failures).collect();
    assert_eq!(failures, [0, 0, 1]);
}

#[test]
fn a_code_is_good_until_the_second_before_it_expires_31() {
    let types = OtpTypes::NONE.with(OtpType::Login);
    let offered = |after| {
        let mut account = Account { login_code: Some(issued("402913", 600)), ..Account::default() };
        verify(&mut account, &code("402913"), types, NOON.plus_seconds(after))
    };
    assert_eq!(offered(599), Verification::Accepted);
    assert_eq!(offered(600), NOTHING);
}

#[test]
fn a_clock_that_goes_back_revives_no_expired_code_164() {
    let types = OtpTypes::NONE.with(OtpType::Login);
    let mut account = Account { login_code: Some(issued("402913", 600)), ..Account::default() };
    assert_eq!(verify(&mut account, &code("111111"), types, NOON.plus_seconds(601)), NOTHING);
    assert_eq!(verify(&mut account, &code("402913"), types, NOON), NOTHING);
}

#[test]
fn the_fifth_wrong_entry_kills_a_code_37() {
    let types = OtpTypes::NONE.with(OtpType::Account);
    let mut account = Account { account_code: Some(issued("402913", 300)), ..Account::default() };
    for _ in 0..5 {
        assert_eq!(verify(&mut account, &code("111111"), types, NOON), WRONG);
    }
    account.otp_throttle.clear();
    assert_eq!(verify(&mut account, &code("402913"), types, NOON), NOTHING);
    assert_eq!(account.account_code.unwrap().state, CodeState::Dead);
}

#[test]
fn all_types_share_one_count_97() {
    let mut account = with_device(1);
    account.authenticators = vec![credential(2, 6)];
    account.account_code = Some(issued("402913", 300));
    account.login_code = Some(issued("402914", 300));
    let wrong = wrong_code(&account, NOON, 6);
    for kind in OtpType::ALL.into_iter().cycle().take(5) {
        assert_eq!(verify(&mut account, &wrong, OtpTypes::NONE.with(kind), NOON), WRONG);
    }
    let wait = Verification::Throttled(Wait { seconds: 30 });
    let right = code_of(&account.devices[0], NOON, 0);
    assert_eq!(verify(&mut account, &right, DEVICE, NOON), wait);
    assert_eq!(verify(&mut account, &wrong, DEVICE, NOON), wait);
    assert_eq!(verify(&mut account, &right, DEVICE, NOON.plus_seconds(30)), Verification::Accepted);
}

#[test]
fn a_code_of_other_digits_is_one_failure_and_no_guess_at_the_secret() {
    let mut account = with_device(1);
    account.account_code = Some(issued("402913", 300));
    let types = OtpTypes::DEFAULT;
    assert_eq!(verify(&mut account, &code("40291340"), types, NOON), WRONG);
    assert_eq!(account.otp_throttle.failures, 1);
    assert_eq!(account.devices[0].progress.failures, 0);
    assert_eq!(account.account_code.unwrap().failures, 0);
}

#[test]
fn where_nothing_is_enrolled_nothing_is_counted() {
    let mut account = with_device(1);
    let types = OtpTypes::NONE.with(OtpType::Totp).with(OtpType::Login);
    assert_eq!(verify(&mut account, &code("111111"), types, NOON), NOTHING);
    assert_eq!(account.otp_throttle.failures, 0);
}

#[test]
fn a_suspended_secret_takes_no_code_while_others_do_95() {
    let policy = Policy::default();
    let mut account = with_device(1);
    account.authenticators = vec![credential(2, 6)];
    let mut now = NOON;
    let mut evaluated = 0;
    while !account.devices[0].is_suspended(now, &policy) {
        let wrong = wrong_code(&account, now, 6);
        match account.verify(&wrong, DEVICE, now, &policy) {
            Verification::Throttled(wait) => now = now.plus_seconds(wait.seconds),
            other => {
                assert_eq!(other, WRONG);
                evaluated += 1;
            }
        }
    }
    assert_eq!(evaluated, 100);
    now = now.plus_seconds(3_600);
    let right = code_of(&account.devices[0], now, 0);
    assert_eq!(account.verify(&right, DEVICE, now, &policy), NOTHING);
    let other = code_of(&account.authenticators[0], now, 0);
    assert_eq!(account.verify(&other, OtpTypes::ALL, now, &policy), Verification::Accepted);
}

#[test]
fn a_replacement_keeps_last_steps_and_waits_of_unchanged_secrets() {
    let mut account = with_device(1);
    let right = code_of(&account.devices[0], NOON, 0);
    assert_eq!(verify(&mut account, &right, DEVICE, NOON), Verification::Accepted);
    for _ in 0..5 {
        let wrong = wrong_code(&account, NOON, 6);
        verify(&mut account, &wrong, DEVICE, NOON);
    }
    let mut replacement = with_device(1);
    replacement.devices.push(credential(2, 6));
    replacement.inherit(&account, NOON);
    assert_eq!(verify(&mut replacement, &right, DEVICE, NOON), Verification::Throttled(Wait { seconds: 30 }));
    let later = NOON.plus_seconds(30);
    assert_eq!(verify(&mut replacement, &right, DEVICE, later), REPLAYED);
    let fresh = code_of(&replacement.devices[1], later, 0);
    assert_eq!(verify(&mut replacement, &fresh, DEVICE, later), Verification::Accepted);
}

#[test]
fn a_replacement_gives_no_second_budget_to_a_secret_that_was_enrolled_twice() {
    let mut account = with_device(1);
    account.authenticators = vec![credential(1, 6)];
    account.devices[0].progress.failures = 99;
    account.devices[0].progress.guess_units = 29_700;
    let mut replacement = with_device(1);
    replacement.inherit(&account, NOON);
    assert_eq!(replacement.devices[0].progress.failures, 99);
    assert_eq!(replacement.devices[0].progress.guess_units, 29_700);
}

/// As an import may bring it.
#[test]
fn a_step_that_one_enrolment_of_a_secret_has_accepted_is_spent_for_another_that_has_not_seen_it() {
    let mut account = with_device(1);
    account.authenticators = vec![credential(1, 6)];
    account.authenticators[0].progress.last_step = Some(account.devices[0].totp.step_at(NOON));
    account.unite_progress();
    let right = code_of(&account.devices[0], NOON, 0);
    assert_eq!(verify(&mut account, &right, DEVICE, NOON), REPLAYED);
}

#[test]
fn an_unlock_lifts_waits_and_suspensions_and_brings_nothing_back_that_was_spent() {
    let policy = Policy::default();
    let mut account = with_device(1);
    account.account_code = Some(issued("402913", 300));
    let spent = code_of(&account.devices[0], NOON, 0);
    assert_eq!(verify(&mut account, &spent, DEVICE, NOON), Verification::Accepted);
    for _ in 0..5 {
        let wrong = wrong_code(&account, NOON, 6);
        verify(&mut account, &wrong, OtpTypes::DEFAULT, NOON);
    }
    account.devices[0].progress.failures = 100;
    account.pin_throttle.failures = Policy::PIN_FAILURES;

    account.unlock(NOON);
    assert!(!account.devices[0].is_suspended(NOON, &policy));
    assert_eq!(verify(&mut account, &spent, DEVICE, NOON), REPLAYED);
    let next = code_of(&account.devices[0], NOON, 1);
    assert_eq!(verify(&mut account, &next, DEVICE, NOON), Verification::Accepted);
    assert_eq!(account.account_code.map(|code| code.state), Some(CodeState::Dead));
    assert_eq!(account.pin_throttle.failures, Policy::PIN_FAILURES, "a dead PIN stays dead");
}

#[test]
fn a_secret_that_could_not_take_the_code_forgets_it_and_learns_nothing() {
    let account = |failures| {
        let mut account = with_device(1);
        account.devices[0].progress.failures = failures;
        account.login_code = Some(issued(code_of(&account.devices[0], NOON, 1).as_str(), 600));
        account
    };
    let login = OtpTypes::NONE.with(OtpType::Login);
    // Not asked for, and suspended: whoever has a mailed code of the same digits lifts no suspension by it.
    for (failures, wanted) in [(3, login), (100, OtpTypes::ALL)] {
        let mut account = account(failures);
        let device = account.devices[0].clone();
        let code = code_of(&device, NOON, 1);
        assert_eq!(verify(&mut account, &code, wanted, NOON), Verification::Accepted);
        let spent = Some(device.totp.step_at(NOON) + 1);
        let expected = einmal_core::account::Progress { last_step: spent, ..device.progress };
        assert_eq!(account.devices[0].progress, expected);
    }
}
