//! The first code of an app that uses its secret in another way than it was told, or whose clock is off.

use crate::build::{NOON, code_of, credential, state, used_as, with_device};
use einmal_core::Timestamp;
use einmal_core::account::{Account, Confirmation, Credential, NearMiss, OtpTypes, Verification};
use einmal_core::otp::{Algorithm, Code, Parameters};
use einmal_core::policy::{Policy, Settings};
use proptest::prelude::*;
use std::collections::HashMap;
use uuid::Uuid;

const ID: Uuid = Uuid::from_u128(1);

fn parameters(algorithm: Algorithm, digits: u64, period: u64) -> Parameters {
    Parameters::new(algorithm, digits, period).unwrap()
}

/// With one that was begun at noon, whose secret is to be used as `stored`.
fn begun(stored: Parameters) -> Account {
    let mut account = Account::default();
    account.begin_authenticator(ID, Some("app".to_owned()), used_as(&credential(1, 6), stored).totp, NOON);
    account
}

/// The same secret, as the app uses it.
fn app(uses: Parameters) -> Credential {
    used_as(&credential(1, 6), uses)
}

fn confirm(account: &mut Account, code: &Code, now: Timestamp) -> Confirmation {
    account.confirm_authenticator(ID, code, now, &Policy::default())
}

#[test]
fn an_app_is_confirmed_whichever_of_the_twelve_ways_it_uses_and_that_way_is_stored() {
    let policy = Policy::default();
    for stored in Parameters::of_apps() {
        for uses in Parameters::of_apps() {
            for offset in [-1, 0, 1] {
                let (mut account, app) = (begun(stored), app(uses));
                let code = code_of(&app, NOON, offset);
                let expected =
                    if uses == stored { Confirmation::Confirmed } else { Confirmation::Adjusted(uses) };
                assert_eq!(confirm(&mut account, &code, NOON), expected, "{stored}, {uses}, {offset}");
                let live = &account.authenticators[0];
                assert!(live.totp == app.totp, "the same secret, as the app uses it");
                assert_eq!((live.id, live.label.as_deref()), (ID, Some("app")));
                assert_eq!(i64::from(live.progress.drift), offset, "as after any success");
                // That code is spent, and the next one is good.
                assert_ne!(account.verify(&code, OtpTypes::ALL, NOON, &policy), Verification::Accepted);
                let next = code_of(&app, NOON, offset + 1);
                assert_eq!(account.verify(&next, OtpTypes::ALL, NOON, &policy), Verification::Accepted);
            }
        }
    }
    assert_eq!(Parameters::of_apps().count(), 12);
}

#[test]
fn seven_digits_are_tried_as_they_are_stored_alone() {
    let stored = parameters(Algorithm::Sha1, 7, 30);
    let uses = parameters(Algorithm::Sha256, 7, 30);
    let mut account = begun(stored);
    assert_eq!(confirm(&mut account, &code_of(&app(uses), NOON, 0), NOON), Confirmation::Wrong);
    let code = code_of(&app(stored), NOON, 0);
    assert_eq!(confirm(&mut account, &code, NOON), Confirmation::Confirmed);
}

#[test]
fn where_other_ways_are_not_accepted_the_answer_says_which_it_is_and_nothing_is_confirmed() {
    let policy = Policy::new(Settings { accept_other_parameters: false, ..Settings::default() }).unwrap();
    let (stored, uses) = (parameters(Algorithm::Sha1, 6, 30), parameters(Algorithm::Sha512, 8, 60));
    let mut account = begun(stored);
    let code = code_of(&app(uses), NOON, 0);
    let told = NearMiss { parameters: Some(uses), clock_seconds: 0 };
    assert_eq!(account.confirm_authenticator(ID, &code, NOON, &policy), Confirmation::NearMiss(told));
    assert!(account.authenticators.is_empty());
    assert_eq!(account.pending_authenticators[0].failures, 1);
    let right = code_of(&app(stored), NOON, 0);
    assert_eq!(account.confirm_authenticator(ID, &right, NOON, &policy), Confirmation::Confirmed);
}

/// What is out of the window now would be refused a moment later.
#[test]
fn a_clock_that_is_off_is_told_and_not_made_up_for() {
    let stored = parameters(Algorithm::Sha1, 6, 30);
    let uses = parameters(Algorithm::Sha256, 6, 60);
    let told = |parameters, clock_seconds| Confirmation::NearMiss(NearMiss { parameters, clock_seconds });
    for (uses, offset, expected) in [
        (stored, -2, told(None, -60)),
        (stored, 8, told(None, 240)),
        (stored, -20, told(None, -600)),
        (stored, 21, Confirmation::Wrong),
        (uses, 2, told(Some(uses), 120)),
        (uses, -5, told(Some(uses), -300)),
        (uses, -6, Confirmation::Wrong),
    ] {
        let mut account = begun(stored);
        assert_eq!(
            confirm(&mut account, &code_of(&app(uses), NOON, offset), NOON),
            expected,
            "{uses}, {offset}"
        );
        assert!(account.authenticators.is_empty() && account.pending_authenticators[0].failures == 1);
    }
}

#[test]
fn the_fifth_near_miss_kills_it_as_the_fifth_wrong_code_does() {
    let stored = parameters(Algorithm::Sha1, 6, 30);
    let mut account = begun(stored);
    for count in 1..=5 {
        let late = code_of(&app(stored), NOON, -10);
        assert!(matches!(confirm(&mut account, &late, NOON), Confirmation::NearMiss(_)), "{count}");
    }
    let right = code_of(&app(stored), NOON, 0);
    assert_eq!(confirm(&mut account, &right, NOON), Confirmation::NotPending);
    assert!(account.pending_authenticators.is_empty() && account.authenticators.is_empty());
}

fn is_like(one: Parameters) -> u8 {
    u8::from(one.algorithm() != Algorithm::Sha1) + u8::from(one.period() != 30)
}

/// A moment at which a code of 6 digits is right in two ways for which `wanted` holds, and that code. `reach`: the steps
/// that are looked at of a way.
fn ambiguous(
    reach: impl Fn(Parameters) -> i64,
    wanted: impl Fn((Parameters, i64), (Parameters, i64)) -> bool,
) -> (Timestamp, Code) {
    let apps: Vec<_> = Parameters::of_apps().filter(|one| one.digits() == 6).map(app).collect();
    for minute in 0..20_000 {
        let now = NOON.plus_seconds(60 * minute);
        let mut codes: HashMap<String, Vec<(Parameters, i64)>> = HashMap::new();
        for app in &apps {
            let parameters = app.totp.parameters();
            for offset in -reach(parameters)..=reach(parameters) {
                let code = code_of(app, now, offset).as_str().to_owned();
                codes.entry(code).or_default().push((parameters, offset));
            }
        }
        let is_wanted = |uses: &[(Parameters, i64)]| match uses {
            [one, other] => wanted(*one, *other) || wanted(*other, *one),
            _ => false,
        };
        if let Some((code, _)) = codes.into_iter().find(|(_, uses)| is_wanted(uses)) {
            return (now, Code::parse(&code).unwrap());
        }
    }
    panic!("no such moment");
}

/// SHA1, 6 digits and 30 s are stored.
fn confirmed_at((now, code): (Timestamp, Code)) -> Confirmation {
    let mut account = begun(parameters(Algorithm::Sha1, 6, 30));
    account.pending_authenticators[0].credential.created_at = now;
    confirm(&mut account, &code, now)
}

#[test]
fn of_two_ways_that_fit_the_one_that_is_most_like_the_stored_one_is_taken() {
    // Be it the one that is further away.
    let reach = |one| if is_like(one) == 0 { -1 } else { 5 };
    let found = ambiguous(reach, |(one, offset), (other, nearer)| {
        is_like(one) < is_like(other) && offset.abs() > nearer.abs()
    });
    let taken = match confirmed_at(found) {
        Confirmation::Adjusted(taken) => taken,
        Confirmation::NearMiss(near) => near.parameters.unwrap(),
        other => panic!("{other:?}"),
    };
    assert_eq!(is_like(taken), 1);

    // A clock that is off is likelier than an app with a way of its own.
    let reach = |one| if is_like(one) == 0 { 20 } else { 1 };
    let found = ambiguous(reach, |(one, offset), (other, _)| {
        is_like(one) == 0 && is_like(other) > 0 && offset.abs() > 1
    });
    let Confirmation::NearMiss(near) = confirmed_at(found) else { panic!("confirmed") };
    assert!(near.parameters.is_none() && near.clock_seconds != 0);
}

/// An 8-digit code ends in the 6-digit one of its step. They are two codes, each of which is good once.
#[test]
fn the_same_secret_with_other_digits_is_another_one() {
    let policy = Policy::default();
    let [six, eight] = [6, 8].map(|digits| app(parameters(Algorithm::Sha1, digits, 30)));
    let (short, long) = (code_of(&six, NOON, 0), code_of(&eight, NOON, 0));
    assert!(long.as_str().ends_with(short.as_str()));
    let mut account = Account { devices: vec![six, eight], ..Account::default() };
    for code in [&long, &short] {
        assert_eq!(account.verify(code, OtpTypes::ALL, NOON, &policy), Verification::Accepted);
        assert_ne!(account.verify(code, OtpTypes::ALL, NOON, &policy), Verification::Accepted);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_code_that_does_not_confirm_counts_at_its_pending_one_and_changes_nothing_else(
        stored in 0..12_usize, uses in 0..12_usize, offset in -25..=25_i64, number in any::<Option<u32>>(), digits in 6..=8_u8,
    ) {
        let nth = |index| Parameters::of_apps().nth(index).unwrap();
        let mut account = with_device(2);
        account.otp_throttle.failures = 3;
        account.begin_authenticator(Uuid::from_u128(9), None, credential(9, 6).totp, NOON);
        account.begin_authenticator(ID, None, app(nth(stored)).totp, NOON);
        let before = account.clone();
        let code = match number {
            Some(number) => Code::from_number(number, digits),
            None => code_of(&app(nth(uses)), NOON, offset),
        };
        let outcome = confirm(&mut account, &code, NOON);
        if matches!(outcome, Confirmation::Wrong | Confirmation::NearMiss(_)) {
            prop_assert_eq!(account.pending_authenticators[1].failures, 1);
            account.pending_authenticators[1].failures = 0;
            prop_assert_eq!(state(&account), state(&before));
        } else {
            // No further off than any code may be.
            prop_assert!(number.is_some() || offset.abs() <= 1);
        }
    }
}
