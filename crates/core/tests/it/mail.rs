//! Mails with `login` codes: when one may be sent, what is good afterwards, and that nothing lets two be sent at once.

mod any_history;

use crate::build::{NOON, code};
use einmal_core::Timestamp;
use einmal_core::account::{
    Account, CodeState, MailOutcome, MailReservation, OtpType, OtpTypes, ReservedMail, Verification, Wait,
};
use einmal_core::otp::Code;
use einmal_core::policy::{Policy, Settings};

const HOUR: u64 = 3_600;
const DAY: u64 = 86_400;

fn policy() -> Policy {
    Policy::default()
}

fn at(seconds: u64) -> Timestamp {
    NOON.plus_seconds(seconds)
}

fn try_reserve(account: &mut Account, id: u64, now: Timestamp) -> MailReservation {
    account.reserve_mail(id, Code::from_number(u32::try_from(id).unwrap(), 6), now, &policy())
}

/// Mail number `id` has the code `id`, unless a living one is mailed again.
fn reserve(account: &mut Account, id: u64, now: Timestamp) -> ReservedMail {
    match try_reserve(account, id, now) {
        MailReservation::Granted(mail) => mail,
        MailReservation::UnderWay(id) => panic!("{id} is under way"),
        MailReservation::Recent(wait) => panic!("one was sent a moment ago: {wait:?}"),
        MailReservation::Exhausted(wait) => panic!("as many as may be: {wait:?}"),
    }
}

fn send(account: &mut Account, id: u64, now: Timestamp) -> ReservedMail {
    let mail = reserve(account, id, now);
    assert!(account.settle_mail(&mail));
    mail
}

fn recent(reservation: &MailReservation) -> Option<u64> {
    match reservation {
        MailReservation::Recent(Wait { seconds }) => Some(*seconds),
        _ => None,
    }
}

fn exhausted(reservation: &MailReservation) -> Option<u64> {
    match reservation {
        MailReservation::Exhausted(Wait { seconds }) => Some(*seconds),
        _ => None,
    }
}

fn under_way(reservation: &MailReservation) -> Option<u64> {
    match reservation {
        MailReservation::UnderWay(id) => Some(*id),
        _ => None,
    }
}

fn verify(account: &mut Account, code: &Code, now: Timestamp) -> Verification {
    account.verify(code, OtpTypes::NONE.with(OtpType::Login), now, &policy())
}

#[test]
fn a_code_is_good_only_when_its_mail_was_taken() {
    let mut account = Account::default();
    let mail = reserve(&mut account, 1, NOON);
    assert_ne!(verify(&mut account, &mail.code, NOON), Verification::Accepted);
    assert!(account.settle_mail(&mail));
    assert_eq!(verify(&mut account, &mail.code, NOON), Verification::Accepted);
    assert_ne!(verify(&mut account, &mail.code, NOON), Verification::Accepted);
}

#[test]
fn a_mail_that_failed_leaves_no_code_and_no_wait() {
    let mut account = Account::default();
    let mail = reserve(&mut account, 1, NOON);
    account.withdraw_mail(&mail);
    assert!(!account.settle_mail(&mail), "nor does it become one later");
    assert!(account.login_code.is_none());
    assert_eq!(account.mail_outcome(1, NOON), MailOutcome::Failed);
    send(&mut account, 2, NOON);
}

#[test]
fn a_mail_that_perhaps_came_counts_as_sent_and_its_code_is_no_good_137() {
    let mut account = Account::default();
    let mut doubt = |id, now| {
        let mail = reserve(&mut account, id, now);
        account.doubt_mail(&mail);
        assert!(!account.settle_mail(&mail), "nor does it become one later");
        assert_eq!(account.mail_outcome(id, now), MailOutcome::Failed);
        assert_ne!(verify(&mut account, &mail.code, now), Verification::Accepted);
    };
    for id in 0..5 {
        doubt(id, at(60 * id));
    }
    assert_eq!(exhausted(&try_reserve(&mut account, 6, at(300))), Some(HOUR - 300));
    // Nobody is told to look for the code of the last one, until there is one that is good.
    let mail = reserve(&mut account, 7, at(HOUR));
    account.doubt_mail(&mail);
    assert_eq!(exhausted(&try_reserve(&mut account, 8, at(HOUR + 1))), Some(59));
    send(&mut account, 9, at(HOUR + 60));
    assert_eq!(recent(&try_reserve(&mut account, 10, at(HOUR + 61))), Some(59));
}

#[test]
fn digits_that_were_mailed_again_and_perhaps_came_are_good_no_more() {
    let mut account = Account::default();
    let first = send(&mut account, 1, NOON);
    let again = reserve(&mut account, 2, at(60));
    account.doubt_mail(&again);
    assert_ne!(verify(&mut account, &first.code, at(61)), Verification::Accepted);
    assert_eq!(exhausted(&try_reserve(&mut account, 3, at(61))), Some(59));
    assert_ne!(reserve(&mut account, 3, at(120)).code.as_str(), first.code.as_str());
}

#[test]
fn the_same_digits_are_mailed_again_while_they_are_young_and_live_no_longer_for_it() {
    let mut account = Account::default();
    let first = send(&mut account, 1, NOON);
    assert_eq!(first.expires_at, at(600));
    let again = send(&mut account, 2, at(300));
    assert_eq!((again.code.as_str(), again.expires_at), (first.code.as_str(), at(600)));
    // With less than half of their time left they are not.
    let fresh = send(&mut account, 3, at(361));
    assert_eq!((fresh.code.as_str(), fresh.expires_at), ("000003", at(961)));
    assert_ne!(verify(&mut account, &first.code, at(362)), Verification::Accepted);
    assert_eq!(verify(&mut account, &fresh.code, at(960)), Verification::Accepted);
}

#[test]
fn digits_that_are_spent_or_dead_or_from_a_leaping_clock_are_not_mailed_again() {
    for state in [CodeState::Spent, CodeState::Dead] {
        let mut account = Account::default();
        send(&mut account, 1, NOON);
        account.login_code.as_mut().unwrap().state = state;
        assert_eq!(send(&mut account, 2, at(60)).code.as_str(), "000002");
    }
    let mut account = Account::default();
    send(&mut account, 1, at(10_000));
    assert_eq!(recent(&try_reserve(&mut account, 2, NOON)), Some(60));
    let after = send(&mut account, 2, at(60));
    assert_eq!((after.code.as_str(), after.expires_at), ("000002", at(660)), "the clock went back");
}

#[test]
fn digits_that_are_mailed_again_in_vain_are_good_no_more() {
    let mut account = Account::default();
    let first = send(&mut account, 1, NOON);
    let again = reserve(&mut account, 2, at(60));
    account.withdraw_mail(&again);
    assert_ne!(verify(&mut account, &first.code, at(61)), Verification::Accepted);
}

#[test]
fn a_mail_whose_code_was_replaced_or_killed_meanwhile_counts_as_failed() {
    let mut account = Account::default();
    send(&mut account, 1, NOON);
    let again = reserve(&mut account, 2, at(60));
    account.issue_login_code(code("518226"), at(61), &policy());
    assert!(!account.settle_mail(&again));
    assert_eq!(account.mail_outcome(2, at(61)), MailOutcome::Failed);
    assert_eq!(account.login_code.as_ref().unwrap().code.as_str(), "518226", "support's code stays");

    let mut account = Account::default();
    send(&mut account, 1, NOON);
    let again = reserve(&mut account, 2, at(60));
    account.login_code.as_mut().unwrap().state = CodeState::Dead;
    assert!(!account.settle_mail(&again));
    account.login_code.as_mut().unwrap().state = CodeState::Spent;
    assert_eq!(exhausted(&try_reserve(&mut account, 3, at(61))), Some(59), "it has been sent");
    send(&mut account, 3, at(120));
}

#[test]
fn while_a_mail_is_under_way_no_other_is_sent_and_all_learn_what_became_of_it() {
    let mut account = Account::default();
    let mail = reserve(&mut account, 1, NOON);
    assert_eq!(under_way(&try_reserve(&mut account, 2, at(14))), Some(1));
    assert_eq!(account.mail_outcome(1, at(14)), MailOutcome::StillUnderWay);
    assert_eq!(account.mail_outcome(2, at(14)), MailOutcome::Failed, "nobody has seen that one");
    assert!(account.settle_mail(&mail));
    assert_eq!(account.mail_outcome(1, at(15)), MailOutcome::Sent);
}

#[test]
fn a_place_that_nobody_gave_back_is_free_after_15_seconds_and_no_more_its_owners() {
    let mut account = Account::default();
    let lost = reserve(&mut account, 1, NOON);
    assert_eq!(account.mail_outcome(1, at(15)), MailOutcome::Failed);
    let mail = reserve(&mut account, 2, at(15));
    assert!(!account.settle_mail(&lost));
    account.withdraw_mail(&lost);
    assert!(account.login_code.is_none());
    assert!(account.settle_mail(&mail), "the lost one has taken nothing away");
    assert_eq!(verify(&mut account, &mail.code, at(16)), Verification::Accepted);
}

#[test]
fn a_clock_that_goes_back_keeps_no_place_and_no_wait_for_longer() {
    let mut account = Account::default();
    let mail = reserve(&mut account, 1, at(HOUR));
    assert_eq!(under_way(&try_reserve(&mut account, 2, NOON)), Some(1));
    assert!(account.settle_mail(&mail), "its owner is still there");
    assert_eq!(recent(&try_reserve(&mut account, 3, at(59))), Some(1));
    send(&mut account, 3, at(60));

    let mut account = Account::default();
    reserve(&mut account, 1, at(HOUR));
    try_reserve(&mut account, 2, NOON);
    reserve(&mut account, 3, at(15));

    let mut account = Account::default();
    for id in 1..=5 {
        send(&mut account, id, at(DAY * 30 + id * 60));
    }
    assert_eq!(recent(&try_reserve(&mut account, 6, NOON)), Some(60));
    assert_eq!(exhausted(&try_reserve(&mut account, 6, at(60))), Some(HOUR - 60));
    send(&mut account, 6, at(HOUR));
}

#[test]
fn a_replica_whose_clock_is_behind_sends_none_any_earlier() {
    let behind = |seconds| Timestamp::from_seconds(NOON.seconds() - 20 + seconds);
    let mut account = Account::default();
    send(&mut account, 1, NOON);
    assert_eq!(recent(&try_reserve(&mut account, 2, behind(0))), Some(80));
    assert_eq!(recent(&try_reserve(&mut account, 2, at(59))), Some(1));
    for id in 2..=5 {
        send(&mut account, id, at(60 * id));
    }
    assert_eq!(exhausted(&try_reserve(&mut account, 6, behind(400))), Some(HOUR + 20 - 400));
    assert_eq!(exhausted(&try_reserve(&mut account, 6, at(HOUR - 1))), Some(1));
    send(&mut account, 6, at(HOUR));
    send(&mut account, 7, at(HOUR + 120));
}

#[test]
fn who_asks_a_replica_that_is_behind_while_a_mail_is_under_way_waits_no_shorter_for_the_next() {
    let behind = Timestamp::from_seconds(NOON.seconds() - 60);
    let mut account = Account::default();
    let mail = reserve(&mut account, 1, NOON);
    assert_eq!(under_way(&try_reserve(&mut account, 2, behind)), Some(1));
    assert!(account.settle_mail(&mail));
    assert_eq!(recent(&try_reserve(&mut account, 2, NOON)), Some(60));
}

#[test]
fn within_the_wait_after_a_mail_there_is_no_other_136() {
    let mut account = Account::default();
    send(&mut account, 1, NOON);
    for (seconds, left) in [(0, 60), (1, 59), (59, 1)] {
        assert_eq!(recent(&try_reserve(&mut account, 2, at(seconds))), Some(left));
    }
    send(&mut account, 2, at(60));
    let policy = Policy::new(Settings { login_resend_after_seconds: 120, ..Settings::default() }).unwrap();
    let reservation = account.reserve_mail(3, code("000003"), at(179), &policy);
    assert_eq!(recent(&reservation), Some(1));
}

#[test]
fn five_in_an_hour_and_twenty_in_a_day_and_no_more_137() {
    let mut account = Account::default();
    let mut now = NOON;
    for id in 1..=5 {
        send(&mut account, id, now);
        now = now.plus_seconds(60);
    }
    assert_eq!(exhausted(&try_reserve(&mut account, 6, now)), Some(HOUR - 300));
    assert_eq!(exhausted(&try_reserve(&mut account, 6, at(HOUR - 1))), Some(1));
    send(&mut account, 6, at(HOUR));
    assert_eq!(recent(&try_reserve(&mut account, 7, at(HOUR + 59))), Some(1));

    let mut account = Account::default();
    for id in 0..20 {
        send(&mut account, id, at(id * 1_000));
    }
    assert_eq!(exhausted(&try_reserve(&mut account, 20, at(DAY - 1))), Some(1));
    send(&mut account, 20, at(DAY));
    assert_eq!(exhausted(&try_reserve(&mut account, 21, at(DAY + 60))), Some(940));
    assert!(account.mailing.sent_at.len() <= 20, "older ones are forgotten");
}
