//! Properties over random histories: whatever is tried, in whatever order, with a clock that may leap.

use crate::build::{NOON, code_of, credential, issued};
use einmal_core::Timestamp;
use einmal_core::account::{Account, Confirmation, Credential, OtpType, OtpTypes, Refusal, Verification};
use einmal_core::otp::{Code, Parameters};
use einmal_core::policy::Policy;
use proptest::prelude::*;
use std::collections::HashSet;

#[derive(Clone, Debug)]
enum Action {
    /// A right code of credential `index`, `offset` steps from the clock.
    Totp {
        index: usize,
        offset: i64,
    },
    /// The `account` or the `login` code.
    Issued {
        login: bool,
    },
    Guess {
        number: u32,
        digits: u8,
    },
    /// The clock moves, mostly forward.
    Wait {
        seconds: i64,
    },
}

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        4 => (0..3_usize, -4..=4_i64).prop_map(|(index, offset)| Action::Totp { index, offset }),
        1 => any::<bool>().prop_map(|login| Action::Issued { login }),
        4 => (0..100_000_000_u32, 6..=8_u8).prop_map(|(number, digits)| Action::Guess { number, digits }),
        3 => prop_oneof![0..100_i64, 0..4_000_i64, -4_000..0_i64].prop_map(|seconds| Action::Wait { seconds }),
    ]
}

fn types() -> impl Strategy<Value = OtpTypes> {
    prop::collection::vec(prop::sample::select(OtpType::ALL.to_vec()), 1..4)
        .prop_map(|kinds| kinds.into_iter().collect())
}

/// Two devices, an authenticator with the first device's secret, and both kinds of codes.
fn account() -> Account {
    Account {
        devices: vec![credential(1, 6), credential(2, 8)],
        authenticators: vec![credential(1, 6)],
        account_code: Some(issued("402913", 300)),
        login_code: Some(issued("518226", 600)),
        ..Account::default()
    }
}

fn moved(now: Timestamp, seconds: i64) -> Timestamp {
    Timestamp::from_seconds(now.seconds().saturating_add_signed(seconds))
}

fn offered(account: &Account, action: &Action, now: Timestamp) -> Option<Code> {
    match action {
        Action::Totp { index, offset } => {
            account.credentials().nth(*index).map(|(_, credential)| code_of(credential, now, *offset))
        }
        Action::Issued { login } => {
            let issued = if *login { &account.login_code } else { &account.account_code };
            issued.as_ref().map(|issued| issued.code.clone())
        }
        Action::Guess { number, digits } => Some(Code::from_number(*number, *digits)),
        Action::Wait { .. } => None,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_code_is_accepted_twice_and_steps_only_go_forward(history in prop::collection::vec((action(), types()), 1..60)) {
        let policy = Policy::default();
        let mut account = account();
        let mut now = NOON;
        let mut accepted = HashSet::new();
        for (action, types) in history {
            if let Action::Wait { seconds } = action { now = moved(now, seconds); }
            let Some(code) = offered(&account, &action, now) else { continue };
            let before = account.clone();
            let outcome = account.verify(&code, types, now, &policy);
            for ((_, new), (_, old)) in account.credentials().zip(before.credentials()) {
                prop_assert!(new.progress.last_step >= old.progress.last_step);
            }
            if outcome == Verification::Accepted {
                // A code is known by its digits and by the steps at which they are right.
                let steps: Vec<_> = account.credentials().map(|(_, c)| c.progress.last_step).collect();
                prop_assert!(accepted.insert((code.as_str().to_owned(), steps)));
                let again = account.clone().verify(&code, OtpTypes::ALL, now, &policy);
                prop_assert!(again != Verification::Accepted, "accepted again: {action:?}");
            }
        }
    }

    #[test]
    fn no_step_of_a_secret_is_accepted_twice_wherever_it_is_enrolled(history in prop::collection::vec((action(), types()), 1..60)) {
        let policy = Policy::default();
        let mut account = account();
        let (mut now, mut accepted) = (NOON, HashSet::new());
        for (action, types) in history {
            if let Action::Wait { seconds } = action { now = moved(now, seconds / 20); }
            let Action::Totp { index, offset } = action else { continue };
            let (_, credential) = account.credentials().nth(index).unwrap();
            let step = credential.totp.step_at(now).saturating_add_signed(offset);
            let (secret, code) = (credential.totp.secret().clone(), credential.totp.code_at(step));
            if account.verify(&code, types, now, &policy) == Verification::Accepted {
                prop_assert!(accepted.insert((secret.bytes().to_vec(), step)), "{action:?}");
            }
            prop_assert_eq!(&account.devices[0].progress, &account.authenticators[0].progress);
            account.otp_throttle.clear();
        }
    }

    #[test]
    fn a_secret_that_is_used_in_several_ways_gives_no_code_that_is_good_twice(history in prop::collection::vec((0..5_usize, -4..=4_i64, types(), 0..90_u64), 1..60)) {
        let policy = Policy::default();
        let with = |parameters| { let one = credential(1, 8); Credential { totp: one.totp.with_parameters(parameters), ..one } };
        // Eight digits, so that no code is another's by chance.
        let mut ways = Parameters::of_apps().filter(|one| one.digits() == 8).map(with);
        let mut account = Account { devices: ways.by_ref().take(3).collect(), authenticators: ways.collect(), ..Account::default() };
        let (mut now, mut accepted) = (NOON, HashSet::new());
        for (index, offset, types, pause) in history {
            now = now.plus_seconds(pause);
            let code = code_of(account.credentials().nth(index).unwrap().1, now, offset);
            if account.verify(&code, types, now, &policy) == Verification::Accepted {
                prop_assert!(accepted.insert(code.as_str().to_owned()));
            }
            account.otp_throttle.clear();
        }
    }

    #[test]
    fn an_issued_code_is_accepted_at_most_once_and_expiry_is_final(history in prop::collection::vec((action(), types()), 1..60)) {
        let policy = Policy::default();
        let mut account = account();
        let (mut now, mut accepted, mut seen_expired) = (NOON, 0, false);
        for (action, types) in history {
            if let Action::Wait { seconds } = action { now = moved(now, seconds); }
            let Some(code) = offered(&account, &action, now) else { continue };
            let outcome = account.verify(&code, types, now, &policy);
            if matches!(outcome, Verification::Throttled(_)) { continue }
            seen_expired |= now >= NOON.plus_seconds(600);
            if matches!(action, Action::Issued { login: true }) && outcome == Verification::Accepted {
                accepted += 1;
                prop_assert!(!seen_expired && types.contains(OtpType::Login));
            }
        }
        prop_assert!(accepted <= 1);
    }

    #[test]
    fn a_replay_is_refused_and_changes_no_count(offset in -1..=1_i64, later in 0..30_u64, failures in 0..5_u32) {
        let policy = Policy::default();
        let mut account = account();
        let code = code_of(&account.devices[0], NOON, offset);
        prop_assert_eq!(account.verify(&code, OtpTypes::ALL, NOON, &policy), Verification::Accepted);
        account.otp_throttle.failures = failures;
        let before = account.clone();
        let outcome = account.verify(&code, OtpTypes::ALL, NOON.plus_seconds(later), &policy);
        prop_assert_eq!(outcome, Verification::Refused(Refusal::Replayed));
        prop_assert_eq!(&account.otp_throttle, &before.otp_throttle);
        for ((_, new), (_, old)) in account.credentials().zip(before.credentials()) {
            prop_assert_eq!(&new.progress, &old.progress);
        }
    }

    #[test]
    fn never_more_than_the_budget_is_evaluated(
        skew in 0..=5_u8, drift in -2..=2_i8, guesses in 20..=1_000_u32, digits in 6..=8_u8,
        pauses in prop::collection::vec(0..4_000_u64, 0..400),
    ) {
        let settings = einmal_core::policy::Settings { skew_steps: skew, guesses: guesses.into(), ..Default::default() };
        let policy = Policy::new(settings).unwrap();
        let mut account = Account { devices: vec![credential(1, digits)], ..Account::default() };
        account.devices[0].progress.drift = drift;
        let (mut now, mut odds) = (NOON, 0.0);
        let steps = 2 * u32::from(skew) + 1 + u32::from(drift.unsigned_abs());
        for pause in pauses {
            now = now.plus_seconds(pause);
            let wrong = crate::build::wrong_code(&account, now, digits);
            if account.verify(&wrong, OtpTypes::ALL, now, &policy) == Verification::Refused(Refusal::Wrong) {
                odds += f64::from(steps) / 10_f64.powi(digits.into());
            }
        }
        prop_assert!(odds <= f64::from(guesses) * 1e-6 + 1e-12, "odds {odds}");
        prop_assert!(account.devices[0].progress.failures <= 100);
    }

    #[test]
    fn every_matching_credential_is_spent(offset in -1..=1_i64, types in types()) {
        let policy = Policy::default();
        let mut account = account();
        let code = code_of(&account.devices[0], NOON, offset);
        if account.verify(&code, types, NOON, &policy) == Verification::Accepted {
            prop_assert!(account.devices[0].progress.last_step.is_some());
            prop_assert_eq!(account.devices[0].progress.last_step, account.authenticators[0].progress.last_step);
        }
    }

    #[test]
    fn a_step_of_a_new_secret_is_a_success_once_be_it_to_confirm_or_to_verify(
        history in prop::collection::vec((any::<bool>(), -3..=3_i64, 0..40_u64), 1..40),
    ) {
        let policy = Policy::default();
        // Nothing beside it and eight digits, so that no code is right by chance.
        let mut account = Account::default();
        let pending = credential(7, 8);
        account.begin_authenticator(pending.id, None, pending.totp.clone(), NOON);
        let (mut now, mut wrong, mut last) = (NOON, 0, None);
        for (confirms, offset, pause) in history {
            now = now.plus_seconds(pause);
            let step = pending.totp.step_at(now).saturating_add_signed(offset);
            let code = pending.totp.code_at(step);
            let was_live = !account.authenticators.is_empty();
            let is_success = if confirms {
                let outcome = account.confirm_authenticator(pending.id, &code, now, &policy);
                wrong += u32::from(matches!(outcome, Confirmation::Wrong | Confirmation::NearMiss(_)));
                prop_assert!(wrong <= Policy::PENDING_FAILURES);
                prop_assert!(outcome == Confirmation::NotPending || !was_live);
                outcome == Confirmation::Confirmed
            } else {
                let outcome = account.verify(&code, OtpTypes::ALL, now, &policy);
                account.otp_throttle.clear();
                prop_assert!(outcome != Verification::Accepted || was_live, "pending codes are good for nothing");
                outcome == Verification::Accepted
            };
            if is_success {
                prop_assert!(wrong < Policy::PENDING_FAILURES && last.is_none_or(|last| step > last));
                last = Some(step);
            }
            prop_assert_eq!(!account.authenticators.is_empty(), last.is_some());
        }
    }
}
