//! What an operator is told of a verification, beside its outcome.

use crate::build::{NOON, code, code_of, credential, issued, wrong_code};
use einmal_core::Timestamp;
use einmal_core::account::{Account, CodeState, OtpType, OtpTypes, Refusal, Throttle, Verdict, Verification};
use einmal_core::otp::Code;
use einmal_core::policy::Policy;

fn tell(account: &mut Account, code: &Code, wanted: OtpTypes, now: Timestamp) -> Verdict {
    account.verify_telling(code, wanted, now, &Policy::default())
}

fn account() -> Account {
    Account {
        devices: vec![credential(1, 6)],
        authenticators: vec![credential(2, 6)],
        account_code: Some(issued("402913", 300)),
        login_code: Some(issued("518226", 600)),
        ..Account::default()
    }
}

#[test]
fn the_type_that_took_a_code_is_told() {
    let of = |offer: fn(&Account) -> Code, expected| {
        let mut account = account();
        let code = offer(&account);
        let verdict = tell(&mut account, &code, OtpTypes::ALL, NOON);
        let accepted = Verdict { accepted_as: Some(expected), ..Verification::Accepted.into() };
        assert_eq!(verdict, accepted);
        assert_eq!(
            tell(&mut account, &code, OtpTypes::ALL, NOON),
            Verification::Refused(Refusal::Replayed).into()
        );
    };
    of(|account| code_of(&account.devices[0], NOON, 0), OtpType::DeviceTotp);
    of(|account| code_of(&account.authenticators[0], NOON, 0), OtpType::Totp);
    of(|_| code("402913"), OtpType::Account);
    of(|_| code("518226"), OtpType::Login);
}

/// One that could not have taken it is not named, though its digits are the same.
#[test]
fn of_several_types_with_one_code_the_first_that_was_asked_for_and_is_live_is_told() {
    let twins = || Account {
        account_code: Some(issued("402913", 300)),
        login_code: Some(issued("402913", 600)),
        ..Account::default()
    };
    let taken = |mut account: Account, wanted| tell(&mut account, &code("402913"), wanted, NOON).accepted_as;
    let login = OtpTypes::NONE.with(OtpType::Login);
    assert_eq!(taken(twins(), OtpTypes::ALL), Some(OtpType::Account));
    assert_eq!(taken(twins(), login), Some(OtpType::Login));
    let mut dead = twins();
    dead.account_code.as_mut().unwrap().state = CodeState::Dead;
    assert_eq!(taken(dead, OtpTypes::ALL), Some(OtpType::Login));
    let other = Account { account_code: Some(issued("402914", 300)), ..twins() };
    assert_eq!(taken(other, OtpTypes::ALL), Some(OtpType::Login));

    let mut device = Account { devices: vec![credential(1, 6)], ..twins() };
    let totp = code_of(&device.devices[0], NOON, 0);
    device.login_code = Some(issued(totp.as_str(), 600));
    assert_eq!(tell(&mut device.clone(), &totp, OtpTypes::ALL, NOON).accepted_as, Some(OtpType::DeviceTotp));
    assert_eq!(tell(&mut device.clone(), &totp, login, NOON).accepted_as, Some(OtpType::Login));
    device.devices[0].progress.failures = 100;
    assert_eq!(tell(&mut device, &totp, OtpTypes::ALL, NOON).accepted_as, Some(OtpType::Login));
}

#[test]
fn the_failure_that_begins_a_wait_is_told_and_no_other() {
    let mut account = account();
    let wrong = wrong_code(&account, NOON, 6);
    let begins: Vec<_> =
        (0..5).map(|_| tell(&mut account, &wrong, OtpTypes::ALL, NOON).begins_wait).collect();
    assert_eq!(begins, [false, false, false, false, true]);
    let waiting = tell(&mut account, &wrong, OtpTypes::ALL, NOON.plus_seconds(29));
    assert!(matches!(waiting.verification, Verification::Throttled(_)) && !waiting.begins_wait);
    assert!(tell(&mut account, &wrong, OtpTypes::ALL, NOON.plus_seconds(30)).begins_wait);
}

/// As a count is after a right PIN beside it: the wait is over, and the next failure is a free one.
#[test]
fn a_wait_that_is_over_does_not_begin_again() {
    let mut account =
        Account { otp_throttle: Throttle { failures: 0, waits_until: Some(NOON) }, ..account() };
    let wrong = wrong_code(&account, NOON, 6);
    let verdict = tell(&mut account, &wrong, OtpTypes::ALL, NOON);
    assert_eq!(verdict, Verification::Refused(Refusal::Wrong).into());
}

#[test]
fn each_secret_that_a_guess_suspends_is_told_once() {
    let mut account =
        Account { devices: vec![credential(1, 6), credential(3, 6), credential(4, 8)], ..account() };
    for credential in &mut account.devices {
        credential.progress.failures = 99;
    }
    let wrong = wrong_code(&account, NOON, 6);
    let device = OtpTypes::NONE.with(OtpType::DeviceTotp);
    assert_eq!(tell(&mut account.clone(), &wrong, OtpTypes::NONE.with(OtpType::Totp), NOON).suspends, 0);
    // The third one has eight digits, and was not guessed at.
    assert_eq!(tell(&mut account, &wrong, device, NOON).suspends, 2);
    assert_eq!(account.devices.iter().map(|one| one.progress.failures).collect::<Vec<_>>(), [100, 100, 99]);
    assert_eq!(tell(&mut account, &wrong, device, NOON).suspends, 0);
}

#[test]
fn each_refusal_has_a_reason_of_its_own() {
    let all = [Refusal::Wrong, Refusal::Replayed, Refusal::NothingEnrolled];
    assert_eq!(all.map(Refusal::reason), ["wrong", "used before", "nothing of these types enrolled"]);
}
