//! Each call to the disk fails once: the n-th, for every n. An attempt is then answered 503 or as it should be, nothing
//! that was answered is lost, and the service is well again by itself.

use super::cuts::{assert_is_sound, serve};
use crate::harness::crowd::{Crowd, Target, answered};
use crate::harness::disk::{Disk, Failure};
use crate::harness::history::Answer;
use crate::harness::installation::{Installation, Serving, device};
use crate::harness::program::with_input;
use crate::harness::seed::Seed;
use crate::harness::{is_long, tell};
use std::sync::Arc;
use std::time::Duration;

const FOR_EVER: u64 = u64::MAX;
/// From the end of a fault until readiness says so.
const LONGEST_RECOVERY: Duration = Duration::from_secs(2);
/// Calls until one fails. Some rounds later there is a checkpoint of the log, which makes a thousand.
const UNDER_LOAD: u64 = 300;

/// A service on a disk, and accounts of which each is used in one script.
struct Site {
    installation: Installation,
    disk: Disk,
    serving: Serving,
    crowd: Arc<Crowd>,
    next_account: usize,
    longest_recovery: Duration,
}

impl Site {
    async fn with(accounts: usize) -> Self {
        let installation = Installation::new().await;
        let crowd = Crowd::of(installation.accounts("user", accounts));
        let disk = Disk::under(installation.directory.path());
        let serving = serve(&installation, &disk).await;
        Self { installation, disk, serving, crowd, next_account: 0, longest_recovery: Duration::ZERO }
    }

    fn target(&self) -> Target {
        Target { address: self.serving.address, number: 0 }
    }

    /// A right code, the same again, and two wrong ones.
    async fn script(&mut self) -> usize {
        let account = self.next_account;
        self.next_account += 1;
        let code = self.crowd.next_code(account).unwrap();
        self.crowd.verify(self.target(), code).await;
        self.crowd.verify(self.target(), code).await;
        self.crowd.guess(self.target(), account).await;
        self.crowd.guess(self.target(), account).await;
        account
    }

    /// How many calls a script makes while all is well: the most of some.
    async fn calls(&mut self) -> u64 {
        let mut most = 0;
        for _ in 0..5 {
            let before = self.disk.calls();
            self.script().await;
            most = most.max(self.disk.calls() - before);
        }
        most
    }

    async fn recover(&mut self, from: Duration) {
        self.disk.heal();
        let healed = self.crowd.history.now();
        self.serving.until_ready().await;
        self.crowd.was_out(0, from);
        let took = self.crowd.history.since(healed);
        assert!(took < LONGEST_RECOVERY, "ready {took:?} after the fault");
        self.longest_recovery = self.longest_recovery.max(took);
    }

    /// A script during which calls fail, and what is true after it.
    async fn script_with(&mut self, first: u64, count: u64, failure: Failure) {
        let from = self.crowd.history.now();
        self.disk.fail(first, count, failure);
        let account = self.script().await;
        self.recover(from).await;
        let replayed = self.crowd.replay(self.target(), from).await;
        assert!(replayed <= 1);
        if let Some(next) = self.crowd.next_code(account) {
            assert_eq!(self.crowd.verify(self.target(), next).await, Answer::Accepted, "a new code");
        }
    }

    /// Kills it as well: what the last commits left is what the next one finds.
    async fn end(mut self, what: &str) {
        self.serving.program.signal(rustix::process::Signal::KILL);
        self.serving.program.exit().await;
        assert_is_sound(&self.installation, what);
        let attempts = self.crowd.assert_lawful(what);
        tell(&format!(
            "{what}: {} calls of the disk failed, {} answers were 503, {} 204, none of them wrong; well again after {:.0} ms \
             at most",
            self.disk.failed(),
            answered(&attempts, Answer::Unavailable),
            answered(&attempts, Answer::Accepted),
            self.longest_recovery.as_secs_f64() * 1e3,
        ));
        assert!(answered(&attempts, Answer::Unavailable) > 0, "no fault was met");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whichever_call_of_the_disk_fails_no_false_204_is_answered_and_nothing_is_lost_155() {
    let mut site = Site::with(4_000).await;
    let calls = site.calls().await;
    assert!(calls >= 6, "{calls} calls: at least three commits of a write and a sync each");
    let kinds: &[(u64, Failure)] = if is_long() {
        &[
            (1, Failure::Broken),
            (FOR_EVER, Failure::Broken),
            (3, Failure::Broken),
            (1, Failure::Full),
            (FOR_EVER, Failure::Full),
            (1, Failure::Short),
            (FOR_EVER, Failure::Short),
        ]
    } else {
        &[(1, Failure::Broken), (FOR_EVER, Failure::Full), (1, Failure::Short)]
    };
    for (count, failure) in kinds {
        for first in 1..=calls + 2 {
            site.script_with(first, *count, *failure).await;
        }
    }
    site.end("the n-th call fails, for every n").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whichever_read_of_the_disk_fails_no_false_answer_is_given_155() {
    let mut site = Site::with(2_000).await;
    site.disk.count_reads();
    // SQLite takes a file that it cannot read for a damaged one (SQLITE_IOERR_CORRUPTFS).
    site.crowd.take_500_for_unknown();
    let calls = site.calls().await;
    for count in [1, FOR_EVER] {
        for first in 1..=calls + 2 {
            site.script_with(first, count, Failure::Broken).await;
        }
    }
    site.end("the n-th call fails, reads among them").await;
}

/// Past checkpoints, which one request does not reach.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_that_fail_under_load_lose_nothing_155() {
    const ACCOUNTS: usize = 6_000;
    let mut site = Site::with(ACCOUNTS).await;
    let mut seed = Seed::new(155);
    let load = site.crowd.load(site.target(), 0..ACCOUNTS, 8);
    let rounds = if is_long() { 60 } else { 6 };
    let mut told = Duration::ZERO;
    for round in 0..rounds {
        let from = site.crowd.history.now();
        let (failure, failed) =
            (if round % 2 == 0 { Failure::Broken } else { Failure::Full }, site.disk.failed());
        site.disk.fail(1 + seed.below(UNDER_LOAD), 1 + seed.below(4), failure);
        let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
        while site.disk.failed() == failed {
            assert!(tokio::time::Instant::now() < deadline, "round {round}: no call fails");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        site.recover(from).await;
        site.crowd.has_accepted(20).await;
        // It may be a later request that meets what the fault left.
        site.crowd.was_out(0, told);
        told = site.crowd.history.now();
    }
    site.crowd.stop();
    load.join_all().await;
    let replayed = site.crowd.replay(site.target(), Duration::ZERO).await;
    assert!(replayed > 50, "{replayed} codes tried again");
    site.end("calls fail under load").await;
}

#[tokio::test]
async fn a_store_whose_making_failed_at_any_call_is_made_by_the_next_one_155() {
    let installation = Installation::new().await;
    let mut failures = 0;
    for first in 1.. {
        let disk = Disk::under(installation.directory.path());
        disk.fail(first, 1, if first % 2 == 0 { Failure::Full } else { Failure::Broken });
        let mut import = installation.einmal(&["accounts", "import", "-"]);
        disk.run_on(&mut import);
        let run = with_input(&mut import, device("alice").as_bytes());
        assert!(matches!(run.code, Some(0 | 1)), "call {first}: {run:?}");
        let is_over = disk.failed() == 0;
        let there = installation.run(&["accounts", "show", "alice"]).code == Some(0);
        assert!(run.code != Some(0) || there, "call {first}: told that it was imported: {run:?}");
        assert!(
            run.code == Some(0) || run.stderr.contains("error") || run.stdout.contains("refused"),
            "{run:?}"
        );
        let again = installation.import_with(&["--replace"], device("alice"));
        assert_eq!(again.code, Some(0), "call {first}: {again:?}");
        assert_is_sound(&installation, &format!("call {first}"));
        if is_over {
            break;
        }
        failures += 1;
        disk.remove_all();
    }
    tell(&format!("{failures} failures while a store is made: each was told of, and the next try made it"));
    assert!(failures > 10, "{failures}");
}
