//! What `after_restore` makes of an account that came out of a backup.

use crate::build::{NOON, code, code_of, credential, issued, with_device};
use einmal_core::account::{Account, CodeState, OtpTypes, Refusal, Restored, Verification};
use einmal_core::otp::Totp;
use einmal_core::policy::{Policy, Settings};

const REPLAYED: Verification = Verification::Refused(Refusal::Replayed);

fn with_skew(skew_steps: u8) -> Policy {
    Policy::new(Settings { skew_steps, ..Settings::default() }).unwrap()
}

#[test]
fn no_code_that_can_be_in_a_window_now_is_good_and_the_first_one_after_it_is() {
    for skew in 0..=5 {
        let policy = with_skew(skew);
        for drift in -2..=2 {
            let mut account = with_device(1);
            account.devices[0].progress.drift = drift;
            account.after_restore(NOON, &policy);
            let device = account.devices[0].clone();
            let reach = i64::from(skew) + 2;
            for offset in -reach..=reach {
                let code = code_of(&device, NOON, offset);
                let answer = account.clone().verify(&code, OtpTypes::ALL, NOON, &policy);
                assert_ne!(answer, Verification::Accepted, "skew {skew}, drift {drift}, offset {offset}");
            }
            let later = NOON.plus_seconds(u64::try_from(reach + 1).unwrap() * 30);
            let code = code_of(&device, later, 0);
            assert_eq!(account.verify(&code, OtpTypes::ALL, later, &policy), Verification::Accepted);
        }
    }
}

#[test]
fn a_last_step_is_never_lowered() {
    let mut account = with_device(1);
    let ahead = account.devices[0].totp.step_at(NOON) + 100;
    account.devices[0].progress.last_step = Some(ahead);
    let restored = account.after_restore(NOON, &Policy::default());
    assert_eq!(account.devices[0].progress.last_step, Some(ahead));
    assert_eq!(restored, Restored::default());
}

#[test]
fn each_secret_is_moved_by_steps_of_its_own_period() {
    let mut account = Account::default();
    let mut slow = credential(2, 6);
    slow.totp = Totp::new(slow.totp.secret().clone(), slow.totp.algorithm(), 6, 120).unwrap();
    account.devices = vec![credential(1, 6)];
    account.authenticators = vec![slow];
    let restored = account.after_restore(NOON, &Policy::default());
    assert_eq!(account.devices[0].progress.last_step, Some(NOON.seconds() / 30 + 3));
    assert_eq!(account.authenticators[0].progress.last_step, Some(NOON.seconds() / 120 + 3));
    assert_eq!(restored, Restored { secrets: 2, codes: 0 });
}

#[test]
fn issued_codes_are_dead_and_a_spent_one_stays_spent() {
    let mut account = Account { account_code: Some(issued("402913", 300)), ..Account::default() };
    account.login_code = Some(issued("118203", 600));
    assert_eq!(account.after_restore(NOON, &Policy::default()), Restored { secrets: 0, codes: 2 });
    for digits in ["402913", "118203"] {
        let answer = account.verify(&code(digits), OtpTypes::ALL, NOON, &Policy::default());
        assert_eq!(answer, Verification::Refused(Refusal::NothingEnrolled));
    }

    let mut account = Account { account_code: Some(issued("402913", 300)), ..Account::default() };
    account.verify(&code("402913"), OtpTypes::ALL, NOON, &Policy::default());
    assert_eq!(account.after_restore(NOON, &Policy::default()), Restored::default());
    assert_eq!(account.account_code.as_ref().unwrap().state, CodeState::Spent);
    assert_eq!(account.verify(&code("402913"), OtpTypes::ALL, NOON, &Policy::default()), REPLAYED);
}

#[test]
fn a_second_time_changes_nothing() {
    let mut account = with_device(1);
    account.login_code = Some(issued("118203", 600));
    assert_eq!(account.after_restore(NOON, &Policy::default()), Restored { secrets: 1, codes: 1 });
    assert_eq!(account.after_restore(NOON, &Policy::default()), Restored::default());
}
