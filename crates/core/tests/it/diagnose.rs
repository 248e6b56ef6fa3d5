//! Why a code would be refused, for whoever helps: each reason, and that it neither consumes nor counts.

use crate::build::{NOON, code, code_of, credential, issued, state, used_as, with_device, wrong_code};
use einmal_core::Timestamp;
use einmal_core::account::{
    About, Account, CodeState, Confirmation, Diagnosis, Enrolled, OtpType, OtpTypes, Reason, Verification,
    Wait,
};
use einmal_core::otp::{Algorithm, Code, Parameters};
use einmal_core::policy::{Policy, Settings};
use proptest::prelude::*;
use std::slice;

fn told(account: &Account, code: &Code, wanted: OtpTypes, now: Timestamp) -> Diagnosis {
    account.clone().count_look(now).unwrap().at(code, wanted, now, &Policy::default())
}

/// The reasons alone, of any type, at noon.
fn reasons(account: &Account, code: &Code) -> Vec<Reason> {
    told(account, code, OtpTypes::ALL, NOON).findings.into_iter().map(|finding| finding.reason).collect()
}

fn verify(account: &mut Account, code: &Code, now: Timestamp) -> Verification {
    account.verify(code, OtpTypes::ALL, now, &Policy::default())
}

#[test]
fn a_code_that_is_right_would_be_accepted() {
    let mut account = with_device(1);
    account.devices[0].label = Some("phone".to_owned());
    let code = code_of(&account.devices[0], NOON, 1);
    let diagnosis = told(&account, &code, OtpTypes::DEFAULT, NOON);
    assert!(diagnosis.is_good);
    let [finding] = &*diagnosis.findings else { panic!("{diagnosis:?}") };
    assert_eq!(finding.reason, Reason::Right);
    let (kind, id, label) = (OtpType::DeviceTotp, account.devices[0].id, Some("phone".to_owned()));
    assert_eq!(finding.about, Some(About::Credential { kind, id, label }));
}

#[test]
fn a_wait_comes_first_and_a_right_code_is_still_called_right() {
    let mut account = with_device(1);
    for _ in 0..5 {
        let wrong = wrong_code(&account, NOON, 6);
        verify(&mut account, &wrong, NOON);
    }
    let right = code_of(&account.devices[0], NOON, 0);
    let later = NOON.plus_seconds(10);
    let diagnosis = told(&account, &right, OtpTypes::ALL, later);
    let reasons: Vec<_> = diagnosis.findings.into_iter().map(|finding| finding.reason).collect();
    assert_eq!(reasons, [Reason::Waiting(Wait { seconds: 20 }), Reason::Right]);
    assert!(!diagnosis.is_good);
}

#[test]
fn a_used_code_is_told_with_when_it_was_used_and_when_there_is_another() {
    let mut account = with_device(1);
    let [old, used, next] = [-1, 0, 1].map(|offset| code_of(&account.devices[0], NOON, offset));
    assert_eq!(verify(&mut account, &used, NOON), Verification::Accepted);
    // Noon is the beginning of a step.
    let now = NOON.plus_seconds(12);
    let reasons = |code| -> Vec<_> {
        told(&account, code, OtpTypes::ALL, now).findings.into_iter().map(|finding| finding.reason).collect()
    };
    assert_eq!(reasons(&used), [Reason::Used { at: Some(NOON), next_in_seconds: Some(18) }]);
    assert_eq!(reasons(&old), [Reason::OlderThanUsed { used_at: Some(NOON), next_in_seconds: 18 }]);
    assert_eq!(reasons(&next), [Reason::Right]);
    // Out of its window it is a used one all the same, and no slow clock.
    let late = told(&account, &used, OtpTypes::ALL, NOON.plus_seconds(300));
    assert_eq!(late.findings[0].reason, Reason::Used { at: Some(NOON), next_in_seconds: Some(0) });
}

/// The one that a slow phone shows when the clock is right about the next step may be the used one still.
#[test]
fn the_next_code_of_a_phone_whose_clock_is_off_is_told_for_when_that_phone_shows_it() {
    for (drift, used_at) in [(-2, 12), (2, 12), (-1, 29), (1, 0)] {
        let mut account = with_device(1);
        account.devices[0].progress.drift = drift;
        let [old, used, next] =
            [-1, 0, 1].map(|more| code_of(&account.devices[0], NOON, i64::from(drift) + more));
        let now = NOON.plus_seconds(used_at);
        assert_eq!(verify(&mut account, &used, now), Verification::Accepted);
        assert_eq!(account.devices[0].progress.drift, drift);
        // Noon is the beginning of a step, on every clock that is off by whole steps.
        let next_in_seconds = 30 - used_at;
        assert_eq!(
            told(&account, &used, OtpTypes::ALL, now).findings[0].reason,
            Reason::Used { at: Some(now), next_in_seconds: Some(next_in_seconds) },
            "{drift}"
        );
        let older = Reason::OlderThanUsed { used_at: Some(now), next_in_seconds };
        assert_eq!(told(&account, &old, OtpTypes::ALL, now).findings[0].reason, older, "{drift}");
        let shown = now.plus_seconds(next_in_seconds);
        assert!(told(&account, &next, OtpTypes::ALL, shown).is_good, "{drift}");
    }
}

#[test]
fn what_a_restored_backup_has_spent_was_not_used_at_any_time() {
    let mut account = with_device(1);
    let earlier = code_of(&account.devices[0], NOON, 0);
    assert_eq!(verify(&mut account, &earlier, NOON), Verification::Accepted);
    let later = NOON.plus_seconds(3_600);
    account.after_restore(later, &Policy::default());
    let code = code_of(&account.devices[0], later, 0);
    let diagnosis = told(&account, &code, OtpTypes::ALL, later);
    assert_eq!(diagnosis.findings[0].reason, Reason::OlderThanUsed { used_at: None, next_in_seconds: 120 });
}

#[test]
fn a_clock_that_is_off_is_told_by_how_much() {
    let account = with_device(1);
    let code = |offset| code_of(&account.devices[0], NOON, offset);
    assert_eq!(reasons(&account, &code(-8)), [Reason::Clock { seconds: -240 }]);
    assert_eq!(reasons(&account, &code(20)), [Reason::Clock { seconds: 600 }]);
    assert!(matches!(*reasons(&account, &code(21)), [Reason::NoMatch { .. }]));
    let names = [-8, 8].map(|offset| reasons(&account, &code(offset))[0].name());
    assert_eq!(names, ["clock-slow", "clock-fast"]);
    // What was learned of a clock is in the window.
    let mut drifted = account.clone();
    drifted.devices[0].progress.drift = -2;
    assert_eq!(reasons(&drifted, &code(-3)), [Reason::Right]);
}

#[test]
fn an_app_that_uses_its_secret_in_another_way_is_told_and_its_clock_too() {
    let uses = Parameters::new(Algorithm::Sha1, 8, 60).unwrap();
    let mut account = with_device(1);
    let stored = Parameters::new(Algorithm::Sha256, 6, 30).unwrap();
    account.devices[0] = used_as(&account.devices[0], stored);
    let app = used_as(&account.devices[0], uses);
    let other = Reason::OtherParameters { stored, app: uses };
    assert_eq!(*reasons(&account, &code_of(&app, NOON, 0)), *slice::from_ref(&other));
    assert_eq!(reasons(&account, &code_of(&app, NOON, 3)), [other, Reason::Clock { seconds: 180 }]);
    assert!(!told(&account, &code_of(&app, NOON, 0), OtpTypes::ALL, NOON).is_good);
}

#[test]
fn a_suspended_secret_and_a_type_that_was_not_asked_for_are_told_together() {
    let mut account = with_device(1);
    account.devices[0].progress.failures = 100;
    let code = code_of(&account.devices[0], NOON, 0);
    assert_eq!(reasons(&account, &code), [Reason::Suspended]);
    let diagnosis = told(&account, &code, OtpTypes::NONE.with(OtpType::Totp), NOON);
    let both: Vec<_> = diagnosis.findings.into_iter().map(|finding| finding.reason).collect();
    assert_eq!(both, [Reason::Suspended, Reason::TypeNotAskedFor]);
    account.unlock(NOON);
    assert_eq!(reasons(&account, &code), [Reason::Right]);
    // A secret that is enrolled as two types is asked for as either.
    account.authenticators = account.devices.clone();
    let diagnosis = told(&account, &code, OtpTypes::NONE.with(OtpType::Totp), NOON);
    assert!(diagnosis.is_good && diagnosis.findings.iter().all(|finding| finding.reason == Reason::Right));
}

#[test]
fn an_app_that_is_not_confirmed_is_told_until_when_it_can_be() {
    let mut account = Account::default();
    let app = credential(1, 6);
    account.begin_authenticator(app.id, None, app.totp.clone(), NOON);
    let not_confirmed = Reason::NotConfirmed { expires_at: NOON.plus_seconds(900) };
    assert_eq!(*reasons(&account, &code_of(&app, NOON, 0)), *slice::from_ref(&not_confirmed));
    let slow = reasons(&account, &code_of(&app, NOON, -5));
    assert_eq!(slow, [not_confirmed, Reason::Clock { seconds: -150 }]);
    // Once it is dead there is nothing to tell of it.
    let later = NOON.plus_seconds(900);
    let diagnosis = told(&account, &code_of(&app, later, 0), OtpTypes::ALL, later);
    assert_eq!(diagnosis.findings[0].reason, Reason::NothingEnrolled);
}

/// Or support would have an app deleted that its very next code confirms.
#[test]
fn an_app_that_would_be_taken_as_it_is_is_told_as_one_that_is_not_confirmed_and_nothing_else() {
    let (stored, uses) = (Parameters::new(Algorithm::Sha1, 6, 30), Parameters::new(Algorithm::Sha256, 8, 60));
    let (stored, uses) = (stored.unwrap(), uses.unwrap());
    let app = used_as(&credential(1, 6), uses);
    let mut account = Account::default();
    account.begin_authenticator(app.id, None, used_as(&app, stored).totp, NOON);
    let not_confirmed = Reason::NotConfirmed { expires_at: NOON.plus_seconds(900) };
    let code = code_of(&app, NOON, 1);
    assert_eq!(*reasons(&account, &code), *slice::from_ref(&not_confirmed));
    let confirmed = account.clone().confirm_authenticator(app.id, &code, NOON, &Policy::default());
    assert_eq!(confirmed, Confirmation::Adjusted(uses));
    // A clock that is off is all that is in its way.
    let slow = reasons(&account, &code_of(&app, NOON, -3));
    assert_eq!(slow, [not_confirmed.clone(), Reason::Clock { seconds: -180 }]);

    let strict = Policy::new(Settings { accept_other_parameters: false, ..Settings::default() }).unwrap();
    let told = account.count_look(NOON).unwrap().at(&code, OtpTypes::ALL, NOON, &strict);
    let told: Vec<_> = told.findings.into_iter().map(|finding| finding.reason).collect();
    assert_eq!(told, [not_confirmed, Reason::OtherParameters { stored, app: uses }]);
}

#[test]
fn a_code_of_the_servers_own_is_told_as_what_became_of_it() {
    let mut account = Account { login_code: Some(issued("246801", 600)), ..Account::default() };
    let login = code("246801");
    assert_eq!(reasons(&account, &login), [Reason::Right]);
    let by_default = told(&account, &login, OtpTypes::DEFAULT, NOON);
    assert_eq!(by_default.findings[0].reason, Reason::TypeNotAskedFor);
    assert_eq!(by_default.findings[0].about, Some(About::Issued(OtpType::Login)));
    let late = told(&account, &login, OtpTypes::ALL, NOON.plus_seconds(600));
    assert_eq!(late.findings[0].reason, Reason::Expired { at: NOON.plus_seconds(600) });
    let mut dead = account.clone();
    dead.login_code.as_mut().unwrap().state = CodeState::Dead;
    assert_eq!(reasons(&dead, &login), [Reason::Dead]);
    assert_eq!(verify(&mut account, &login, NOON), Verification::Accepted);
    assert_eq!(reasons(&account, &login), [Reason::Used { at: None, next_in_seconds: None }]);
}

#[test]
fn where_nothing_fits_it_is_told_what_there_is() {
    let mut account = with_device(1);
    account.login_code = Some(issued("246801", 600));
    account.begin_authenticator(credential(3, 6).id, None, credential(3, 6).totp, NOON);
    let enrolled = Enrolled { devices: 1, pending: 1, login_codes: 1, ..Enrolled::default() };
    for (digits, has_this_length) in [(6, true), (8, false)] {
        let wrong = wrong_code(&account, NOON, digits);
        assert_eq!(reasons(&account, &wrong), [Reason::NoMatch { enrolled, has_this_length }]);
    }
    assert_eq!(reasons(&Account::default(), &code("123456")), [Reason::NothingEnrolled]);
}

fn wait(account: &mut Account, now: Timestamp) -> Option<u64> {
    account.count_look(now).err().map(|wait| wait.seconds)
}

#[test]
fn it_is_told_five_times_in_ten_minutes_and_twenty_times_in_a_day() {
    let mut account = with_device(1);
    for second in 0..5 {
        assert_eq!(wait(&mut account, NOON.plus_seconds(second)), None);
    }
    assert_eq!(wait(&mut account, NOON.plus_seconds(5)), Some(595));
    assert_eq!(account.diagnosed_at.len(), 5, "what was not told does not count");
    assert_eq!(wait(&mut account, NOON.plus_seconds(600)), None, "the first is ten minutes old");
    assert_eq!(wait(&mut account, NOON.plus_seconds(600)), Some(1));
    let mut now = NOON.plus_seconds(700);
    for _ in 0..14 {
        now = now.plus_seconds(700);
        assert_eq!(wait(&mut account, now), None);
    }
    now = now.plus_seconds(700);
    assert_eq!(wait(&mut account, now), Some(NOON.plus_seconds(86_400).seconds_since(now)));
    assert_eq!(wait(&mut account, NOON.plus_seconds(86_399)), Some(1));
    assert_eq!(wait(&mut account, NOON.plus_seconds(86_400)), None);
    assert_eq!(account.diagnosed_at.len(), 20);
}

#[test]
fn neither_a_replacement_nor_an_unlock_nor_a_clock_that_goes_back_gives_more_of_them() {
    let mut account = with_device(1);
    for _ in 0..5 {
        assert_eq!(wait(&mut account, NOON), None);
    }
    let mut replaced = with_device(1);
    replaced.inherit(&account, NOON);
    replaced.unlock(NOON);
    assert_eq!(wait(&mut replaced, NOON), Some(600));
    let earlier = Timestamp::from_seconds(NOON.seconds() - 100_000);
    assert_eq!(wait(&mut account, earlier), Some(600), "nor does one keep them away for longer");
    assert_eq!(wait(&mut account, earlier.plus_seconds(600)), None);
}

#[test]
fn a_replica_whose_clock_is_behind_gives_no_place_any_earlier() {
    let mut account = with_device(1);
    let behind = |seconds| Timestamp::from_seconds(NOON.seconds() - 20 + seconds);
    // Now here, now there.
    for now in [NOON, behind(0), NOON, behind(1), behind(2)] {
        assert_eq!(wait(&mut account, now), None);
    }
    for later in 0..10 {
        assert_eq!(wait(&mut account, behind(later)), Some(620 - later));
    }
    assert_eq!(account.diagnosed_at, [NOON; 5], "to be refused changes nothing");
    assert_eq!(wait(&mut account, NOON.plus_seconds(599)), Some(1));
    assert_eq!(wait(&mut account, NOON.plus_seconds(600)), None);
}

/// How a secret is used, its drift, last step and failures; the state of a code; and failures in a row.
type Drawn = (usize, i8, Option<i64>, u32, CodeState, u32);

fn drawn() -> impl Strategy<Value = Drawn> {
    let states = prop::sample::select(vec![CodeState::Live, CodeState::Spent, CodeState::Dead]);
    (0..12_usize, -2..=2_i8, prop::option::of(-3..=3_i64), 0..120_u32, states, 0..8_u32)
}

/// Of everything some.
fn account_of((way, drift, last, failures, state, throttled): Drawn) -> Account {
    let way = Parameters::of_apps().nth(way).unwrap();
    let mut account = Account {
        devices: vec![used_as(&credential(1, 6), way), credential(2, 8)],
        authenticators: vec![used_as(&credential(1, 6), way), credential(3, 6)],
        account_code: Some(issued("402913", 300)),
        login_code: Some(issued("518226", 600)),
        ..Account::default()
    };
    account.begin_authenticator(credential(4, 6).id, None, credential(4, 6).totp, NOON);
    let now = account.devices[0].totp.step_at(NOON);
    let progress = &mut account.devices[0].progress;
    (progress.drift, progress.failures) = (drift, failures);
    progress.last_step = last.map(|last| now.saturating_add_signed(last));
    account.unite_progress();
    account.login_code.as_mut().unwrap().state = state;
    for _ in 0..throttled {
        account.otp_throttle.fail(NOON, &Policy::default());
    }
    account
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_diagnosis_changes_nothing_but_its_own_count_and_says_what_verification_says(
        drawn in drawn(), which in 0..8_usize, offset in -25..=25_i64, later in 0..1_000_u64,
        types in prop::collection::vec(prop::sample::select(OtpType::ALL.to_vec()), 1..4),
    ) {
        let (policy, now) = (Policy::default(), NOON.plus_seconds(later));
        let account = account_of(drawn);
        let types: OtpTypes = types.into_iter().collect();
        let code = match which {
            0 => code("402913"),
            1 => code("518226"),
            2 => wrong_code(&account, now, 6),
            3 => code_of(&account.pending_authenticators[0].credential, now, offset),
            which => code_of(account.credentials().nth(which - 4).unwrap().1, now, offset),
        };
        let mut diagnosed = account.clone();
        let diagnosis = diagnosed.count_look(now).unwrap().at(&code, types, now, &policy);
        prop_assert_eq!(state(&diagnosed), state(&account));
        prop_assert_eq!(&*diagnosed.diagnosed_at, &[now]);
        let verified = diagnosed.verify(&code, types, now, &policy);
        prop_assert_eq!(diagnosis.is_good, verified == Verification::Accepted);
        let has = |reason: &Reason| diagnosis.findings.iter().any(|finding| finding.reason == *reason);
        prop_assert!(!diagnosis.findings.is_empty());
        prop_assert!(!diagnosis.is_good || has(&Reason::Right), "{:?}", diagnosis);
        let waits = diagnosis.findings.iter().any(|finding| matches!(finding.reason, Reason::Waiting(_)));
        prop_assert_eq!(waits, matches!(verified, Verification::Throttled(_)));
        prop_assert!(diagnosis.is_good || waits || !has(&Reason::Right), "{:?}", diagnosis);
    }
}
