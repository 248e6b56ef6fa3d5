//! Mails in any order, with a clock that may go back: what holds whatever becomes of them.

use super::{DAY, HOUR, policy, try_reserve, verify};
use crate::build::NOON;
use einmal_core::Timestamp;
use einmal_core::account::{Account, MailOutcome, MailReservation, ReservedMail};
use einmal_core::otp::Code;
use einmal_core::policy::Policy;
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Action {
    Reserve,
    /// The oldest mail that somebody still thinks is under way.
    Settle,
    Withdraw {
        perhaps_sent: bool,
    },
    Guess {
        number: u32,
    },
    Wait {
        seconds: i64,
    },
}

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        5 => Just(Action::Reserve),
        4 => Just(Action::Settle),
        1 => any::<bool>().prop_map(|perhaps_sent| Action::Withdraw { perhaps_sent }),
        1 => (0..40_u32).prop_map(|number| Action::Guess { number }),
        5 => prop_oneof![0..20_i64, 0..700_i64, 0..20_000_i64].prop_map(|seconds| Action::Wait { seconds }),
        1 => prop_oneof![-60..0_i64, -4_000..0_i64].prop_map(|seconds| Action::Wait { seconds }),
    ]
}

fn has_place(account: &Account, id: u64) -> bool {
    account.mailing.under_way.is_some_and(|sending| sending.id == id)
}

proptest! {
    #[test]
    fn of_any_history_no_two_mails_are_under_way_and_no_code_outlives_its_time(
        actions in prop::collection::vec(action(), 1..120),
    ) {
        let policy = policy();
        let mut account = Account::default();
        let mut now = NOON;
        let mut latest = now;
        let mut has_leapt = false;
        let mut held: Vec<(u64, ReservedMail, Timestamp)> = Vec::new();
        // Those that were sent, or perhaps were, while they had their place.
        let mut sent: Vec<Timestamp> = Vec::new();
        for (id, action) in (1..).zip(actions) {
            match action {
                Action::Wait { seconds } => {
                    now = Timestamp::from_seconds(now.seconds().saturating_add_signed(seconds));
                    latest = latest.max(now);
                    has_leapt |= latest.seconds_since(now) > 60;
                }
                Action::Guess { number } => {
                    verify(&mut account, &Code::from_number(number, 6), now);
                }
                Action::Reserve => {
                    let before = account.mailing.under_way;
                    if let MailReservation::Granted(mail) = try_reserve(&mut account, id, now) {
                        // Of one that was there before, the time is over.
                        let is_over = |since: Timestamp| now.seconds_since(since) >= Policy::MAIL_PLACE_SECONDS;
                        prop_assert!(before.is_none_or(|sending| is_over(sending.since)));
                        prop_assert!(mail.expires_at <= now.plus_seconds(policy.login_code_ttl_seconds));
                        held.push((id, mail, now));
                    }
                }
                Action::Settle if !held.is_empty() => {
                    let (id, mail, reserved_at) = held.remove(0);
                    sent.extend(has_place(&account, id).then_some(reserved_at));
                    if account.settle_mail(&mail) {
                        let login = account.login_code.as_ref().unwrap();
                        prop_assert_eq!(login.code.as_str(), mail.code.as_str());
                        prop_assert!(login.expires_at <= mail.expires_at);
                        prop_assert_eq!(account.mail_outcome(account.mailing.last.unwrap(), now), MailOutcome::Sent);
                    }
                }
                Action::Withdraw { perhaps_sent: false } if !held.is_empty() => {
                    account.withdraw_mail(&held.remove(0).1);
                }
                Action::Withdraw { .. } if !held.is_empty() => {
                    let (id, mail, reserved_at) = held.remove(0);
                    sent.extend(has_place(&account, id).then_some(reserved_at));
                    account.doubt_mail(&mail);
                }
                Action::Settle | Action::Withdraw { .. } => {}
            }
            prop_assert!(account.mailing.sent_at.len() <= Policy::MAILS_A_DAY);
            // As long as no clock was further behind another than those of replicas are, the caps hold for every window.
            if latest == now && !has_leapt {
                let within = |seconds| sent.iter().filter(|at| now.seconds_since(**at) < seconds).count();
                prop_assert!(within(HOUR) <= Policy::MAILS_AN_HOUR);
                prop_assert!(within(DAY) <= Policy::MAILS_A_DAY);
            }
        }
    }
}
