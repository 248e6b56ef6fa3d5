//! The judge of histories is judged: it lets pass what may be, and finds each thing that may not.

use crate::harness::history::{Answer, Asked, Attempt, CodeId, History, Outage, Violation, judge};
use std::time::Duration;

const ALICE: usize = 0;
const BOB: usize = 1;
const TARGET: usize = 2;

fn code(account: usize, step: u64) -> Asked {
    Asked::Right(CodeId { account, step })
}

/// From one second to another.
fn attempt(asked: Asked, started: u64, ended: u64, answer: Answer) -> Attempt {
    let [started, ended] = [started, ended].map(Duration::from_secs);
    Attempt { asked, target: TARGET, started, ended, answer }
}

/// With an outage of their target from 100 to 200.
fn judged(attempts: &[Attempt]) -> Vec<Violation> {
    let [from, until] = [100, 200].map(Duration::from_secs);
    judge(attempts, &[Outage { target: TARGET, from, until }])
}

fn assert_may_be(attempts: &[Attempt]) {
    assert_eq!(judged(attempts), []);
}

#[test]
fn accepted_once_and_refused_ever_after_may_be() {
    assert_may_be(&[]);
    assert_may_be(&[
        attempt(code(ALICE, 7), 1, 2, Answer::Accepted),
        attempt(code(ALICE, 7), 3, 4, Answer::Refused),
        attempt(code(ALICE, 8), 5, 6, Answer::Accepted),
        attempt(code(ALICE, 7), 7, 8, Answer::Refused),
        attempt(code(BOB, 7), 7, 8, Answer::Accepted),
        attempt(Asked::Wrong { account: BOB }, 9, 9, Answer::Refused),
    ]);
}

#[test]
fn what_is_unknown_may_have_happened_or_not() {
    for unknown in [Answer::Unavailable, Answer::Broken] {
        let first = attempt(code(ALICE, 7), 101, 110, unknown);
        assert_may_be(&[first, attempt(code(ALICE, 7), 120, 121, Answer::Refused)]);
        assert_may_be(&[
            first,
            attempt(code(ALICE, 7), 120, 121, Answer::Accepted),
            attempt(code(ALICE, 7), 130, 131, Answer::Refused),
        ]);
    }
}

#[test]
fn of_two_at_the_same_time_either_may_come_first() {
    let (accepted, refused) =
        (attempt(code(ALICE, 7), 5, 9, Answer::Accepted), attempt(code(ALICE, 7), 4, 6, Answer::Refused));
    assert_may_be(&[accepted, refused]);
    // A later step may have come first, too, and has spent the earlier one.
    assert_may_be(&[
        attempt(code(ALICE, 8), 5, 9, Answer::Accepted),
        attempt(code(ALICE, 7), 4, 6, Answer::Refused),
    ]);
    assert_may_be(&[
        attempt(code(ALICE, 8), 5, 9, Answer::Accepted),
        attempt(code(ALICE, 7), 4, 6, Answer::Accepted),
    ]);
}

#[test]
fn a_code_that_is_accepted_twice_is_found() {
    let (first, second) =
        (attempt(code(ALICE, 7), 1, 2, Answer::Accepted), attempt(code(ALICE, 7), 3, 4, Answer::Accepted));
    // In whatever order they were written down, at the same time, and with whatever there is in between.
    assert_eq!(judged(&[first, second]), [Violation::AcceptedTwice(first, second)]);
    assert_eq!(judged(&[second, first]), [Violation::AcceptedTwice(first, second)]);
    let beside = attempt(code(ALICE, 7), 1, 4, Answer::Accepted);
    assert_eq!(judged(&[first, beside]), [Violation::AcceptedTwice(first, beside)]);
    let refused = attempt(code(ALICE, 7), 2, 3, Answer::Refused);
    assert_eq!(judged(&[first, refused, second]), [Violation::AcceptedTwice(first, second)]);
}

#[test]
fn a_code_of_unknown_outcome_that_is_then_accepted_twice_is_found() {
    let (first, second) = (
        attempt(code(ALICE, 7), 120, 121, Answer::Accepted),
        attempt(code(ALICE, 7), 150, 151, Answer::Accepted),
    );
    let unknown = attempt(code(ALICE, 7), 101, 110, Answer::Unavailable);
    assert_eq!(judged(&[unknown, first, second]), [Violation::AcceptedTwice(first, second)]);
}

#[test]
fn an_earlier_step_that_is_accepted_after_a_later_one_is_found() {
    let (later, earlier) =
        (attempt(code(ALICE, 8), 1, 2, Answer::Accepted), attempt(code(ALICE, 7), 3, 4, Answer::Accepted));
    assert_eq!(judged(&[later, earlier]), [Violation::WentBack { later, earlier }]);
}

#[test]
fn a_wrong_code_that_is_accepted_is_found() {
    let accepted = attempt(Asked::Wrong { account: ALICE }, 1, 2, Answer::Accepted);
    assert_eq!(judged(&[accepted]), [Violation::AcceptedWrong(accepted)]);
}

#[test]
fn a_right_code_that_is_refused_without_a_reason_is_found() {
    let refused = attempt(code(ALICE, 7), 5, 6, Answer::Refused);
    let found = [Violation::RefusedForNothing(refused)];
    assert_eq!(judged(&[refused]), found);
    // Neither an earlier step nor another account nor what came afterwards is one, nor another refusal.
    assert_eq!(judged(&[attempt(code(ALICE, 6), 1, 2, Answer::Accepted), refused]), found);
    assert_eq!(judged(&[attempt(code(BOB, 7), 1, 2, Answer::Accepted), refused]), found);
    assert_eq!(judged(&[refused, attempt(code(ALICE, 7), 7, 8, Answer::Accepted)]), found);
    assert_eq!(judged(&[refused, refused]).len(), 2);
}

#[test]
fn an_answer_that_nobody_should_get_is_found_in_an_outage_too() {
    for status in [200, 401, 500, 502] {
        let odd = attempt(code(ALICE, 7), 120, 121, Answer::of(status, false));
        assert_eq!(judged(&[odd]), [Violation::Unexpected(odd)]);
    }
}

#[test]
fn what_is_unavailable_while_nothing_is_wrong_is_found() {
    for unknown in [Answer::Unavailable, Answer::Broken] {
        for (started, ended) in [(50, 99), (201, 300)] {
            let early_or_late = attempt(code(ALICE, 7), started, ended, unknown);
            assert_eq!(judged(&[early_or_late]), [Violation::NoOutage(early_or_late)]);
        }
        // What reaches into the outage has its reason.
        for (started, ended) in [(50, 101), (199, 300), (50, 300)] {
            let within = attempt(code(ALICE, 7), started, ended, unknown);
            assert_may_be(&[within]);
            let elsewhere = Attempt { target: 1, ..within };
            assert_eq!(judged(&[elsewhere]), [Violation::NoOutage(elsewhere)]);
        }
    }
}

fn guesses(count: u64, answer: Answer) -> Vec<Attempt> {
    (1..=count).map(|second| attempt(Asked::Wrong { account: ALICE }, second, second + 1, answer)).collect()
}

#[test]
fn five_guesses_and_then_waits_may_be() {
    let wait = |second| attempt(Asked::Wrong { account: ALICE }, second, second + 1, Answer::Throttled);
    assert_may_be(&[guesses(5, Answer::Refused), vec![wait(7), wait(8)]].concat());
    // A right code is not looked at, either.
    let right = attempt(code(ALICE, 7), 9, 10, Answer::Throttled);
    assert_may_be(&[guesses(5, Answer::Refused), vec![right]].concat());
    // After 30 s one more, and after a success five more.
    let late = attempt(Asked::Wrong { account: ALICE }, 40, 41, Answer::Refused);
    assert_may_be(&[guesses(5, Answer::Refused), vec![late]].concat());
    let success = attempt(code(ALICE, 7), 6, 6, Answer::Accepted);
    assert_may_be(&[guesses(4, Answer::Refused), vec![success], guesses(5, Answer::Refused)].concat());
    // What nobody answered may have been counted.
    let mut unknown = guesses(5, Answer::Refused);
    unknown[4] = attempt(Asked::Wrong { account: ALICE }, 101, 102, Answer::Broken);
    assert_may_be(&[unknown, vec![wait(103)]].concat());
}

#[test]
fn guesses_that_were_forgotten_are_found() {
    let found = [Violation::TooManyGuesses { account: ALICE, evaluated: 6, allowed: 5 }];
    assert_eq!(judged(&guesses(6, Answer::Refused)), found);
    // The waits grow: 30 s and then 60 s.
    let late =
        [40, 60].map(|second| attempt(Asked::Wrong { account: ALICE }, second, second, Answer::Refused));
    let found = [Violation::TooManyGuesses { account: ALICE, evaluated: 7, allowed: 6 }];
    assert_eq!(judged(&[guesses(5, Answer::Refused), late.to_vec()].concat()), found);
}

#[test]
fn a_wait_without_a_reason_is_found() {
    let throttled = attempt(code(ALICE, 7), 7, 8, Answer::Throttled);
    let found = [Violation::ThrottledForNothing(throttled)];
    assert_eq!(judged(&[guesses(4, Answer::Refused), vec![throttled]].concat()), found);
    let of_bob = attempt(code(BOB, 7), 7, 8, Answer::Throttled);
    let found = [Violation::ThrottledForNothing(of_bob)];
    assert_eq!(judged(&[guesses(5, Answer::Refused), vec![of_bob]].concat()), found);
}

#[test]
fn a_code_that_may_have_left_its_window_may_be_refused_and_not_accepted_twice() {
    let Asked::Right(id) = code(ALICE, 7) else { unreachable!() };
    let stale = |started, answer| attempt(Asked::Stale(id), started, started + 1, answer);
    assert_may_be(&[stale(1, Answer::Refused), stale(3, Answer::Accepted)]);
    let (first, second) = (stale(1, Answer::Accepted), stale(3, Answer::Accepted));
    assert_eq!(judged(&[first, second]), [Violation::AcceptedTwice(first, second)]);
    let right = attempt(code(ALICE, 7), 5, 6, Answer::Accepted);
    assert_eq!(judged(&[first, right]), [Violation::AcceptedTwice(first, right)]);
}

#[tokio::test]
async fn a_history_has_every_request_with_its_answer() {
    let history = History::new();
    let asked = code(BOB, 9);
    let answer = history.record(asked, 2, async { Answer::of(503, true) }).await;
    assert_eq!(answer, Answer::Unavailable);
    let attempts = history.attempts();
    let [attempt] = attempts.as_slice() else { panic!("{attempts:?}") };
    assert_eq!((attempt.asked, attempt.target, attempt.answer), (asked, 2, Answer::Unavailable));
    assert!(attempt.started <= attempt.ended && attempt.ended <= history.now());
}
