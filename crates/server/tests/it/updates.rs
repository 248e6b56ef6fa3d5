//! The loop that makes decisions durable, over a store that loses rounds and answers.

use crate::harness::clock::{HandClock, NOW};
use crate::harness::ended_runtime::assert_in_vain;
use einmal::accounts::{Accounts, IssuerNames, Keyring, Reading, UpdateError, read_record};
use einmal::entropy::SystemEntropy;
use einmal::events::{By, Events, Origin, Output};
use einmal::metrics::Metrics;
use einmal::store::sqlite::SqliteStore;
use einmal::store::{Fence, Inspection, SealedAccount, Store, StoreError, StoreFuture, Swap, SwapOutcome};
use einmal_core::Timestamp;
use einmal_core::account::{Account, AccountId, OtpTypes, Refusal, StoredHash, Verification};
use einmal_core::otp::Code;
use einmal_core::policy::Policy;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tempfile::TempDir;

/// A real store, but the next so many swaps are lost to somebody else, who may have deleted the account, or committed
/// without an answer.
struct Unlucky {
    store: SqliteStore,
    lost: AtomicUsize,
    deleted: AtomicUsize,
    unanswered: AtomicUsize,
    swaps: AtomicUsize,
}

fn take_one(counter: &AtomicUsize) -> bool {
    counter.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok()
}

impl Store for Unlucky {
    fn load_many(&self, ids: Vec<AccountId>) -> StoreFuture<'_, Vec<Option<SealedAccount>>> {
        self.store.load_many(ids)
    }

    fn swap_many(&self, swaps: Vec<Swap>) -> StoreFuture<'_, Vec<SwapOutcome>> {
        self.swaps.fetch_add(1, Ordering::SeqCst);
        if take_one(&self.lost) {
            let outcomes = vec![SwapOutcome::Conflict; swaps.len()];
            return Box::pin(async { Ok(outcomes) });
        }
        if take_one(&self.deleted) {
            return Box::pin(async move {
                for swap in &swaps {
                    self.store.delete(swap.id.clone()).await?;
                }
                self.store.swap_many(swaps).await
            });
        }
        Box::pin(async move {
            let outcomes = self.store.swap_many(swaps).await?;
            if take_one(&self.unanswered) {
                return Err(StoreError::Unavailable("the connection broke after the commit".to_owned()));
            }
            Ok(outcomes)
        })
    }

    fn delete(&self, id: AccountId) -> StoreFuture<'_, bool> {
        self.store.delete(id)
    }

    fn scan(
        &self,
        after: Option<AccountId>,
        limit: usize,
    ) -> StoreFuture<'_, Vec<(AccountId, SealedAccount)>> {
        self.store.scan(after, limit)
    }

    fn ids(&self, after: Option<AccountId>, limit: usize) -> StoreFuture<'_, Vec<AccountId>> {
        self.store.ids(after, limit)
    }

    fn property(&self, name: &'static str) -> StoreFuture<'_, Option<Vec<u8>>> {
        self.store.property(name)
    }

    fn swap_fence(&self, expected: Option<Fence>, fence: Option<Fence>) -> StoreFuture<'_, SwapOutcome> {
        self.store.swap_fence(expected, fence)
    }

    fn check(&self) -> StoreFuture<'_, Inspection> {
        self.store.check()
    }

    fn swap_property(
        &self,
        name: &'static str,
        expected: Option<Vec<u8>>,
        value: Vec<u8>,
    ) -> StoreFuture<'_, SwapOutcome> {
        self.store.swap_property(name, expected, value)
    }

    fn probe(&self) -> StoreFuture<'_, ()> {
        self.store.probe()
    }
}

struct World {
    accounts: Accounts,
    store: Arc<Unlucky>,
    directory: TempDir,
}

const AT: Timestamp = Timestamp::from_seconds(NOW);

impl World {
    /// With one account that has one device.
    async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let store = Arc::new(Unlucky {
            store: SqliteStore::open(&directory.path().join("einmal.db")).unwrap(),
            lost: AtomicUsize::new(0),
            deleted: AtomicUsize::new(0),
            unanswered: AtomicUsize::new(0),
            swaps: AtomicUsize::new(0),
        });
        let keyring = Keyring::parse(&Keyring::generate(&SystemEntropy).unwrap()).unwrap();
        let shared = Arc::clone(&store);
        let accounts = Accounts::open(shared, keyring, Arc::new(SystemEntropy)).await.unwrap();
        let issuers = IssuerNames(vec!["main".into()]);
        let policy = Policy::default();
        let reading = Reading { issuers: &issuers, policy: &policy, entropy: &SystemEntropy, now: AT };
        let record = r#"{"id":"alice","deviceTotps":[{"secret":"PBVDSNDDKZ4HGZ3UG5CHUUSEMJCTCSCU"}]}"#;
        let alice = read_record(record, &reading).unwrap();
        accounts.insert([(&alice.id, &alice.account)]).await.unwrap();
        store.swaps.store(0, Ordering::SeqCst);
        Self { accounts, store, directory }
    }

    async fn verify(&self, code: &str) -> Result<Option<Verification>, UpdateError> {
        let code = Code::parse(code).unwrap();
        let decide =
            move |account: &mut Account| account.verify(&code, OtpTypes::ALL, AT, &Policy::default());
        self.accounts.update(AccountId::new("main", "alice"), decide).await
    }

    fn swaps(&self) -> usize {
        self.store.swaps.swap(0, Ordering::SeqCst)
    }
}

/// The device's code at [`AT`], and a wrong one.
fn codes() -> (String, String) {
    let secret = einmal_core::otp::Secret::from_base32("PBVDSNDDKZ4HGZ3UG5CHUUSEMJCTCSCU").unwrap();
    let totp = einmal_core::otp::Totp::new(secret, einmal_core::otp::Algorithm::Sha1, 6, 30).unwrap();
    let near: Vec<String> = (-1..=1)
        .map(|by| totp.code_at(totp.step_at(AT).saturating_add_signed(by)).as_str().to_owned())
        .collect();
    let wrong =
        ["111111", "222222", "333333", "444444"].into_iter().find(|code| !near.contains(&(*code).to_owned()));
    (near[1].clone(), wrong.unwrap().to_owned())
}

#[tokio::test]
async fn an_attempt_that_loses_some_rounds_is_decided_on_the_newest_state() {
    let (world, (right, _)) = (World::new().await, codes());
    world.store.lost.store(7, Ordering::SeqCst);
    assert_eq!(world.verify(&right).await.unwrap(), Some(Verification::Accepted));
    assert_eq!(world.swaps(), 8);
    assert_eq!(world.accounts.metrics().updates.conflicts.get(), 7);
}

#[tokio::test]
async fn an_attempt_that_loses_8_rounds_and_must_change_something_is_no_success_and_no_refusal() {
    let (world, (right, wrong)) = (World::new().await, codes());
    for code in [&right, &wrong] {
        world.store.lost.store(8, Ordering::SeqCst);
        assert!(matches!(world.verify(code).await, Err(UpdateError::Contended)));
        assert_eq!(world.swaps(), 8);
    }
    assert_eq!(world.verify(&right).await.unwrap(), Some(Verification::Accepted), "nothing had changed");
}

#[tokio::test]
async fn a_replay_that_loses_8_rounds_is_answered_from_a_fresh_read() {
    let (world, (right, _)) = (World::new().await, codes());
    assert_eq!(world.verify(&right).await.unwrap(), Some(Verification::Accepted));
    world.swaps();
    world.store.lost.store(8, Ordering::SeqCst);
    assert_eq!(world.verify(&right).await.unwrap(), Some(Verification::Refused(Refusal::Replayed)));
    assert_eq!(world.swaps(), 8);
}

#[tokio::test]
async fn every_attempt_that_was_looked_at_writes_and_one_that_was_not_does_not() {
    let (world, (right, wrong)) = (World::new().await, codes());
    for code in [&right, &right, &wrong, &wrong, &wrong, &wrong, &wrong] {
        world.verify(code).await.unwrap();
        assert_eq!(world.swaps(), 1);
    }
    assert!(matches!(world.verify(&right).await.unwrap(), Some(Verification::Throttled(_))));
    assert_eq!(world.swaps(), 0);
}

#[tokio::test]
async fn a_commit_without_an_answer_is_never_settled_by_reading_back() {
    let (world, (right, _)) = (World::new().await, codes());
    world.store.unanswered.store(1, Ordering::SeqCst);
    let answer = world.verify(&right).await;
    assert!(matches!(answer, Err(UpdateError::Store(StoreError::Unavailable(_)))));
    assert_eq!(world.swaps(), 1);
    assert_eq!(world.verify(&right).await.unwrap(), Some(Verification::Refused(Refusal::Replayed)));
}

#[tokio::test]
async fn where_there_is_no_account_none_is_made() {
    let world = World::new().await;
    let decide = |account: &mut Account| {
        account.verify(&Code::parse("111111").unwrap(), OtpTypes::ALL, AT, &Policy::default())
    };
    let stranger = AccountId::new("main", "nobody");
    assert_eq!(world.accounts.update(stranger.clone(), decide).await.unwrap(), None);
    assert_eq!(world.store.load_many(vec![stranger]).await.unwrap(), [None]);
    assert_eq!(world.swaps(), 0);
}

#[tokio::test]
async fn what_was_lost_to_the_deletion_of_the_account_is_no_event() {
    let (world, alice) = (World::new().await, AccountId::new("main", "alice"));
    let path = world.directory.path().join("events.jsonl");
    let events = Events::open(Some(&Output::File(path.clone())), Metrics::default().events).unwrap();
    let reporter = events.reporter(|| {
        let by = By::Owner { client: None };
        Origin { account: alice.clone(), by, request_id: "r-1".into() }
    });
    let accounts = world.accounts.reporting(&reporter);
    let set_pin = |account: &mut Account| account.set_pin(StoredHash::new("$pin"), AT);
    accounts.change(alice.clone(), set_pin).await.unwrap();
    world.store.deleted.store(1, Ordering::SeqCst);
    assert_eq!(accounts.change(alice, set_pin).await.unwrap(), None, "there is no account");
    let ending = events.ending();
    drop((events, reporter, accounts));
    ending.wait().await;
    assert_eq!(std::fs::read_to_string(path).unwrap().lines().count(), 1, "that of the first change");
}

#[tokio::test]
async fn an_attempt_that_panics_fails_alone() {
    let (world, (right, _)) = (World::new().await, codes());
    let alice = AccountId::new("main", "alice");
    let panicking = |_: &mut Account| -> Verification { panic!("a fault of ours") };
    assert!(matches!(world.accounts.update(alice, panicking).await, Err(UpdateError::Panicked)));
    assert_eq!(world.verify(&right).await.unwrap(), Some(Verification::Accepted));
}

#[test]
fn who_asks_for_a_mail_while_the_runtime_closes_is_told_and_waits_for_nothing() {
    assert_in_vain(World::new, |world| {
        let (id, policy) = (AccountId::new("main", "alice"), Arc::default());
        let mailed = world.accounts.mail_code(id, HandClock::new(), policy, async |_, _| Ok(()));
        Box::pin(async { matches!(mailed.await, Err(error) if matches!(*error, UpdateError::Panicked)) })
    });
}
