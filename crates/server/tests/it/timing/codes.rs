//! What the time of a comparison tells of the code that was compared.

use super::Draws;
use super::told_apart::{Samples, told_apart};
use crate::harness::is_long;
use einmal_core::otp::{Algorithm, Code, Secret, Totp, Window};
use std::hint::black_box;
use std::time::Instant;

/// How many different windows there are codes for.
const WINDOWS: usize = 64;

fn totp() -> Totp {
    Totp::new(Secret::from_bytes(vec![7; 20]).unwrap(), Algorithm::Sha1, 6, 30).unwrap()
}

/// The same digits but one.
fn with_another_digit(code: &Code, place: usize) -> Code {
    let mut digits = code.as_str().to_owned().into_bytes();
    digits[place] = b'0' + (digits[place] - b'0' + 5) % 10;
    Code::parse(std::str::from_utf8(&digits).unwrap()).unwrap()
}

/// Codes that stand differently to their window, by class.
fn codes(totp: &Totp) -> Vec<(&'static str, Vec<(Code, Window)>)> {
    let of = |code: &dyn Fn(u64) -> Code| -> Vec<_> {
        let steps = (0..WINDOWS as u64).map(|number| 60_000_000 + 10 * number);
        steps.map(|step| (code(step), Window::around(step, 1, 0))).collect()
    };
    vec![
        ("of no step", of(&|step| totp.code_at(step + 5))),
        ("of the first step", of(&|step| totp.code_at(step - 1))),
        ("of the middle one", of(&|step| totp.code_at(step))),
        ("of the last step", of(&|step| totp.code_at(step + 1))),
        ("but for the first digit", of(&|step| with_another_digit(&totp.code_at(step), 0))),
        ("but for the last digit", of(&|step| with_another_digit(&totp.code_at(step), 5))),
    ]
}

fn measure(totp: &Totp, classes: &[(&str, Vec<(Code, Window)>)], samples: usize, seed: u64) -> Samples {
    let mut draws = Draws(seed);
    let mut durations = vec![Vec::with_capacity(samples); classes.len()];
    for class in draws.interleaved(classes.len(), samples) {
        let of_class = &classes[class].1;
        // Whatever class it is, what is compared lies in the same place.
        let (code, window) = black_box(of_class[draws.below(WINDOWS)].clone());
        let started = Instant::now();
        black_box(totp.matching_step(black_box(&code), black_box(window)));
        durations[class].push(u64::try_from(started.elapsed().as_nanos()).unwrap());
    }
    durations
}

#[test]
fn the_time_of_a_comparison_tells_neither_whether_nor_where_a_code_matched_125() {
    let totp = totp();
    let classes = codes(&totp);
    for (class, found) in [(0, None), (1, Some(-1)), (2, Some(0)), (3, Some(1)), (4, None), (5, None)] {
        for (code, window) in &classes[class].1 {
            let expected = found.map(|offset| (window.first + 1).saturating_add_signed(offset));
            assert_eq!(totp.matching_step(code, *window), expected, "{}", classes[class].0);
        }
    }
    let names: Vec<_> = classes.iter().map(|(name, _)| *name).collect();
    if is_long() {
        let found = told_apart(&names, |round| measure(&totp, &classes, 1_000_000, round));
        assert_eq!(found, [""; 0]);
    } else {
        let measured = measure(&totp, &classes, 100, 1);
        assert!(measured.iter().flatten().all(|duration| *duration > 0), "{measured:?}");
    }
}
