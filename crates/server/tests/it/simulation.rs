//! Replicas, queues and a store whose every step is drawn from a seed: whatever goes wrong in whatever order, no code is accepted
//! twice and no count is forgotten. The loop, turns, seals, decisions and queues are the real ones; the database is simulated.

mod client;
mod database;
mod engine;
mod figures;
mod marks;
mod request;
mod schedule;
mod user;
mod verdict;
mod world;

use crate::harness::seed::asked_for;
use crate::harness::{is_long, tell};
use database::Lapse;
use figures::Figures;
use world::{Outcome, live};

const SEEDS: u64 = 300;
const MANY_SEEDS: u64 = 10_000;
/// By then each lapse has been found.
const SEEDS_OF_A_LAPSE: u64 = 400;

/// The first so many, or the one that is asked for.
fn seeds() -> std::ops::Range<u64> {
    match asked_for() {
        Some(seed) => seed..seed + 1,
        None => 0..if is_long() { MANY_SEEDS } else { SEEDS },
    }
}

/// What the failing of a seed tells, with the history that led to it.
fn told(seed: u64, outcome: &Outcome) -> String {
    let Outcome { attempts, violations, figures } = outcome;
    let history: Vec<_> = attempts.iter().map(ToString::to_string).collect();
    format!(
        "EINMAL_TEST_SEED={seed} repeats it:\n{}\n\n{figures}\n\n{}",
        violations.join("\n"),
        history.join("\n")
    )
}

#[test]
fn whatever_happens_in_whatever_order_no_code_is_accepted_twice_and_no_count_is_forgotten() {
    let mut all = Figures::default();
    for seed in seeds() {
        let outcome = live(seed, None);
        assert!(outcome.violations.is_empty(), "{}", told(seed, &outcome));
        all += outcome.figures;
    }
    tell(&format!("{} seeds: {all}", seeds().count()));
    if asked_for().is_none() {
        // Nothing is proved by worlds in which nothing happens.
        let least = seeds().count() as u64;
        for (count, what) in [
            (all.accepted, "accepted"),
            (all.refused, "refused"),
            (all.throttled, "throttled"),
            (all.unknown, "of unknown outcome"),
            (all.repeated, "tried again"),
            (all.conflicts, "lost rounds"),
            (all.refused_groups, "groups refused"),
            (all.late_writes, "late writes"),
            (all.given_up, "writes given up"),
            (all.unheard, "commits unheard of"),
            (all.failovers, "failovers"),
            (all.lost_writes, "writes lost"),
            (all.crashes, "crashes"),
        ] {
            assert!(count > least / 3, "{count} {what}: {all}");
        }
    }
}

#[test]
fn one_seed_is_one_history() {
    let mut histories = Vec::new();
    for seed in 0..20 {
        let (first, second) = (live(seed, None), live(seed, None));
        assert_eq!(first.attempts, second.attempts, "seed {seed}");
        assert_eq!(first.figures, second.figures, "seed {seed}");
        histories.push(first.attempts);
    }
    assert!(histories.windows(2).all(|two| two[0] != two[1]), "seeds that are different are so");
}

/// By what it does to codes and counts, and not only by what is out of order after it.
fn assert_is_found(lapse: Lapse) {
    let breaks_a_promise =
        |one: &String| one.starts_with("accepted twice") || one.starts_with("the account forgot");
    let is_found = |seed: &u64| live(*seed, Some(lapse)).violations.iter().any(breaks_a_promise);
    let found = (0..SEEDS_OF_A_LAPSE).find(is_found);
    assert!(found.is_some(), "{lapse:?} is not found by {SEEDS_OF_A_LAPSE} seeds");
    tell(&format!("{lapse:?} is found by seed {found:?}"));
}

#[test]
fn a_store_that_answers_before_its_standby_has_the_write_is_found() {
    assert_is_found(Lapse::AnswersBeforeTheStandby);
}

#[test]
fn a_store_whose_deposed_primary_goes_on_answering_is_found() {
    assert_is_found(Lapse::DeposedAnswers);
}

#[test]
fn a_store_that_looks_at_no_version_is_found() {
    assert_is_found(Lapse::LooksAtNoVersion);
}

#[test]
fn a_store_that_tells_a_conflict_as_a_swap_is_found() {
    assert_is_found(Lapse::ConflictIsToldAsSwapped);
}

#[test]
fn a_store_that_settles_an_unknown_outcome_by_reading_is_found() {
    assert_is_found(Lapse::ReadsBack);
}

#[test]
fn a_repeat_that_is_told_without_a_commit_is_found() {
    assert_is_found(Lapse::RepeatsWithoutACommit);
}
