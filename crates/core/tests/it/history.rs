//! What is remembered of changes: by which operations, in which order, and for how long.

use crate::build::{NOON, code, code_of, credential, issued, with_device, wrong_code};
use einmal_core::Timestamp;
use einmal_core::account::{
    Account, Confirmation, History, HistoryKind, MailReservation, OtpTypes, ProofKind, Reservation,
    StoredHash,
};
use einmal_core::policy::Policy;
use uuid::Uuid;

fn at(seconds: u64) -> Timestamp {
    NOON.plus_seconds(seconds)
}

fn kinds(history: &History) -> Vec<HistoryKind> {
    history.0.iter().map(|entry| entry.kind).collect()
}

fn mail(account: &mut Account, id: u32, now: Timestamp) {
    let MailReservation::Granted(mail) =
        account.reserve_mail(id.into(), code(&format!("{id:06}")), now, &Policy::default())
    else {
        panic!("nothing is in its way")
    };
    assert!(account.settle_mail(&mail));
}

#[test]
fn every_change_is_remembered_with_its_time_and_whom_it_was_done_to() {
    let policy = Policy::default();
    let mut account = Account::default();
    let (device, app, wrong) = (credential(1, 6), credential(2, 6), credential(3, 6));
    account.enrol_device(device.id, device.totp.clone(), at(0));
    account.enrol_device(device.id, device.totp.clone(), at(1));
    account.begin_authenticator(app.id, None, app.totp.clone(), at(2));
    let confirmed = account.confirm_authenticator(app.id, &code_of(&app, at(3), 0), at(3), &policy);
    assert_eq!(confirmed, Confirmation::Confirmed);
    account.begin_authenticator(wrong.id, None, wrong.totp.clone(), at(4));
    let mut near = account.clone();
    near.devices.push(wrong.clone());
    for _ in 0..5 {
        account.confirm_authenticator(wrong.id, &wrong_code(&near, at(5), 6), at(5), &policy);
    }
    account.set_pin(StoredHash::new("$pin"), at(6));
    account.issue_account_code(code("135790"), at(7), &policy);
    mail(&mut account, 1, at(8));
    account.issue_login_code(code("246801"), at(9), &policy);
    account.unlock(at(10));
    assert!(account.delete_device(device.id, at(11)));
    assert!(account.delete_authenticator(app.id, at(12)));
    let mut successor = with_device(4);
    successor.inherit(&account, at(13));
    successor.history.add(HistoryKind::Diagnosed, None, at(14));

    let expected = [
        (HistoryKind::DeviceEnrolled, 0, Some(device.id)),
        (HistoryKind::DeviceReplaced, 1, Some(device.id)),
        (HistoryKind::AuthenticatorBegun, 2, Some(app.id)),
        (HistoryKind::AuthenticatorConfirmed, 3, Some(app.id)),
        (HistoryKind::AuthenticatorBegun, 4, Some(wrong.id)),
        (HistoryKind::AuthenticatorDropped, 5, Some(wrong.id)),
        (HistoryKind::PinSet, 6, None),
        (HistoryKind::CodeCreated, 7, None),
        (HistoryKind::CodeMailed, 8, None),
        (HistoryKind::CodeTold, 9, None),
        (HistoryKind::Unlocked, 10, None),
        (HistoryKind::DeviceDeleted, 11, Some(device.id)),
        (HistoryKind::AuthenticatorDeleted, 12, Some(app.id)),
        (HistoryKind::AccountReplaced, 13, None),
        (HistoryKind::Diagnosed, 14, None),
    ];
    let history = successor.history.0.iter();
    let found: Vec<_> = history.clone().map(|entry| (entry.kind, entry.at, entry.credential)).collect();
    assert_eq!(found, expected.map(|(kind, seconds, credential)| (kind, at(seconds), credential)));
    assert!(history.map(|entry| entry.number).eq(1..=15));
    assert!(HistoryKind::ALL.iter().all(|kind| kinds(&successor.history).contains(kind)));
}

#[test]
fn attempts_names_and_what_was_not_there_leave_nothing_behind() {
    let policy = Policy::default();
    let mut account = with_device(1);
    account.account_code = Some(issued("135790", 300));
    let device = account.devices[0].clone();
    account.begin_authenticator(Uuid::from_u128(9), None, credential(9, 6).totp, NOON);
    let before = account.history.clone();
    account.verify(&code_of(&device, NOON, 0), OtpTypes::ALL, NOON, &policy);
    account.verify(&wrong_code(&account.clone(), NOON, 6), OtpTypes::ALL, NOON, &policy);
    let Reservation::Granted(reserved) = account.reserve(ProofKind::Pin, NOON, &policy) else { panic!() };
    account.settle(&reserved, None, &policy);
    account.label_device(device.id, Some("phone".to_owned()));
    account.label_authenticator(Uuid::from_u128(9), Some("app".to_owned()), NOON);
    let wrong = wrong_code(&with_device(9), NOON, 6);
    assert_eq!(account.confirm_authenticator(Uuid::from_u128(9), &wrong, NOON, &policy), Confirmation::Wrong);
    assert!(!account.delete_device(Uuid::from_u128(5), NOON));
    assert!(!account.delete_authenticator(Uuid::from_u128(5), NOON));
    account.reserve_mail(1, code("123456"), NOON, &policy);
    account.after_restore(NOON, &policy);
    assert_eq!(account.history, before);
}

#[test]
fn the_last_20_are_kept_in_their_order_and_their_numbers_go_on() {
    let mut history = History::default();
    for number in 1..=50 {
        history.add(HistoryKind::DeviceEnrolled, Some(Uuid::from_u128(number)), at(0));
    }
    assert!(history.0.iter().map(|entry| entry.number).eq(31..=50));
    assert!(history.latest_first().map(|entry| entry.number).eq((31..=50).rev()));
    assert_eq!(history.0.last().unwrap().credential, Some(Uuid::from_u128(50)));
    assert!(history.since(48).iter().map(|entry| entry.number).eq([49, 50]));
    assert_eq!((history.since(50).len(), history.since(0).len()), (0, 20));
    assert_eq!((History::default().last_number(), History::default().since(0).len()), (0, 0));
}

#[test]
fn whoever_has_mails_sent_or_diagnoses_and_unlocks_washes_nothing_else_out() {
    let mut history = History::default();
    for _ in 0..12 {
        history.add(HistoryKind::DeviceDeleted, None, at(0));
    }
    let frequent = [
        HistoryKind::CodeCreated,
        HistoryKind::CodeTold,
        HistoryKind::Unlocked,
        HistoryKind::Diagnosed,
        HistoryKind::CodeMailed,
    ];
    for _ in 0..40 {
        for kind in frequent {
            history.add(kind, None, at(1));
        }
    }
    let count = |history: &History, of| kinds(history).iter().filter(|kind| **kind == of).count();
    assert_eq!((history.0.len(), count(&history, HistoryKind::DeviceDeleted)), (20, 10));
    assert!(frequent.iter().all(|kind| count(&history, *kind) == 2));
    assert!(history.0.is_sorted_by(|one, next| one.number < next.number));
    history.add(HistoryKind::PinSet, None, at(2));
    assert_eq!((history.0.len(), count(&history, HistoryKind::DeviceDeleted)), (20, 9));
    assert_eq!(history.last_number(), 213);
}
