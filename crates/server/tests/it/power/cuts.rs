//! The power goes under load, at any call that the program makes to its disk, again and again on one store. What was
//! synced is there afterwards; of the rest each write is there, or not, or in part.

use crate::harness::crowd::{Crowd, Target, answered};
use crate::harness::disk::{Contents, Disk, Failure};
use crate::harness::history::Answer;
use crate::harness::installation::{Installation, Serving, device};
use crate::harness::program::with_input;
use crate::harness::seed::Seed;
use crate::harness::{is_long, tell};
use std::time::Duration;

/// Each has a new code every 30 s, so that they do not run out.
const ACCOUNTS: usize = 6_000;
/// Of each round.
const VICTIMS: usize = 3;
const WORKERS: usize = 6;
/// Calls of the disk until the power goes: from the first one to past a checkpoint of the log.
const LONGEST: u64 = 600;
const LONGEST_START: Duration = Duration::from_secs(10);

fn rounds() -> usize {
    if is_long() { 200 } else { 24 }
}

pub(super) async fn serve(installation: &Installation, disk: &Disk) -> Serving {
    let mut command = installation.einmal(&["serve"]);
    disk.run_on(&mut command);
    let serving = Serving::start(&mut command).await;
    serving.until_ready().await;
    serving
}

/// The store is whole, and every account of it opens.
pub(super) fn assert_is_sound(installation: &Installation, what: &str) {
    let run = installation.run(&["store", "check"]);
    assert!(run.code == Some(0) && run.stdout.ends_with("accounts, 0 faults\n"), "{what}: {run:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_answered_before_the_power_went_holds_after_it_152() {
    let installation = Installation::new().await;
    let rounds = rounds();
    let crowd = Crowd::of(installation.accounts("user", ACCOUNTS + rounds * VICTIMS));
    let disk = Disk::under(installation.directory.path());
    let (mut synced, mut kept, mut lost, mut replayed) = (0, 0, 0, 0);
    let mut since = Duration::ZERO;
    for round in 0..=rounds {
        let mut seed = Seed::new(round as u64);
        let before = disk.contents();
        let started = crowd.history.now();
        let mut serving = serve(&installation, &disk).await;
        let took = crowd.history.since(started);
        assert!(took < LONGEST_START, "round {round}: ready after {took:?}");
        let target = Target { address: serving.address, number: round };
        replayed += crowd.replay(target, since).await;
        let victims = |round: usize| {
            let first = ACCOUNTS + round * VICTIMS;
            first..first + VICTIMS
        };
        if let Some(last) = round.checked_sub(1) {
            for victim in victims(last) {
                crowd.guess_until_throttled(target, victim).await;
            }
        }
        if round == rounds {
            break;
        }

        since = crowd.history.now();
        let end = 1 + seed.below(LONGEST);
        disk.cut_power_at(end);
        if round % 3 == 2 {
            // And before that a call failed, most likely a write or a sync.
            disk.fail(1 + seed.below(end), 1, Failure::Broken);
        }
        let load = crowd.load(target, 0..ACCOUNTS, WORKERS);
        tokio::join!(load.join_all(), crowd.guess_at(target, victims(round), 3));
        let status = serving.program.exit().await;
        assert_eq!(status.code(), None, "round {round}: {}", serving.program.stdout());
        crowd.was_out(round, since);
        let settled = disk.settle(before, &mut seed);
        (synced, kept, lost) = (synced + settled.synced, kept + settled.kept, lost + settled.lost);
        assert_is_sound(&installation, &format!("round {round}"));
    }
    let attempts = crowd.assert_lawful("power cuts");
    assert!(replayed > 10 * rounds && lost > rounds, "{replayed} replays, {lost} writes lost");
    tell(&format!(
        "{rounds} power cuts: {} codes accepted, {replayed} of them tried again and refused, none accepted twice; {} guesses \
         looked at, none forgotten; {synced} writes synced, of the others {kept} kept whole and {lost} lost or torn",
        answered(&attempts, Answer::Accepted),
        answered(&attempts, Answer::Refused) - replayed,
    ));
}

/// From nothing on: the first opening, the schema, the keyring's mark, and an import.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_whose_making_lost_its_power_is_made_when_it_is_back_173() {
    let installation = Installation::new().await;
    let imported = device("alice");
    let mut cuts = 0;
    for call in 1.. {
        let mut seed = Seed::new(call);
        let disk = Disk::under(installation.directory.path());
        disk.cut_power_at(call);
        let mut import = installation.einmal(&["accounts", "import", "-"]);
        disk.run_on(&mut import);
        let run = with_input(&mut import, imported.as_bytes());
        let is_done = run.code.is_some();
        assert!(!is_done || run.code == Some(0), "call {call}: {run:?}");
        disk.settle(Contents::new(), &mut seed);
        let run = installation.run(&["store", "migrate"]);
        assert_eq!(run.code, Some(0), "call {call}: {run:?}");
        assert_is_sound(&installation, &format!("call {call}"));
        if is_done {
            let there = installation.run(&["accounts", "show", "alice"]);
            assert_eq!(there.code, Some(0), "what was told to be imported: {there:?}");
            break;
        }
        cuts += 1;
        disk.remove_all();
    }
    assert!(cuts > 20, "{cuts}");
    tell(&format!("{cuts} power cuts while a store is made: each was made when the power was back"));
}
