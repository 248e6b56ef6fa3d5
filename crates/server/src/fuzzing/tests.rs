//! Drives every target on the compiler that the project is built with: first what its corpus holds, then what comes of
//! it by mutation, for some seconds; `scripts/test --long` for minutes. What fails is shrunk and printed.

use super::{TARGETS, Target};
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{Config, TestError, TestRunner};
use std::cell::Cell;
use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::{Duration, Instant};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap().join("fuzz")
}

fn names(folder: &Path) -> BTreeSet<String> {
    let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.collect()
}

/// One step from an input to the next one.
#[derive(Clone, Debug)]
enum Mutation {
    Flip(Index, u8),
    Set(Index, u8),
    Insert(Index, Vec<u8>),
    Remove(Index, u8),
    /// A piece of it, once more elsewhere.
    Copy(Index, u8, Index),
    Cut(Index),
    Word(Index, Index),
    /// The rest is another input's.
    Cross(Index, Index, Index),
}

fn mutation() -> impl Strategy<Value = Mutation> {
    let at = any::<Index>;
    prop_oneof![
        3 => (at(), 0..8_u8).prop_map(|(place, bit)| Mutation::Flip(place, bit)),
        2 => (at(), any::<u8>()).prop_map(|(place, byte)| Mutation::Set(place, byte)),
        2 => (at(), prop::collection::vec(any::<u8>(), 1..4)).prop_map(|(place, bytes)| Mutation::Insert(place, bytes)),
        3 => (at(), 1..24_u8).prop_map(|(place, length)| Mutation::Remove(place, length)),
        2 => (at(), 1..64_u8, at()).prop_map(|(from, length, to)| Mutation::Copy(from, length, to)),
        1 => at().prop_map(Mutation::Cut),
        4 => (at(), at()).prop_map(|(place, word)| Mutation::Word(place, word)),
        2 => (at(), at(), at()).prop_map(|(place, other, from)| Mutation::Cross(place, other, from)),
    ]
}

impl Mutation {
    fn apply(&self, input: &mut Vec<u8>, corpus: &[Vec<u8>], words: &[&str]) {
        let place = |index: &Index| index.index(input.len() + 1);
        let end = |start: usize, length: u8| (start + usize::from(length)).min(input.len());
        match self {
            Self::Flip(index, bit) => {
                let place = place(index);
                if let Some(byte) = input.get_mut(place) {
                    *byte ^= 1 << bit;
                }
            }
            Self::Set(index, value) => {
                let place = place(index);
                if let Some(byte) = input.get_mut(place) {
                    *byte = *value;
                }
            }
            Self::Insert(index, bytes) => {
                let place = place(index);
                input.splice(place..place, bytes.iter().copied());
            }
            Self::Remove(index, length) => {
                let start = place(index);
                let end = end(start, *length);
                input.drain(start..end);
            }
            Self::Copy(from, length, to) => {
                let (start, to) = (place(from), place(to));
                let piece = input[start..end(start, *length)].to_vec();
                input.splice(to..to, piece);
            }
            Self::Cut(index) => {
                let place = place(index);
                input.truncate(place);
            }
            Self::Word(index, word) if !words.is_empty() => {
                let place = place(index);
                input.splice(place..place, words[word.index(words.len())].bytes());
            }
            Self::Word(..) => {}
            Self::Cross(index, other, from) => {
                let other = &corpus[other.index(corpus.len())];
                let (place, from) = (place(index), from.index(other.len() + 1));
                input.truncate(place);
                input.extend_from_slice(&other[from..]);
            }
        }
    }
}

/// Nine in ten begin at an input of the corpus, the others at nothing.
fn inputs(corpus: Rc<Vec<Vec<u8>>>, words: &'static [&'static str]) -> impl Strategy<Value = Vec<u8>> {
    let mutations = prop::collection::vec(mutation(), 0..8);
    (prop::option::weighted(0.9, any::<Index>()), mutations).prop_map(move |(seed, mutations)| {
        let mut input = seed.map(|seed| corpus[seed.index(corpus.len())].clone()).unwrap_or_default();
        for mutation in mutations {
            mutation.apply(&mut input, &corpus, words);
        }
        input
    })
}

#[expect(clippy::disallowed_methods, reason = "asks the one who runs the tests, and not the service")]
fn is_long() -> bool {
    std::env::var_os("EINMAL_TEST_LONG").is_some()
}

fn drive(name: &str) {
    let target = TARGETS.iter().find(|target| target.name == name).unwrap();
    let corpus = corpus(target);
    let time = Duration::from_secs(if is_long() { 120 } else { 5 });
    let begun = Instant::now();
    for (file, input) in &corpus {
        println!("fuzz/corpus/{name}/{file}");
        (target.run)(input);
    }
    let corpus: Vec<_> = corpus.into_iter().map(|(_, input)| input).collect();
    let (size, count) = (corpus.len(), Cell::new(corpus.len()));
    let strategy = inputs(Rc::new(corpus), target.words);
    let config =
        Config { cases: 64, failure_persistence: None, max_shrink_iters: 20_000, ..Config::default() };
    while begun.elapsed() < time {
        // A runner that has had its cases runs none any more.
        let outcome = TestRunner::new(config.clone()).run(&strategy, |input| {
            count.set(count.get() + 1);
            (target.run)(&input);
            Ok(())
        });
        if let Err(TestError::Fail(reason, input)) = outcome {
            panic!("{name}: {reason}\nput this into fuzz/corpus/{name}: b\"{}\"", input.escape_ascii());
        }
        outcome.unwrap();
    }
    let seconds = begun.elapsed().as_secs_f64();
    let line = format!("fuzz {name}: {} inputs in {seconds:.1} s from a corpus of {size}\n", count.get());
    // Past the harness, which would keep it to itself.
    let _ = std::io::stderr().write_all(line.as_bytes());
}

fn corpus(target: &Target) -> Vec<(String, Vec<u8>)> {
    let folder = folder().join("corpus").join(target.name);
    let read = |file: String| {
        let input = fs::read(folder.join(&file)).unwrap();
        (file, input)
    };
    let corpus: Vec<_> = names(&folder).into_iter().map(read).collect();
    assert!(!corpus.is_empty(), "nothing to begin with for {}", target.name);
    corpus
}

#[test]
fn a_body_is_taken_exactly_if_the_published_schema_allows_it() {
    drive("body");
}

#[test]
fn what_provisioning_takes_and_what_an_import_takes_is_the_same() {
    drive("record");
}

#[test]
fn what_is_answered_is_what_the_accept_header_allows() {
    drive("accept");
}

#[test]
fn a_body_is_read_only_if_all_of_its_headers_say_json() {
    drive("content_type");
}

#[test]
fn a_token_is_taken_from_one_line_of_one_scheme_and_whole() {
    drive("authorization");
}

#[test]
fn a_token_has_one_spelling_and_is_authentic_only_as_it_was_signed() {
    drive("token");
}

#[test]
fn claims_mean_what_another_library_reads_in_them() {
    drive("claims");
}

#[test]
fn a_key_set_is_the_sum_of_its_good_keys() {
    drive("jwks");
}

#[test]
fn an_otpauth_uri_is_written_as_it_was_read() {
    drive("otpauth_uri");
}

#[test]
fn an_encoded_account_is_read_whole_or_not_at_all() {
    drive("encoding");
}

#[test]
fn a_row_opens_for_its_own_account_alone_and_unchanged() {
    drive("sealed_row");
}

#[test]
fn a_line_that_is_imported_comes_back_and_a_refused_one_names_its_place() {
    drive("import_line");
}

#[test]
fn a_configuration_means_what_is_printed_of_it_and_faults_have_a_place() {
    drive("configuration");
}

#[test]
fn every_target_is_driven_here_and_by_libfuzzer() {
    let targets: BTreeSet<_> = TARGETS.iter().map(|target| target.name.to_owned()).collect();
    assert_eq!(targets, names(&folder().join("corpus")));
    let without_end =
        |names: BTreeSet<String>| names.iter().map(|name| name.replace(".rs", "")).collect::<BTreeSet<_>>();
    assert_eq!(targets, without_end(names(&folder().join("fuzz_targets"))));
    let driven = include_str!("tests.rs");
    assert!(targets.iter().all(|name| driven.contains(&format!("drive(\"{name}\")"))));
}
