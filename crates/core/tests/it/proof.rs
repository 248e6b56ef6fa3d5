//! PIN and password: what is counted, when it is given back, and when a PIN dies.

use crate::build::NOON;
use einmal_core::account::{Account, ProofKind, Reservation, Reserved, StoredHash, Wait};
use einmal_core::policy::{Policy, Settings};
use proptest::prelude::*;

const PIN: &str = "pin";
const PASSWORD: &str = "password";

fn account() -> Account {
    Account {
        pin: Some(StoredHash::new(PIN)),
        password: Some(StoredHash::new(PASSWORD)),
        ..Account::default()
    }
}

fn policy() -> Policy {
    Policy::default()
}

fn reserve(account: &mut Account, kind: ProofKind) -> Reserved {
    match account.reserve(kind, NOON, &policy()) {
        Reservation::Granted(reserved) => reserved,
        Reservation::Throttled(wait) => panic!("throttled: {wait:?}"),
    }
}

#[test]
fn an_attempt_is_counted_before_anything_is_compared() {
    for mut account in [account(), Account::default()] {
        for failures in 1..=5 {
            reserve(&mut account, ProofKind::Pin);
            assert_eq!(account.pin_throttle.failures, failures);
        }
        let sixth = account.reserve(ProofKind::Pin, NOON, &policy());
        assert!(matches!(sixth, Reservation::Throttled(Wait { seconds: 30 })));
        assert_eq!(account.pin_throttle.failures, 5);
        assert_eq!((account.password_throttle.failures, account.otp_throttle.failures), (0, 0));
    }
}

#[test]
fn a_right_attempt_gives_back_itself_and_those_before_it() {
    let mut account = account();
    reserve(&mut account, ProofKind::Password);
    reserve(&mut account, ProofKind::Password);
    let right = reserve(&mut account, ProofKind::Password);
    assert_eq!(right.hash.as_ref().map(StoredHash::as_str), Some(PASSWORD));
    assert!(account.settle(&right, None, &policy()));
    assert_eq!(account.password_throttle.failures, 0);
}

#[test]
fn guesses_beside_a_right_attempt_stay_counted() {
    let mut account = account();
    let right = reserve(&mut account, ProofKind::Pin);
    for _ in 0..4 {
        reserve(&mut account, ProofKind::Pin);
    }
    assert!(account.settle(&right, None, &policy()));
    assert_eq!(account.pin_throttle.failures, 4);
    assert!(account.has_live_pin(), "the owner's success came before them");
    reserve(&mut account, ProofKind::Pin);
    assert!(!account.has_live_pin());
    assert!(matches!(account.reserve(ProofKind::Pin, NOON, &policy()), Reservation::Throttled(_)));
}

#[test]
fn a_pin_dies_of_five_failures_however_many_are_free_and_does_not_come_back() {
    let policy = Policy::new(Settings { free_failures: 10, ..Settings::default() }).unwrap();
    let mut account = account();
    for _ in 0..5 {
        let Reservation::Granted(reserved) = account.reserve(ProofKind::Pin, NOON, &policy) else { panic!() };
        assert!(reserved.hash.is_some());
    }
    let Reservation::Granted(reserved) = account.reserve(ProofKind::Pin, NOON, &policy) else { panic!() };
    assert!(reserved.hash.is_none(), "nothing to compare with: as if none were set");
    assert!(!account.settle(&reserved, None, &policy));
    account.unlock(NOON);
    assert!(!account.has_live_pin());
}

#[test]
fn what_was_compared_must_still_be_the_accounts() {
    for change in [
        |account: &mut Account| account.pin = Some(StoredHash::new("another")),
        |account: &mut Account| account.pin = None,
        |account: &mut Account| *account = Account::default(),
    ] {
        let mut account = account();
        let right = reserve(&mut account, ProofKind::Pin);
        change(&mut account);
        assert!(!account.settle(&right, Some(&StoredHash::new("rehashed")), &policy()));
        assert!(account.pin.as_ref().is_none_or(|pin| pin.as_str() == "another"));
    }
    let mut account = Account::default();
    let nothing = reserve(&mut account, ProofKind::Password);
    assert!(!account.settle(&nothing, None, &policy()), "none set is no match for none set");
}

#[test]
fn a_better_hash_takes_the_old_ones_place() {
    let mut account = account();
    let right = reserve(&mut account, ProofKind::Password);
    assert!(account.settle(&right, Some(&StoredHash::new("rehashed")), &policy()));
    assert_eq!(account.password.as_ref().map(StoredHash::as_str), Some("rehashed"));
    assert_eq!(account.pin.as_ref().map(StoredHash::as_str), Some(PIN));
}

#[test]
fn a_success_takes_off_the_wait_that_its_own_count_brought() {
    let mut account = account();
    for _ in 0..4 {
        reserve(&mut account, ProofKind::Password);
    }
    let fifth = reserve(&mut account, ProofKind::Password);
    assert!(matches!(account.reserve(ProofKind::Password, NOON, &policy()), Reservation::Throttled(_)));
    assert!(account.settle(&fifth, None, &policy()));
    reserve(&mut account, ProofKind::Password);
}

#[test]
fn what_the_issuer_judges_is_counted_as_passwords_are_and_no_hash_says_anything_about_it() {
    for mut account in [account(), Account::default()] {
        let before = account.password.clone();
        let local = reserve(&mut account, ProofKind::Password);
        let asked = reserve(&mut account, ProofKind::PasswordAtIssuer);
        assert!(asked.hash.is_none());
        assert_eq!((account.password_throttle.failures, account.pin_throttle.failures), (2, 0));
        account.password = Some(StoredHash::new("set meanwhile"));
        assert!(account.settle(&asked, None, &policy()));
        assert_eq!(account.password_throttle.failures, 0);
        account.password = before;
        assert_eq!(account.settle(&local, None, &policy()), local.hash.is_some());
    }
}

#[test]
fn what_was_not_looked_at_is_taken_back_alone_and_with_the_wait_it_brought() {
    let mut account = account();
    for failures in 0..20 {
        let before = account.password_throttle.clone();
        let mut now = NOON.plus_seconds(100_000 * failures);
        let not_judged = match account.reserve(ProofKind::PasswordAtIssuer, now, &policy()) {
            Reservation::Granted(reserved) => reserved,
            Reservation::Throttled(wait) => panic!("throttled: {wait:?}"),
        };
        now = now.plus_seconds(5);
        account.withdraw(&not_judged, &policy());
        assert_eq!(account.password_throttle.failures, before.failures);
        assert!(account.password_throttle.wait(now, &policy()).is_none(), "after {failures} failures");
        assert!(matches!(
            account.reserve(ProofKind::PasswordAtIssuer, now, &policy()),
            Reservation::Granted(_)
        ));
    }
}

#[test]
fn what_was_not_looked_at_takes_no_wait_away_that_a_guess_has_brought() {
    let mut account = account();
    let not_judged = reserve(&mut account, ProofKind::PasswordAtIssuer);
    for _ in 0..4 {
        reserve(&mut account, ProofKind::PasswordAtIssuer);
    }
    // Once more after the wait: the sixth in a row.
    let later = NOON.plus_seconds(30);
    assert!(matches!(
        account.reserve(ProofKind::PasswordAtIssuer, later, &policy()),
        Reservation::Granted(_)
    ));
    account.withdraw(&not_judged, &policy());
    assert_eq!(account.password_throttle.failures, 5);
    assert!(matches!(
        account.reserve(ProofKind::PasswordAtIssuer, later, &policy()),
        Reservation::Throttled(_)
    ));
}

/// Somebody else's guess, the owner's attempt, or what became of one of the owner's attempts, in any order.
#[derive(Clone, Debug)]
enum Event {
    Guess,
    Right,
    Settled(prop::sample::Index),
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        4 => Just(Event::Guess),
        2 => Just(Event::Right),
        2 => any::<prop::sample::Index>().prop_map(Event::Settled),
    ]
}

proptest! {
    /// Also where successes overlap.
    #[test]
    fn between_two_successes_at_most_five_guesses_are_compared(events in prop::collection::vec(event(), 1..200)) {
        let (mut account, mut now, mut under_way, mut guesses) = (account(), NOON, Vec::new(), 0);
        for event in events {
            now = now.plus_seconds(3_600);
            match event {
                Event::Settled(which) if !under_way.is_empty() => {
                    let right: Reserved = under_way.swap_remove(which.index(under_way.len()));
                    if account.settle(&right, None, &policy()) {
                        guesses = 0;
                    }
                }
                Event::Settled(_) => {}
                Event::Guess | Event::Right => {
                    let Reservation::Granted(reserved) = account.reserve(ProofKind::Pin, now, &policy()) else {
                        continue;
                    };
                    match event {
                        Event::Right => under_way.push(reserved),
                        _ => guesses += u32::from(reserved.hash.is_some()),
                    }
                    prop_assert!(guesses <= Policy::PIN_FAILURES);
                }
            }
        }
    }

    /// Attempts of which some are judged wrong and some not at all, in any order and however many at once.
    #[test]
    fn what_stays_counted_is_exactly_what_was_judged(events in prop::collection::vec(event(), 1..200)) {
        let (mut account, mut now, mut under_way, mut judged) = (Account::default(), NOON, Vec::new(), 0);
        for event in events {
            now = now.plus_seconds(3_600);
            match event {
                Event::Settled(which) if !under_way.is_empty() => {
                    let not_judged: Reserved = under_way.swap_remove(which.index(under_way.len()));
                    account.withdraw(&not_judged, &policy());
                }
                Event::Settled(_) => {}
                Event::Guess | Event::Right => {
                    let Reservation::Granted(reserved) =
                        account.reserve(ProofKind::PasswordAtIssuer, now, &policy())
                    else {
                        continue;
                    };
                    match event {
                        Event::Right => under_way.push(reserved),
                        _ => judged += 1,
                    }
                }
            }
            let counted = usize::try_from(account.password_throttle.failures).unwrap();
            prop_assert_eq!(counted, judged + under_way.len());
        }
    }

    /// Guesses at one moment, beside successes and attempts that are not judged.
    #[test]
    fn a_success_is_worth_twice_the_free_failures_at_most_whatever_is_withdrawn(
        events in prop::collection::vec((event(), any::<bool>()), 1..300),
    ) {
        let (mut account, mut under_way, mut guesses, mut successes) = (Account::default(), Vec::new(), 0, 0);
        for (event, is_judged) in events {
            match event {
                Event::Settled(which) if !under_way.is_empty() => {
                    let reserved: Reserved = under_way.swap_remove(which.index(under_way.len()));
                    if is_judged {
                        prop_assert!(account.settle(&reserved, None, &policy()));
                        successes += 1;
                    } else {
                        account.withdraw(&reserved, &policy());
                    }
                }
                Event::Settled(_) => {}
                Event::Guess | Event::Right => {
                    match (account.reserve(ProofKind::PasswordAtIssuer, NOON, &policy()), event) {
                        (Reservation::Granted(reserved), Event::Right) => under_way.push(reserved),
                        (Reservation::Granted(_), _) => guesses += 1,
                        (Reservation::Throttled(_), _) => {}
                    }
                }
            }
            prop_assert!(guesses <= 2 * policy().free_failures * (successes + 1));
        }
    }
}
