//! Whether classes of durations can be told apart, as dudect asks it (Reparaz, Balasch, Verbauwhede 2017): by Welch's t, of all
//! samples and of what is left when slow ones are cropped. Must not judge by one round alone: machines are noisy, and a
//! difference that is there is there again.

use std::collections::BTreeMap;

/// Beyond it two classes are different; by chance about once in 150,000 comparisons.
const DIFFERENT: f64 = 4.5;
const ROUNDS: u64 = 3;

/// What was measured in a round, in nanoseconds, by class.
pub(super) type Samples = Vec<Vec<u64>>;

/// Of a thousand samples of both classes together: the slower ones are dropped.
const CROPS: [usize; 6] = [500, 750, 900, 950, 990, 1_000];

/// The pairs of classes that could be told apart in each of three rounds, in the same direction. `measure` is given the
/// number of the round, as a seed. Prints what it finds.
pub(super) fn told_apart(names: &[&str], mut measure: impl FnMut(u64) -> Samples) -> Vec<String> {
    let mut suspects: BTreeMap<(usize, usize), f64> = BTreeMap::new();
    for round in 0..ROUNDS {
        let samples = measure(round);
        let mut found = BTreeMap::new();
        for (one, other) in pairs(names.len()) {
            let t = largest_t(&samples[one], &samples[other]);
            if t.abs() > DIFFERENT {
                found.insert((one, other), t);
            }
        }
        let worst = pairs(names.len()).map(|(one, other)| largest_t(&samples[one], &samples[other]).abs());
        let medians: Vec<_> = names.iter().zip(&samples).map(|(name, of)| (name, median(of))).collect();
        println!("round {round}: greatest t {:.1}, medians in ns {medians:?}", worst.fold(0.0, f64::max));
        let before = std::mem::take(&mut suspects);
        suspects = found
            .into_iter()
            .filter(|(pair, t)| {
                round == 0 || before.get(pair).is_some_and(|then| then.signum() == t.signum())
            })
            .collect();
        if suspects.is_empty() {
            return Vec::new();
        }
    }
    let name = |((one, other), t): ((usize, usize), f64)| {
        format!("{} and {}: t = {t:.1} in round after round", names[one], names[other])
    };
    suspects.into_iter().map(name).collect()
}

fn pairs(classes: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..classes).flat_map(move |one| (one + 1..classes).map(move |other| (one, other)))
}

fn median(samples: &[u64]) -> u64 {
    let mut sorted = samples.to_vec();
    sorted.sort_unstable();
    sorted[sorted.len() / 2]
}

/// Of all crops the t that is furthest from 0.
#[expect(clippy::cast_precision_loss, reason = "nanoseconds of less than a month")]
fn largest_t(one: &[u64], other: &[u64]) -> f64 {
    let mut pooled: Vec<_> = one.iter().chain(other).copied().collect();
    pooled.sort_unstable();
    let last = pooled.len() - 1;
    let mut largest: f64 = 0.0;
    for crop in CROPS {
        let most = pooled[last * crop / 1_000];
        let below = |of: &[u64]| -> Vec<f64> {
            of.iter().filter(|sample| **sample <= most).map(|sample| *sample as f64).collect()
        };
        let t = welch(&below(one), &below(other));
        if t.abs() > largest.abs() {
            largest = t;
        }
    }
    largest
}

/// The difference of the means, in units of its own standard error.
#[expect(clippy::cast_precision_loss, reason = "counts of a few millions")]
fn welch(one: &[f64], other: &[f64]) -> f64 {
    let mean = |of: &[f64]| of.iter().sum::<f64>() / of.len() as f64;
    let square_error = |of: &[f64], mean: f64| {
        let squares: f64 = of.iter().map(|sample| (sample - mean).powi(2)).sum();
        squares / (of.len() as f64 - 1.0) / of.len() as f64
    };
    let means = (mean(one), mean(other));
    let error = (square_error(one, means.0) + square_error(other, means.1)).sqrt();
    if error > 0.0 { (means.0 - means.1) / error } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::super::Draws;
    use super::*;

    /// Around 300 µs with a long tail, as answers over HTTP are.
    fn noise(draws: &mut Draws, slower_by: u64) -> Vec<u64> {
        let sample = |draws: &mut Draws| {
            let bell: u64 = (0..12).map(|_| draws.next() % 5_000).sum();
            let tail = if draws.below(50) == 0 { draws.next() % 3_000_000 } else { 0 };
            270_000 + bell + tail + slower_by
        };
        (0..10_000).map(|_| sample(draws)).collect()
    }

    #[test]
    fn classes_that_differ_by_a_three_hundredth_are_told_apart_and_equal_ones_are_not() {
        let names = ["one", "other", "slower"];
        for seed in 0..20 {
            let measure = |round| {
                let mut draws = Draws(seed * 3 + round);
                vec![noise(&mut draws, 0), noise(&mut draws, 0), noise(&mut draws, 1_000)]
            };
            let found = told_apart(&names, measure);
            assert_eq!(found.len(), 2, "seed {seed}: {found:?}");
            assert!(found[0].starts_with("one and slower") && found[1].starts_with("other and slower"));
        }
    }

    #[test]
    fn what_one_round_alone_has_is_noise() {
        for noisy in 0..3 {
            let measure = |round| {
                let mut draws = Draws(round);
                vec![noise(&mut draws, 0), noise(&mut draws, if round == noisy { 5_000 } else { 0 })]
            };
            assert_eq!(told_apart(&["one", "other"], measure), [""; 0], "round {noisy}");
        }
    }
}
