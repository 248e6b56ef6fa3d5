//! A copy that is interrupted, disturbed or given up: however it goes, there is never more than one store that serves, and
//! never none without a way on.

mod hooked;

use crate::api::credential;
use crate::harness::service::SECRET;
use einmal::accounts::{
    Accounts, Copy, CopyError, CopyNotice, CopyReport, Keyring, KeyringFile, Side, reopen_without_target,
};
use einmal::entropy::SystemEntropy;
use einmal::metrics::Metrics;
use einmal::store::sqlite::SqliteStore;
use einmal::store::{Expected, SealedAccount, Store, Swap, fence_of};
use einmal_core::account::{Account, AccountId};
use hooked::{Hooked, Moment};
use std::cell::Cell;
use std::fs;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::{Arc, Mutex};
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

    fn source(&self) -> Side<'_> {
        Side { accounts: &self.source, name: "source" }
    }

    /// One run, as one process has it.
    async fn copy(&self) -> Run<'_> {
        self.copy_to(&self.target).await
    }

    async fn copy_to<'a>(&'a self, target: &'a Accounts) -> Run<'a> {
        let target = Side { accounts: target, name: "target" };
        Run { copy: Copy::between(self.source(), target).await.unwrap(), site: self }
    }

    /// The same as other processes have it, which have not opened it behind a fence.
    async fn can_serve(&self) -> (bool, bool) {
        let mut can = Vec::new();
        for name in ["source", "target"] {
            let store = SqliteStore::open(&self.directory.path().join(name)).unwrap();
            let probed = store.probe().await.is_ok();
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

struct Run<'a> {
    copy: Copy<'a>,
    site: &'a Site,
}

impl Run<'_> {
    async fn run(
        &self,
        resume: bool,
        tell: impl FnMut(CopyNotice<'_>),
    ) -> Result<Option<CopyReport>, CopyError> {
        let (path, metrics) = (self.site.directory.path().join("target"), Metrics::default());
        let behind = SqliteStore::open_behind_fence(&path, &self.copy.mark(), &metrics.store).unwrap();
        self.copy.run(Arc::new(behind), resume, tell).await
    }

    async fn cancel(&self) -> Result<(), CopyError> {
        self.copy.cancel().await
    }
}

async fn open(directory: &TempDir, name: &str) -> Accounts {
    open_store(directory, Arc::new(SqliteStore::open(&directory.path().join(name)).unwrap())).await
}

async fn open_store(directory: &TempDir, store: Arc<dyn Store>) -> Accounts {
    let keyring = fs::read_to_string(directory.path().join("einmal.keys")).unwrap();
    let keyring = Keyring::parse(&keyring).unwrap();
    Accounts::open(store, keyring, Arc::new(SystemEntropy)).await.unwrap()
}

/// Where a copy is cut off, as by kill -9.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    Copying,
    Closed,
}

/// Runs until then and no further.
async fn interrupted(copy: &Run<'_>, resume: bool, at: At) {
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
        let Err(error) = copy.run(false, |_| {}).await else { panic!("begun anew") };
        let said = "the target is an unfinished copy of source; --resume goes on with it";
        assert_eq!(error.to_string(), said);
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

/// From within a notice, on this thread.
fn blocking<T>(future: impl Future<Output = T>) -> T {
    tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(future))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_gives_a_copy_up_takes_it_from_whoever_still_works_on_it() {
    let site = Site::new().await;
    let (copy, other) = (site.copy().await, site.copy().await);
    let outcome = copy
        .run(false, |notice| {
            if matches!(notice, CopyNotice::Closing) {
                blocking(other.cancel()).unwrap();
            }
        })
        .await;
    assert!(matches!(outcome, Err(CopyError::LeftClosed { .. })), "{outcome:?}");
    assert_eq!(site.can_serve().await, (true, false));
}

/// A terminal that was stopped, or a line that hung.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_stood_still_while_another_finished_changes_nothing_in_the_store_that_serves() {
    let site = Site::new().await;
    let (copy, other) = (site.copy().await, site.copy().await);
    let (mut passes, mut used) = (0, None);
    let outcome = copy
        .run(false, |notice| {
            let CopyNotice::Progress { accounts } = notice else { return };
            passes += usize::from(accounts == 1_000);
            if (passes, accounts) != (2, 1_000) {
                return;
            }
            passes += 1;
            blocking(async {
                assert!(other.run(true, |_| {}).await.unwrap().is_some());
                site.target.insert([(&AccountId::new("main", "new"), &device())]).await.unwrap();
                // As an attempt does.
                let SealedAccount { mut guard, .. } = row(&site.target, &id(2_400)).await.unwrap();
                let expected = Expected::Version(guard.version);
                guard.version ^= 1;
                let swap = Swap { id: id(2_400), expected, guard, vault: None };
                site.target.store().swap_many(vec![swap]).await.unwrap();
                used = row(&site.target, &id(2_400)).await;
            });
        })
        .await;
    assert!(outcome.is_err(), "{outcome:?}");
    assert_eq!(site.can_serve().await, (false, true));
    assert_eq!(row(&site.target, &id(2_400)).await, used);
    assert!(row(&site.target, &AccountId::new("main", "new")).await.is_some());
}

async fn row(accounts: &Accounts, id: &AccountId) -> Option<SealedAccount> {
    accounts.store().load_many(vec![id.clone()]).await.unwrap().pop().unwrap()
}

/// The accounts of a store of this name, and what happens when its fence is touched.
async fn hooked(site: &Site, name: &str, moment: Moment, hook: impl FnOnce() + Send + 'static) -> Accounts {
    let store = Arc::new(SqliteStore::open(&site.directory.path().join(name)).unwrap());
    let store = Hooked { store, moment, hook: Mutex::new(Some(Box::new(hook))) };
    open_store(&site.directory, Arc::new(store)).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_copy_that_is_given_up_while_another_goes_on_with_it_leaves_one_store_that_serves() {
    let site: &'static Site = Box::leak(Box::new(Site::new().await));
    interrupted(&site.copy().await, false, At::Closed).await;
    // It has read that the source is closed, and now somebody gives all of it up.
    let target = hooked(site, "target", Moment::FenceRead, move || {
        blocking(async { site.copy().await.cancel().await.unwrap() });
    })
    .await;
    let copy = site.copy_to(&target).await;
    let outcome = copy.run(true, |_| {}).await;
    assert!(matches!(outcome, Err(CopyError::Disturbed)), "{outcome:?}");
    assert_eq!(site.can_serve().await, (true, false));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_copy_that_is_finished_while_another_gives_it_up_leaves_one_store_that_serves() {
    let site: &'static Site = Box::leak(Box::new(Site::new().await));
    interrupted(&site.copy().await, false, At::Closed).await;
    // It has closed the target to everybody, is about to open the source, and now somebody finishes the copy.
    let source = hooked(site, "source", Moment::FenceSwap, move || {
        blocking(async { assert!(site.copy().await.run(true, |_| {}).await.unwrap().is_some()) });
    })
    .await;
    let target = Side { accounts: &site.target, name: "target" };
    let copy = Copy::between(Side { accounts: &source, name: "source" }, target).await.unwrap();
    let outcome = copy.cancel().await;
    assert!(matches!(outcome, Err(CopyError::Disturbed)), "{outcome:?}");
    assert_eq!(site.can_serve().await, (false, true));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unfinished_copy_of_another_store_is_left_alone() {
    let site = Site::new().await;
    interrupted(&site.copy().await, false, At::Closed).await;
    let other = open(&site.directory, "other").await;
    let target = Side { accounts: &site.target, name: "target" };
    let copy = Copy::between(Side { accounts: &other, name: "other" }, target).await.unwrap();
    let copy = Run { copy, site: &site };
    let refused = copy.run(true, |_| {}).await;
    assert!(matches!(refused, Err(CopyError::Unfinished { is_ours: false, .. })), "{refused:?}");
    assert!(matches!(copy.cancel().await, Err(CopyError::NotUnderWay)));
    assert!(site.copy().await.run(true, |_| {}).await.unwrap().is_some());
    site.holds_all(&site.target).await;
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
    assert!(matches!(outcome, Err(CopyError::Damaged { count: 1 })), "{outcome:?}");
    assert_eq!(told, ["closing", "open again"]);
    assert_eq!(site.can_serve().await, (true, false));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_target_that_is_lost_the_source_can_be_told() {
    let site = Site::new().await;
    assert!(matches!(reopen_without_target(site.source()).await, Err(CopyError::NotUnderWay)));
    let copy = site.copy().await;
    interrupted(&copy, false, At::Closed).await;
    reopen_without_target(site.source()).await.unwrap();
    assert_eq!(site.can_serve().await, (true, false));
    // It comes back, and must not be finished by whoever has not heard of it.
    assert!(copy.run(false, |_| {}).await.is_err());
    assert_eq!(site.can_serve().await, (true, false));
}
