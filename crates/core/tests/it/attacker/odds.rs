//! What the simulated attackers came to, held against what is promised and against what the manual says.

use super::model::{Attacker, DAYS, Measured, Owner, World, promised, promised_of_mailed_codes, text, wrong};
use crate::build::{code_of, credential};
use einmal_core::account::{Account, Credential, IssuedCode};
use einmal_core::otp::{Algorithm, Code, Secret, Totp};
use einmal_core::policy::{Policy, Settings};
use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::thread;

/// So many devices, each with a secret of its own.
fn devices(count: u8) -> Account {
    Account { devices: (1..=count).map(|seed| credential(seed, 6)).collect(), ..Account::default() }
}

/// One secret, enrolled as a device and as an authenticator.
fn twins() -> Account {
    Account { authenticators: vec![credential(1, 6)], ..devices(1) }
}

fn owner(sign_ins_a_day: u64) -> Owner {
    Owner { sign_ins_a_day, ..Owner::AWAY }
}

fn play(account: Account, owner: Owner, attacker: Attacker) -> Measured {
    World::new(account, Policy::default(), owner, attacker).play(wrong).expect("no guess is right")
}

const ATTACKERS: [(&str, Attacker); 6] = [
    ("guesses whenever a guess is looked at", Attacker::Greedy),
    ("guesses only as often as costs no wait", Attacker::Quiet),
    ("tries one type after the other", Attacker::OneTypeAtATime),
    ("asks with eight tokens at once", Attacker::Crowd(8)),
    ("asks three replicas whose clocks are 20 s apart", Attacker::Replicas(20)),
    ("… 3 minutes apart", Attacker::Replicas(180)),
];

fn percent(chance: f64) -> String {
    let percent = chance * 100.0;
    if percent < 0.995 { format!("{percent:.2} %") } else { format!("{percent:.1} %") }
}

/// Of a million.
fn millionths(chance: f64) -> String {
    format!("{:.0}", chance * 1e6)
}

fn thousands(number: u64) -> String {
    if number < 1_000 { number.to_string() } else { format!("{},{:03}", number / 1_000, number % 1_000) }
}

/// The rows of the first table: who is away how long, and how much is enrolled.
fn rows_by_owner() -> Vec<String> {
    let in_turn = |owner: Owner| Owner { in_turn: true, ..owner };
    let rows = [
        ("the owner is away", owner(0)),
        ("the owner signs in once a day, with the same device", owner(1)),
        ("… with each device in turn", in_turn(owner(1))),
        ("the owner signs in ten times a day, with the same device", owner(10)),
        ("… with each device in turn", in_turn(owner(10))),
    ];
    let row = |(name, owner): &(&str, Owner)| {
        let played = [1, 3, 5].map(|count| play(devices(count), *owner, Attacker::Greedy));
        let chances = played.each_ref().map(|measured| percent(measured.at_any));
        format!("| {name} | {} | {} |", thousands(played[0].guesses), chances.join(" | "))
    };
    each_at_once(&rows, row)
}

/// The rows of the second table: what the attacker does, at one device of an owner who is away, or signs in.
fn rows_by_attacker() -> Vec<String> {
    let row = |(name, attacker): &(&str, Attacker)| {
        let mut row = format!("| {name} |");
        for sign_ins_a_day in [0, 1, 10] {
            let measured = play(devices(1), owner(sign_ins_a_day), *attacker);
            write!(row, " {}, {} |", thousands(measured.guesses), millionths(measured.at_one_secret))
                .unwrap();
        }
        row
    };
    each_at_once(&ATTACKERS, row)
}

/// What operators may choose, at its ends.
fn policies() -> Vec<(&'static str, Settings)> {
    let defaults = Settings::default;
    vec![
        ("default settings", defaults()),
        ("`totp.skew_steps = 0`", Settings { skew_steps: 0, ..defaults() }),
        ("`totp.skew_steps = 5`", Settings { skew_steps: 5, ..defaults() }),
        ("the smallest budget", Settings { guesses: 20, failures: 5, ..defaults() }),
        ("the largest budget", Settings { guesses: 1_000, skew_steps: 5, ..defaults() }),
        (
            "the shortest waits",
            Settings { free_failures: 10, first_wait_seconds: 1, longest_wait_seconds: 1, ..defaults() },
        ),
    ]
}

/// The rows of the third table: the worst that any of the attackers has at one secret, whatever the owner does.
fn rows_by_policy() -> Vec<String> {
    let row = |(name, settings): &(&str, Settings)| {
        let policy = Policy::new(settings.clone()).unwrap();
        let mut worst: f64 = 0.0;
        for (attacker_name, attacker) in ATTACKERS {
            for (sign_ins_a_day, drift) in [(0, 0), (1, -1), (10, 1)] {
                // A clock that is off by more than the window is never let in.
                let drift = if policy.skew_steps == 0 { 0 } else { drift };
                let owner = Owner { sign_ins_a_day, drift, in_turn: false };
                let measured = World::new(devices(1), policy.clone(), owner, attacker).play(wrong).unwrap();
                worst = worst.max(measured.at_one_secret);
                let promised = promised(&policy);
                assert!(
                    measured.at_one_secret <= promised * (1.0 + 1e-9),
                    "{name}, {attacker_name}, {owner:?}: {} of {promised}",
                    measured.at_one_secret
                );
            }
        }
        format!("| {name} | {} | {} |", millionths(promised(&policy)), millionths(worst))
    };
    each_at_once(&policies(), row)
}

/// On as many cores as there are: each row is a month or several.
fn each_at_once<T: Sync>(of: &[T], row: impl Fn(&T) -> String + Sync) -> Vec<String> {
    thread::scope(|scope| {
        let rows: Vec<_> = of.iter().map(|one| scope.spawn(|| row(one))).collect();
        rows.into_iter().map(|row| row.join().unwrap()).collect()
    })
}

/// Prints the rows, so that whoever changes a rule can put the new ones in.
fn are_in_the_manual(rows: &[String]) {
    let manual = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/THREATS.md");
    let manual = fs::read_to_string(manual).unwrap();
    println!("{}", rows.join("\n"));
    let missing: Vec<_> = rows.iter().filter(|row| !manual.lines().any(|line| line == *row)).collect();
    assert!(missing.is_empty(), "not in docs/THREATS.md: {missing:#?}");
}

#[test]
fn a_month_of_guessing_leaves_the_odds_that_the_manual_has_118() {
    are_in_the_manual(&rows_by_owner());
}

#[test]
fn no_way_of_asking_gives_more_than_is_promised_between_two_successes_118() {
    let rows = rows_by_attacker();
    are_in_the_manual(&rows);
    let most = promised(&Policy::default());
    assert!((most - 3e-4).abs() < 1e-12, "3 in 10,000");
}

#[test]
fn no_policy_gives_more_than_it_promises_118() {
    are_in_the_manual(&rows_by_policy());
}

#[test]
fn a_secret_that_is_enrolled_twice_or_whose_clock_is_off_is_no_better_to_guess_at() {
    let most = promised(&Policy::default()) * (1.0 + 1e-9);
    for sign_ins_a_day in [0, 10] {
        for drift in [-1, 1] {
            let owner = Owner { sign_ins_a_day, drift, in_turn: true };
            for (name, attacker) in ATTACKERS {
                let measured = play(twins(), owner, attacker);
                assert!(measured.at_one_secret <= most, "{name}, {owner:?}: {measured:?}");
                // The two take the same codes, so that both together are no more than one.
                let periods = f64::from(u32::try_from(measured.sign_ins).unwrap()) + 1.0;
                assert!(measured.at_any <= most * periods, "{name}, {owner:?}: {measured:?}");
            }
        }
    }
}

#[test]
fn mailed_codes_are_guessed_with_no_more_than_is_promised_a_day() {
    let most = promised_of_mailed_codes();
    assert!((most - 1e-4).abs() < 1e-12, "1 in 10,000");
    for (name, attacker) in ATTACKERS {
        for sign_ins_a_day in [0, 1, 10] {
            let account = Account { authenticators: vec![credential(2, 6)], ..devices(1) };
            let mut world = World::new(account, Policy::default(), owner(sign_ins_a_day), attacker);
            world.mails = true;
            let measured = world.play(wrong).unwrap();
            println!("{name}, {sign_ins_a_day}: {measured:?}");
            assert!(measured.at_mailed_codes_a_day > 0.0, "{name}: none was guessed at");
            assert!(measured.at_mailed_codes_a_day <= most * (1.0 + 1e-9), "{name}: {measured:?}");
        }
    }
}

/// Numbers that look random, and are the same each time.
struct Draws(u64);

impl Draws {
    /// `SplitMix64`.
    fn next(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % below
    }

    fn bytes(&mut self) -> Vec<u8> {
        (0..20).map(|_| u8::try_from(self.next(256)).unwrap()).collect()
    }
}

fn with_secret(bytes: Vec<u8>) -> Credential {
    let totp = Totp::new(Secret::from_bytes(bytes).unwrap(), Algorithm::Sha1, 6, 30).unwrap();
    Credential { totp, ..credential(1, 6) }
}

/// That the exact count counts what happens: somebody who knows all but so many codes to be wrong guesses among the rest, and
/// how often that is right is what the count says for a space of that size.
#[test]
fn in_a_small_space_guesses_are_right_as_often_as_the_count_says() {
    const SPACE: u64 = 10_000;
    /// Steps around the clock whose codes the guesser cannot rule out.
    const NEAR: i64 = 10;
    const OFFSETS: u64 = 21;
    let months = if is_long() { 5_000 } else { 1_000 };
    for (count, owner, months) in [(1, owner(0), months), (3, owner(0), months), (1, owner(1), months / 10)] {
        let mut random = Draws(1);
        let exact = play(devices(count), owner, Attacker::Greedy);
        // Of a million to of ten thousand; chances are so small in the large space that they add up.
        let expected = 1.0 - (-hundredfold(exact.at_any)).exp();
        let mut right = 0_u32;
        for _ in 0..months {
            let account = Account {
                devices: (0..count).map(|_| with_secret(random.bytes())).collect(),
                ..Account::default()
            };
            let guess = |world: &World, clock| {
                let drawn = random.next(SPACE);
                let (place, offset) = (drawn / OFFSETS, i64::try_from(drawn % OFFSETS).unwrap() - NEAR);
                let device = world.account.devices.get(usize::try_from(place).unwrap());
                let wrong = Code::from_number(u32::try_from(random.next(1_000_000)).unwrap(), 6);
                device.map_or(wrong, |device| code_of(device, clock, offset))
            };
            right += u32::from(
                World::new(account, Policy::default(), owner, Attacker::Greedy).play(guess).is_none(),
            );
        }
        let months = f64::from(months);
        let deviation = (months * expected * (1.0 - expected)).sqrt();
        println!("{count} devices, {owner:?}: {right} of {months} right, expected {:.1}", months * expected);
        assert!((f64::from(right) - months * expected).abs() < 4.0 * deviation, "{count} devices, {owner:?}");
    }
}

fn hundredfold(chance: f64) -> f64 {
    -(1.0 - chance).ln() * 100.0
}

#[expect(clippy::disallowed_methods, reason = "asks the one who runs the tests")]
fn is_long() -> bool {
    std::env::var_os("EINMAL_TEST_LONG").is_some()
}

#[test]
fn the_model_counts_a_mailed_code_and_a_secret_as_what_they_are() {
    let mut account = devices(1);
    account.login_code =
        Some(IssuedCode::new(Code::parse("402913").unwrap(), crate::build::NOON.plus_seconds(600)));
    let measured = play(account, Owner::AWAY, Attacker::Greedy);
    assert_eq!((measured.guesses, DAYS), (100, 30));
    assert_eq!(millionths(measured.at_mailed_codes_a_day), "5", "five wrong ones kill it");
    assert_eq!(millionths(measured.at_one_secret), "300");
    assert_eq!(text(&Code::from_number(7, 6)), "000007");
}
