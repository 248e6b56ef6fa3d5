//! A copy that is interrupted, disturbed or given up: however it goes, there is never more than one store that serves, and
//! never none without a way on.

use crate::api::credential;
use crate::harness::service::SECRET;
use einmal::accounts::{Accounts, Copy, CopyError, CopyNotice, Keyring, KeyringFile, reopen_without_target};
use einmal::entropy::SystemEntropy;
use einmal::metrics::Metrics;
use einmal::store::sqlite::SqliteStore;
use einmal::store::{Fence, Migration, fence_of};
use einmal_core::account::{Account, AccountId};
use std::cell::Cell;
use std::fs;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use tempfile::TempDir;

const ACCOUNTS: usize = 2_500;

fn device() -> Account {
    Account { devices: vec![credential(SECRET)], ..Account::default() }
}

struct Site {
    directory: TempDir,
    source: Accounts,
    target: Accounts,
}

fn id(number: usize) -> AccountId {
    AccountId::new("main", format!("user-{number:04}"))
}

impl Site {
    async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let file = KeyringFile::private(directory.path().join("einmal.keys"));
        file.create(&SystemEntropy).unwrap();
        let source = open(&directory, "source").await;
        let account = device();
        let ids: Vec<_> = (0..ACCOUNTS).map(id).collect();
        source.insert(ids.iter().map(|id| (id, &account))).await.unwrap();
        Self { source, target: open(&directory, "target").await, directory }
    }

    async fn copy(&self) -> Copy<'_> {
        Copy::between((&self.source, "source"), (&self.target, "target")).await.unwrap()
    }

    /// The same as other processes have it, which have not opened it behind a fence.
    async fn can_serve(&self) -> (bool, bool) {
        let mut can = Vec::new();
        for name in ["source", "target"] {
            let store = SqliteStore::open(&self.directory.path().join(name)).unwrap();
            let probed = einmal::store::Store::probe(&store).await.is_ok();
            assert_eq!(fence_of(&store).await.unwrap().is_none(), probed, "{name}: its mark says so, too");
            can.push(probed);
        }
        (can[0], can[1])
    }

    async fn holds_all(&self, accounts: &Accounts) {
        let checked = accounts.check(|_| {}).await.unwrap();
        assert_eq!((checked.accounts, checked.faults), (ACCOUNTS as u64, 0));
    }
}

async fn open(directory: &TempDir, name: &str) -> Accounts {
    let keyring = fs::read_to_string(directory.path().join("einmal.keys")).unwrap();
    let (path, metrics) = (directory.path().join(name), Metrics::default());
    let store = SqliteStore::open_behind_fence(&path, Migration::Apply, &metrics.store).unwrap();
    let keyring = Keyring::parse(&keyring).unwrap();
    Accounts::open(Arc::new(store), keyring, Arc::new(SystemEntropy)).await.unwrap()
}

/// Where a copy is cut off, as by kill -9.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    Copying,
    Closed,
}

/// Runs until then and no further.
async fn interrupted(copy: &Copy<'_>, resume: bool, at: At) {
    let reached = Cell::new(false);
    let mut run = pin!(copy.run(resume, |notice| {
        let now = match notice {
            CopyNotice::Progress { .. } => At::Copying,
            CopyNotice::Closing => At::Closed,
            other => panic!("{other:?}"),
        };
        reached.set(reached.get() || now == at);
    }));
    poll_fn(|context| {
        assert!(run.as_mut().poll(context).is_pending(), "it was not interrupted");
        if reached.get() { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_that_is_cut_off_is_gone_on_with_wherever_that_was() {
    for at in [At::Copying, At::Closed] {
        let site = Site::new().await;
        let copy = site.copy().await;
        interrupted(&copy, false, at).await;
        assert_eq!(site.can_serve().await, (at == At::Copying, false), "{at:?}");
        let Err(CopyError::Unfinished(of)) = copy.run(false, |_| {}).await else { panic!("begun anew") };
        assert_eq!(of, "source");
        interrupted(&copy, true, at).await;
        assert_eq!(site.can_serve().await, (at == At::Copying, false), "{at:?}, again");
        let report = copy.run(true, |_| {}).await.unwrap().unwrap();
        assert_eq!(report.accounts, ACCOUNTS as u64);
        assert_eq!(site.can_serve().await, (false, true), "{at:?}");
        site.holds_all(&site.target).await;
        assert_eq!(copy.run(true, |_| {}).await.unwrap(), None, "it is over");
        assert!(matches!(copy.run(false, |_| {}).await, Err(CopyError::Gone(_))));
        assert!(matches!(copy.cancel().await, Err(CopyError::TakenOver)));
        assert_eq!(site.can_serve().await, (false, true), "{at:?}, still");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_that_is_given_up_lets_the_source_serve_and_can_be_begun_again() {
    for at in [At::Copying, At::Closed] {
        let site = Site::new().await;
        let copy = site.copy().await;
        interrupted(&copy, false, at).await;
        copy.cancel().await.unwrap();
        assert_eq!(site.can_serve().await, (true, false), "{at:?}");
        copy.cancel().await.unwrap();
        site.source.store().delete(id(7)).await.unwrap();
        let report = copy.run(true, |_| {}).await.unwrap().unwrap();
        assert_eq!(report.accounts, ACCOUNTS as u64 - 1);
        assert_eq!(report.deleted, 1, "{at:?}: it was there from the first time");
        assert_eq!(site.can_serve().await, (false, true), "{at:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_goes_on_with_a_copy_takes_it_from_whoever_still_works_on_it() {
    let site = Site::new().await;
    let copy = site.copy().await;
    let other = site.copy().await;
    let mut taken = false;
    let Err(error) = copy
        .run(false, |notice| {
            if matches!(notice, CopyNotice::Closing) && !taken {
                taken = true;
                blocking(other.cancel()).unwrap();
            }
        })
        .await
    else {
        panic!("finished")
    };
    assert!(matches!(error, CopyError::LeftClosed { .. }), "{error}");
    let (source, target) = site.can_serve().await;
    assert!(!target, "given up is given up");
    assert!(source, "and the one who gave up has opened it");
}

/// From within the notice, on this thread.
fn blocking<T>(future: impl Future<Output = T>) -> T {
    tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(future))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_of_somebody_else_into_the_target_opens_the_source_again() {
    let site = Site::new().await;
    let copy = site.copy().await;
    let mut disturbed = false;
    let told = Cell::new(false);
    let outcome = copy
        .run(false, |notice| match notice {
            // A program that has opened it behind the fence as well.
            CopyNotice::Closing if !disturbed => {
                disturbed = true;
                let account = device();
                let other = AccountId::new("main", "zzz");
                blocking(site.target.insert([(&other, &account)])).unwrap();
                let run = fence(&site.target);
                let mark = Fence::CopyOf { source: "another".to_owned(), run: 1 };
                blocking(site.target.store().swap_fence(run, Some(mark))).unwrap();
            }
            CopyNotice::OpenAgain => told.set(true),
            _ => {}
        })
        .await;
    // Nobody knows whether the other one has finished it.
    assert!(matches!(outcome, Err(CopyError::LeftClosed { .. })), "{outcome:?}");
    assert!(!told.get());
    assert_eq!(site.can_serve().await, (false, false));
    copy.run(true, |_| {}).await.unwrap();
    site.holds_all(&site.target).await;
    assert_eq!(site.can_serve().await, (false, true));
}

fn fence(accounts: &Accounts) -> Option<Fence> {
    blocking(fence_of(accounts.store().as_ref())).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_target_that_fails_in_the_end_opens_the_source_again() {
    let site = Site::new().await;
    let copy = site.copy().await;
    let mut told = Vec::new();
    let damage = rusqlite::Connection::open(site.directory.path().join("source")).unwrap();
    let outcome = copy
        .run(false, |notice| match notice {
            // Also what is not written through a store: triggers know nothing of it.
            CopyNotice::Closing => {
                damage
                    .execute_batch(
                        "DROP TRIGGER fence_guard_update;
                         UPDATE guard SET sealed = x'00' WHERE subject = 'user-0007'",
                    )
                    .unwrap();
                told.push("closing");
            }
            CopyNotice::OpenAgain => told.push("open again"),
            _ => {}
        })
        .await;
    assert!(matches!(outcome, Err(CopyError::Damaged(_))), "{outcome:?}");
    assert_eq!(told, ["closing", "open again"]);
    assert_eq!(site.can_serve().await, (true, false));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_target_that_is_lost_the_source_can_be_told() {
    let site = Site::new().await;
    assert!(matches!(reopen_without_target(&site.source).await, Err(CopyError::NotUnderWay)));
    let copy = site.copy().await;
    interrupted(&copy, false, At::Closed).await;
    reopen_without_target(&site.source).await.unwrap();
    assert_eq!(site.can_serve().await, (true, false));
    // It comes back, and must not be finished by whoever has not heard of it.
    assert!(copy.run(false, |_| {}).await.is_err());
    assert_eq!(site.can_serve().await, (true, false));
}
