//! Authenticator apps from the secret that was shown to the first code: what is pending is good for nothing.

use crate::build::{NOON, code, code_of, credential, issued, with_device, wrong_code};
use einmal_core::Timestamp;
use einmal_core::account::{
    Account, AuthenticatorState, Confirmation, Credential, NearMiss, OtpTypes, Verification,
};
use einmal_core::policy::{Policy, Settings};
use uuid::Uuid;

/// Begun at noon, with the id and the secret that are made of `seed`.
fn begin(account: &mut Account, seed: u8) -> Credential {
    let Credential { id, totp, .. } = credential(seed, 6);
    account.begin_authenticator(id, Some(format!("app {seed}")), totp, NOON);
    account.pending_authenticator(id, NOON).unwrap().clone()
}

fn confirm(account: &mut Account, pending: &Credential, offset: i64, now: Timestamp) -> Confirmation {
    account.confirm_authenticator(pending.id, &code_of(pending, now, offset), now, &Policy::default())
}

#[test]
fn a_code_of_the_window_confirms_and_is_spent_with_all_before_it() {
    let policy = Policy::default();
    for offset in [-1, 0, 1] {
        let mut account = Account::default();
        let pending = begin(&mut account, 1);
        let code = code_of(&pending, NOON, offset);
        assert_ne!(account.verify(&code, OtpTypes::ALL, NOON, &policy), Verification::Accepted);
        for far in [-2, 2] {
            let near = NearMiss { parameters: None, clock_seconds: 30 * far };
            assert_eq!(confirm(&mut account.clone(), &pending, far, NOON), Confirmation::NearMiss(near));
        }
        assert_eq!(confirm(&mut account, &pending, offset, NOON), Confirmation::Confirmed);
        assert_eq!(confirm(&mut account, &pending, offset, NOON), Confirmation::NotPending);
        assert_ne!(account.verify(&code, OtpTypes::ALL, NOON, &policy), Verification::Accepted);
        let next = code_of(&pending, NOON, offset + 1);
        assert_eq!(account.verify(&next, OtpTypes::ALL, NOON, &policy), Verification::Accepted);
        let live = &account.authenticators[0];
        assert_eq!((live.id, live.label.as_deref()), (pending.id, Some("app 1")));
    }
}

/// The same digits may be the code of something else at this moment.
#[test]
fn the_code_that_confirms_is_spent_wherever_it_matches() {
    let policy = Policy::default();
    let mut account = Account::default();
    let pending = begin(&mut account, 1);
    let code = code_of(&pending, NOON, 0);
    account.login_code = Some(issued(code.as_str(), 600));
    account.devices = vec![Credential { id: Uuid::from_u128(9), ..credential(1, 6) }];
    assert_eq!(confirm(&mut account, &pending, 0, NOON), Confirmation::Confirmed);
    assert_ne!(account.verify(&code, OtpTypes::ALL, NOON, &policy), Verification::Accepted);
    assert_eq!(account.devices[0].progress, account.authenticators[0].progress, "one secret, one progress");
}

#[test]
fn a_step_that_is_spent_elsewhere_stays_spent_after_a_confirmation() {
    let policy = Policy::default();
    let mut account = with_device(1);
    let ahead = code_of(&account.devices[0], NOON, 1);
    let pending = begin(&mut account, 1);
    assert_eq!(account.verify(&ahead, OtpTypes::ALL, NOON, &policy), Verification::Accepted);
    assert_eq!(confirm(&mut account, &pending, 0, NOON), Confirmation::Confirmed);
    assert_ne!(account.verify(&ahead, OtpTypes::ALL, NOON, &policy), Verification::Accepted);
}

#[test]
fn the_fifth_wrong_code_kills_that_one_and_counts_nowhere_else() {
    let mut account = with_device(2);
    let (killed, other) = (begin(&mut account, 1), begin(&mut account, 3));
    let before = account.clone();
    let mut near = account.clone();
    near.authenticators = vec![killed.clone(), other.clone()];
    for digits in [6, 7, 8, 6, 6] {
        let wrong = wrong_code(&near, NOON, digits);
        let outcome = account.confirm_authenticator(killed.id, &wrong, NOON, &Policy::default());
        assert_eq!(outcome, Confirmation::Wrong);
    }
    assert_eq!(confirm(&mut account, &killed, 0, NOON), Confirmation::NotPending);
    assert_eq!(account.otp_throttle, before.otp_throttle);
    assert_eq!(account.devices[0].progress, before.devices[0].progress);
    assert_eq!(confirm(&mut account, &other, 0, NOON), Confirmation::Confirmed);
}

#[test]
fn a_pending_one_dies_after_15_minutes_and_gives_its_room_back() {
    let policy = Policy::new(Settings { max_authenticators: 2, ..Settings::default() }).unwrap();
    let mut account = Account { authenticators: vec![credential(1, 6)], ..Account::default() };
    assert!(account.has_room_for_authenticator(NOON, &policy));
    let pending = begin(&mut account, 2);
    let (last, after) = (NOON.plus_seconds(899), NOON.plus_seconds(900));
    assert!(!account.has_room_for_authenticator(last, &policy));
    assert_eq!(confirm(&mut account.clone(), &pending, 0, last), Confirmation::Confirmed);
    let states = |now| account.all_authenticators(now).map(|(_, state)| state).collect::<Vec<_>>();
    assert_eq!(states(last), [AuthenticatorState::Confirmed, AuthenticatorState::Pending]);
    assert_eq!(states(after), [AuthenticatorState::Confirmed]);
    assert!(account.has_room_for_authenticator(after, &policy));
    assert!(account.pending_authenticator(pending.id, after).is_none());
    assert!(account.clone().label_authenticator(pending.id, None, after).is_none());
    assert!(!account.clone().delete_authenticator(pending.id, after));
    assert_eq!(confirm(&mut account, &pending, 0, after), Confirmation::NotPending);
    assert!(account.pending_authenticators.is_empty(), "its secret is gone");
}

#[test]
fn one_is_named_and_deleted_by_its_id_live_or_pending() {
    let mut account = Account { authenticators: vec![credential(1, 6)], ..Account::default() };
    let pending = begin(&mut account, 2);
    for (id, state) in
        [(Uuid::from_u128(1), AuthenticatorState::Confirmed), (pending.id, AuthenticatorState::Pending)]
    {
        let labelled = account.label_authenticator(id, Some("x".to_owned()), NOON);
        let (credential, found) = labelled.unwrap();
        assert_eq!((credential.label.as_deref(), found), (Some("x"), state));
        assert!(account.delete_authenticator(id, NOON));
        assert!(!account.delete_authenticator(id, NOON));
    }
    assert!(account.label_authenticator(pending.id, None, NOON).is_none());
    let nobodys = account.confirm_authenticator(pending.id, &code("000000"), NOON, &Policy::default());
    assert_eq!(nobodys, Confirmation::NotPending);
}

#[test]
fn a_restored_copy_has_nothing_to_confirm() {
    let mut account = Account::default();
    let pending = begin(&mut account, 1);
    account.after_restore(NOON, &Policy::default());
    assert_eq!(confirm(&mut account, &pending, 1, NOON), Confirmation::NotPending);
}
