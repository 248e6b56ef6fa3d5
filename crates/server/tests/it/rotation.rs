//! From one key to the next under accounts in use: no attempt is lost, nothing goes back to an old key, and what
//! cannot be opened is named and left alone.

use crate::harness::clock::NOW;
use einmal::accounts::{
    Accounts, IssuerNames, Keyring, KeyringFile, LiveKeyring, OpenError, Reading, ResealNotice, ResealReport,
    UpdateError, read_record,
};
use einmal::entropy::SystemEntropy;
use einmal::store::sqlite::SqliteStore;
use einmal::store::{KeyId, SealedAccount, Store, SwapOutcome};
use einmal_core::Timestamp;
use einmal_core::account::{Account, AccountId, OtpTypes, Refusal, Verification};
use einmal_core::otp::{Algorithm, Code, Secret, Totp};
use einmal_core::policy::Policy;
use serde_json::json;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tempfile::TempDir;
use tokio::task::JoinSet;

const SECRET: &str = "PBVDSNDDKZ4HGZ3UG5CHUUSEMJCTCSCU";

/// A store and a keyring's file, on which there may be several servers.
struct Site {
    directory: TempDir,
    keyring: KeyringFile,
}

impl Site {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let keyring = KeyringFile::private(directory.path().join("einmal.keys"));
        keyring.create(&SystemEntropy).unwrap();
        Self { directory, keyring }
    }

    fn database(&self) -> PathBuf {
        self.directory.path().join("einmal.db")
    }

    fn store(&self) -> Arc<dyn Store> {
        Arc::new(SqliteStore::open(&self.database()).unwrap())
    }

    /// A server that notices what becomes of the file.
    async fn server(&self) -> Accounts {
        let keyring = LiveKeyring::of_file(self.keyring.clone()).unwrap();
        Accounts::open(self.store(), keyring, Arc::new(SystemEntropy)).await.unwrap()
    }

    /// One that will never notice anything, with the keys as they are now.
    async fn stale_server(&self) -> Accounts {
        Accounts::open(self.store(), self.keys(), Arc::new(SystemEntropy)).await.unwrap()
    }

    fn keys(&self) -> Keyring {
        Keyring::parse(&fs::read_to_string(&self.keyring.path).unwrap()).unwrap()
    }

    fn rotate(&self) -> KeyId {
        self.keyring.rotate(&SystemEntropy).unwrap();
        self.keyring.promote().unwrap().to
    }

    fn damage(&self, sql: &str) {
        rusqlite::Connection::open(self.database()).unwrap().execute_batch(sql).unwrap();
    }
}

fn first(keyring: &Keyring) -> KeyId {
    keyring.keys().next().unwrap().0
}

fn id(subject: &str) -> AccountId {
    AccountId::new("main", subject)
}

fn subjects(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("user-{number:04}")).collect()
}

/// Makes accounts with one device each.
async fn make(accounts: &Accounts, subjects: &[String]) {
    let (issuers, policy) = (IssuerNames(vec!["main".into()]), Policy::default());
    let now = Timestamp::from_seconds(NOW);
    let reading = Reading { issuers: &issuers, policy: &policy, entropy: &SystemEntropy, now };
    let record = |subject: &String| {
        let line = json!({ "id": subject, "deviceTotps": [{ "secret": SECRET }] }).to_string();
        let account = read_record(&line, &reading).unwrap();
        (account.id, account.account)
    };
    let records: Vec<_> = subjects.iter().map(record).collect();
    let made = accounts.insert(records.iter().map(|(id, account)| (id, account))).await.unwrap();
    assert!(made.iter().all(|outcome| *outcome == SwapOutcome::Swapped));
}

/// Verifies the code of some step from [`NOW`], at its time.
async fn verify(accounts: &Accounts, subject: &str, step: u64) -> Result<Option<Verification>, UpdateError> {
    let totp = Totp::new(Secret::from_base32(SECRET).unwrap(), Algorithm::Sha1, 6, 30).unwrap();
    let at = Timestamp::from_seconds(NOW + 30 * step);
    let code = Code::parse(totp.code_at(totp.step_at(at)).as_str()).unwrap();
    let decide = move |account: &mut Account| account.verify(&code, OtpTypes::ALL, at, &Policy::default());
    accounts.update(id(subject), decide).await
}

async fn stored(accounts: &Accounts, subject: &str) -> SealedAccount {
    accounts.store().load_many(vec![id(subject)]).await.unwrap().remove(0).unwrap()
}

/// Keys of guard and vault.
async fn keys_of(accounts: &Accounts, subject: &str) -> (KeyId, KeyId) {
    let stored = stored(accounts, subject).await;
    (stored.guard.key_id, stored.vault.key_id)
}

/// Reseals, and tells for whom it failed.
async fn reseal(accounts: &Accounts) -> (ResealReport, Vec<String>) {
    let mut failed = Vec::new();
    let report = accounts.reseal(|notice| {
        if let ResealNotice::Failed { id, error } = notice {
            failed.push(format!("{}: {error}", id.subject()));
        }
    });
    (report.await.unwrap(), failed)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_two_keyrings_that_open_a_new_store_at_once_one_wins() {
    for _ in 0..20 {
        let site = Site::new();
        let stores = [site.store(), site.store()];
        let opened = stores.map(|store| {
            let keyring = Keyring::parse(&Keyring::generate(&SystemEntropy).unwrap()).unwrap();
            tokio::spawn(async move { Accounts::open(store, keyring, Arc::new(SystemEntropy)).await.err() })
        });
        let mut refused = Vec::new();
        for opener in opened {
            refused.extend(opener.await.unwrap());
        }
        assert!(matches!(refused.as_slice(), [OpenError::WrongKeyring(_)]), "{refused:?}");
    }
}

#[tokio::test]
async fn a_server_that_meets_a_key_it_does_not_know_reads_the_keyring_again() {
    let site = Site::new();
    let server = site.server().await;
    make(&server, &subjects(1)).await;
    let new = site.rotate();
    let (report, _) = reseal(&site.server().await).await;
    assert_eq!(report, ResealReport { accounts: 1, resealed: 1, failed: 0 });
    assert_eq!(verify(&server, "user-0000", 0).await.unwrap(), Some(Verification::Accepted));
    assert_eq!(keys_of(&server, "user-0000").await, (new, new));
}

#[tokio::test]
async fn what_needs_a_key_that_is_in_no_keyring_fails_and_all_else_goes_on() {
    let site = Site::new();
    let server = site.server().await;
    make(&server, &subjects(2)).await;
    site.damage("UPDATE guard SET key_id = 7 WHERE subject = 'user-0000'");
    let failed = verify(&server, "user-0000", 0).await.unwrap_err().to_string();
    assert_eq!(failed, "the keyring has no key 00000007");
    fs::remove_file(&site.keyring.path).unwrap();
    assert_eq!(verify(&server, "user-0000", 0).await.unwrap_err().to_string(), failed, "and without a file");
    assert_eq!(verify(&server, "user-0001", 0).await.unwrap(), Some(Verification::Accepted));
}

/// However late a server notices, its rows prove to it that the key was promoted.
#[tokio::test]
async fn an_account_that_was_resealed_never_goes_back_to_the_old_key() {
    let site = Site::new();
    let server = site.server().await;
    make(&server, &subjects(2)).await;
    let old = first(&server.keyring().current());
    site.keyring.rotate(&SystemEntropy).unwrap();
    let stale = site.stale_server().await;
    let new = site.keyring.promote().unwrap().to;

    assert_eq!(verify(&stale, "user-0000", 0).await.unwrap(), Some(Verification::Accepted));
    assert_eq!(keys_of(&stale, "user-0000").await, (old, old), "it knows no better");
    let (report, failed) = reseal(&site.server().await).await;
    assert_eq!((report.resealed, failed), (2, Vec::new()));
    for subject in subjects(2) {
        assert_eq!(verify(&stale, &subject, 1).await.unwrap(), Some(Verification::Accepted));
        assert_eq!(keys_of(&stale, &subject).await, (new, new));
    }
    assert!(!stale.key_use().await.unwrap().needs(old));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn resealing_beside_attempts_loses_no_update_and_no_last_step() {
    const STEPS: u64 = 8;
    let site = Site::new();
    let servers = [site.server().await, site.server().await];
    // More than a page.
    let subjects = subjects(700);
    make(&servers[0], &subjects).await;

    let done = Arc::new(AtomicUsize::new(0));
    let mut attempts = JoinSet::new();
    for (worker, part) in subjects.chunks(50).enumerate() {
        let (servers, part, done) = (servers.clone(), part.to_vec(), Arc::clone(&done));
        attempts.spawn(async move {
            for step in 0..STEPS {
                for (number, subject) in part.iter().enumerate() {
                    let verified = verify(&servers[(worker + number) % 2], subject, step).await;
                    assert_eq!(verified.unwrap(), Some(Verification::Accepted), "{subject}, {step}");
                    done.fetch_add(1, Ordering::Relaxed);
                }
            }
        });
    }
    let mut newest = 0;
    for _ in 0..3 {
        newest = site.rotate();
        let (report, failed) = reseal(&site.server().await).await;
        assert_eq!((report.accounts, report.failed, failed), (700, 0, Vec::new()));
    }
    assert!(done.load(Ordering::Relaxed) < 8 * 700, "the attempts were over before the keys had changed");
    attempts.join_all().await;

    let key_use = servers[0].key_use().await.unwrap();
    assert_eq!(key_use.rows.keys().collect::<Vec<_>>(), [&newest]);
    assert_eq!(key_use.check_value, newest);
    for subject in subjects {
        let replayed = verify(&servers[0], &subject, STEPS - 1).await.unwrap();
        assert_eq!(replayed, Some(Verification::Refused(Refusal::Replayed)), "{subject}");
    }
}

#[tokio::test]
async fn resealing_writes_both_parts_with_new_versions_and_a_second_time_nothing() {
    let site = Site::new();
    let server = site.server().await;
    make(&server, &subjects(1)).await;
    let before = stored(&server, "user-0000").await;
    let new = site.rotate();
    let resealing = site.server().await;
    assert_eq!(reseal(&resealing).await.0.resealed, 1);
    let after = stored(&server, "user-0000").await;
    assert_eq!((after.guard.key_id, after.vault.key_id), (new, new));
    assert_ne!(before.guard.version, after.guard.version);
    assert_ne!(before.vault.version, after.vault.version);
    assert_eq!(reseal(&resealing).await.0, ResealReport { accounts: 1, resealed: 0, failed: 0 });
    assert_eq!(stored(&server, "user-0000").await, after);
}

/// As an attempt leaves it that came after the promotion: it writes the guard alone.
#[tokio::test]
async fn a_vault_under_the_old_key_beside_a_guard_under_the_new_is_resealed() {
    let site = Site::new();
    let server = site.server().await;
    make(&server, &subjects(1)).await;
    let old = first(&server.keyring().current());
    let new = site.rotate();
    let newer = site.server().await;
    verify(&newer, "user-0000", 0).await.unwrap();
    assert_eq!(keys_of(&newer, "user-0000").await, (new, old));
    assert_eq!(reseal(&newer).await.0.resealed, 1);
    assert_eq!(keys_of(&newer, "user-0000").await, (new, new));
    let replayed = verify(&server, "user-0000", 0).await.unwrap();
    assert_eq!(replayed, Some(Verification::Refused(Refusal::Replayed)));
}

#[tokio::test]
async fn damaged_and_swapped_rows_are_named_left_alone_and_stop_nothing() {
    let site = Site::new();
    let server = site.server().await;
    let subjects = subjects(8);
    make(&server, &subjects).await;
    site.damage(
        "UPDATE guard SET sealed = zeroblob(80) WHERE subject = 'user-0000';
         UPDATE guard SET key_id = 7 WHERE subject = 'user-0001';
         DELETE FROM vault WHERE subject = 'user-0002';
         UPDATE guard SET subject = 'aside' WHERE subject = 'user-0003';
         UPDATE guard SET subject = 'user-0003' WHERE subject = 'user-0004';
         UPDATE guard SET subject = 'user-0004' WHERE subject = 'aside';
         UPDATE vault SET version = version + 1 WHERE subject = 'user-0005';",
    );
    let new = site.rotate();
    let resealing = site.server().await;
    let (report, mut failed) = reseal(&resealing).await;
    assert_eq!(report, ResealReport { accounts: 8, resealed: 2, failed: 6 });
    failed.sort();
    let named: Vec<_> = failed.iter().map(|line| line.split(':').next().unwrap()).collect();
    assert_eq!(named, &subjects[..6], "{failed:?}");
    assert!(failed[1].ends_with("the keyring has no key 00000007"), "{failed:?}");
    for subject in &subjects[6..] {
        assert_eq!(keys_of(&resealing, subject).await, (new, new));
        assert_eq!(verify(&resealing, subject, 0).await.unwrap(), Some(Verification::Accepted));
    }
    let key_use = resealing.key_use().await.unwrap();
    assert_eq!(key_use.unreadable, 1);
    assert_eq!(key_use.rows_of(new).guards, 2);
    assert_eq!(key_use.rows_of(7).guards, 1);
}

#[tokio::test]
async fn after_resealing_a_keyring_without_the_new_key_does_not_open_the_store() {
    let site = Site::new();
    let server = site.server().await;
    make(&server, &subjects(1)).await;
    let open = async |keyring| Accounts::open(site.store(), keyring, Arc::new(SystemEntropy)).await;
    let (old_file, old) = (fs::read_to_string(&site.keyring.path).unwrap(), first(&site.keys()));
    site.rotate();
    reseal(&site.server().await).await;
    site.keyring.retire(old).unwrap();
    assert!(open(site.keys()).await.is_ok());
    let refused = open(Keyring::parse(&old_file).unwrap()).await.err();
    assert!(matches!(refused, Some(OpenError::WrongKeyring(_))), "{refused:?}");
}
