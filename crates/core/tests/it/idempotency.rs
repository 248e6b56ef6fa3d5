//! Repeats under a key: what is remembered, of whom and for how long.

use crate::build::{NOON, code_of, wrong_code};
use einmal_core::Timestamp;
use einmal_core::account::{Account, Earlier, Keyed, KeyedRequest, OtpTypes, Verification};
use einmal_core::otp::Code;
use einmal_core::policy::Policy;
use proptest::prelude::*;
use uuid::Uuid;

fn request(key: u8, body: u8) -> KeyedRequest {
    KeyedRequest { key: [key; 16], body: [body; 16] }
}

fn verify(account: &mut Account, request: KeyedRequest, code: &Code, now: Timestamp) -> Keyed<Verification> {
    match account.verify_keyed(Some(&request), code, OtpTypes::ALL, now, &Policy::default()) {
        Keyed::First(verdict) => Keyed::First(verdict.verification),
        Keyed::Repeated => Keyed::Repeated,
        Keyed::KeyReused => Keyed::KeyReused,
    }
}

#[test]
fn a_clock_that_went_back_neither_loses_a_repeat_nor_keeps_it_for_longer_once_it_is_right_again() {
    let mut account = crate::build::with_device(1);
    let code = code_of(&account.devices[0], NOON, 0);
    assert_eq!(verify(&mut account, request(1, 1), &code, NOON), Keyed::First(Verification::Accepted));
    let hour_before = Timestamp::from_seconds(NOON.seconds() - 3_600);
    assert_eq!(verify(&mut account, request(1, 1), &code, hour_before), Keyed::Repeated);
    let later = NOON.plus_seconds(Policy::VERIFICATION_REPEAT_SECONDS);
    assert!(matches!(
        verify(&mut account, request(1, 1), &code, later),
        Keyed::First(Verification::Refused(_))
    ));
}

#[test]
fn a_replacement_of_the_account_keeps_what_was_verified_and_forgets_what_may_be_gone() {
    let mut account = crate::build::with_device(1);
    let code = code_of(&account.devices[0], NOON, 0);
    verify(&mut account, request(1, 1), &code, NOON);
    account.remember_change(request(2, 2), NOON, Some(Uuid::from_u128(1)));
    let mut successor = crate::build::with_device(1);
    successor.inherit(&account, NOON);
    assert_eq!(verify(&mut successor, request(1, 1), &code, NOON), Keyed::Repeated);
    assert_eq!(successor.earlier_change(&request(2, 2), NOON), Earlier::Nothing);
}

#[test]
fn a_device_that_is_deleted_or_replaced_takes_its_request_with_it() {
    let mut account = crate::build::with_device(1);
    let device = account.devices[0].clone();
    for gone in [
        |account: &mut Account| assert!(account.delete_device(Uuid::from_u128(1), NOON)),
        |account: &mut Account| {
            let totp = account.devices[0].totp.clone();
            account.enrol_device(Uuid::from_u128(1), totp, NOON);
        },
    ] {
        account.devices = vec![device.clone()];
        account.remember_change(request(1, 1), NOON, Some(device.id));
        account.remember_change(request(2, 2), NOON, None);
        gone(&mut account);
        assert_eq!(account.earlier_change(&request(1, 1), NOON), Earlier::Nothing);
        assert!(matches!(account.earlier_change(&request(2, 2), NOON), Earlier::Accepted(_)));
    }
}

proptest! {
    /// Few keys and bodies, right and wrong codes, over some minutes.
    #[test]
    fn a_repeat_makes_no_success_of_what_was_none(
        history in prop::collection::vec((0..3_u8, 0..2_u8, -1..=1_i64, any::<bool>(), 0..60_u64), 1..60)
    ) {
        let mut account = crate::build::with_device(1);
        let mut accepted: Vec<(KeyedRequest, Timestamp)> = Vec::new();
        let mut others = [0; 3];
        let mut now = NOON;
        for (key, body, offset, is_right, wait) in history {
            now = now.plus_seconds(wait);
            let code =
                if is_right { code_of(&account.devices[0], now, offset) } else { wrong_code(&account, now, 6) };
            let request = request(key, body);
            let was_accepted = |same_body: bool| {
                accepted.iter().any(|(before, at)| {
                    let is_same = before.key == request.key && (before.body == request.body) == same_body;
                    is_same && now.seconds_since(*at) < 120
                })
            };
            match verify(&mut account, request, &code, now) {
                Keyed::Repeated => prop_assert!(was_accepted(true) && others[usize::from(key)] < 5),
                Keyed::KeyReused => {
                    prop_assert!(was_accepted(false) || (was_accepted(true) && others[usize::from(key)] >= 5));
                    others[usize::from(key)] += 1;
                }
                Keyed::First(verification) => {
                    prop_assert!(!was_accepted(true) && !was_accepted(false), "three keys: none is pushed out");
                    if verification == Verification::Accepted {
                        others[usize::from(key)] = 0;
                        accepted.push((request, now));
                    }
                }
            }
        }
    }
}
