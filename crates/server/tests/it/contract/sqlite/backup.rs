//! Copies of a database that is in use.

use super::super::Place;
use super::super::accounts::{account, birth, create, id, load, part, swap, turn_both};
use super::SqlitePlace;
use einmal::store::Migration;
use einmal::store::SwapOutcome::Swapped;
use einmal::store::sqlite::{BackupError, OpenError, SqliteStore};
use einmal::store::{Store, Swap};
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

fn back_up(file: &Path, target: &Path) -> Result<(), BackupError> {
    SqliteStore::open_with(file, Migration::Keep)?.back_up(target, &mut |_, _| {})
}

/// Changes both parts of an account as fast as it can, and counts.
async fn write(store: Arc<dyn Store>, number: u64, commits: Arc<AtomicU64>, done: Arc<AtomicBool>) {
    let id = id(&format!("writer-{number}"));
    for version in 0.. {
        if done.load(Ordering::Relaxed) {
            break;
        }
        assert_eq!(swap(&*store, turn_both(&id, version, version + 1)).await, Swapped);
        commits.fetch_add(1, Ordering::SeqCst);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_copy_is_one_moment_and_ends_though_writers_never_pause_and_do_not_wait_for_it() {
    let place = SqlitePlace::new();
    let store = place.open();
    let mut large = part("", 1);
    large.sealed = vec![7; 64 << 10];
    let births = (0..100).map(|number| Swap { guard: large.clone(), ..birth(&id(&number.to_string()), 1) });
    store.swap_many(births.collect()).await.unwrap();
    for number in 0..8 {
        create(&*store, &id(&format!("writer-{number}")), 0).await;
    }
    let (commits, done) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
    let writers: Vec<_> = (0..8)
        .map(|number| {
            tokio::spawn(write(Arc::clone(&store), number, Arc::clone(&commits), Arc::clone(&done)))
        })
        .collect();

    let (file, target) = (place.file(), place.directory().join("copy.db"));
    let (seen, copy) = (Arc::clone(&commits), target.clone());
    let steps = tokio::task::spawn_blocking(move || {
        let (mut steps, mut last) = (0, (0, 0));
        let mut between_steps = |done, total| {
            (steps, last) = (steps + 1, (done, total));
            assert!(steps < 100, "the copy begins anew with every commit");
            let (before, deadline) = (seen.load(Ordering::SeqCst), Instant::now() + Duration::from_secs(10));
            while seen.load(Ordering::SeqCst) < before + 10 {
                assert!(Instant::now() < deadline, "writers wait for the copy");
                std::thread::yield_now();
            }
        };
        let store = SqliteStore::open_with(&file, Migration::Keep).unwrap();
        store.back_up(&copy, &mut between_steps).unwrap();
        assert_eq!(last.0, last.1);
        assert_eq!(last.1, fs::metadata(&copy).unwrap().len());
        steps
    });
    assert!(steps.await.unwrap() >= 6, "one step for each MiB");
    done.store(true, Ordering::Relaxed);
    for writer in writers {
        writer.await.unwrap();
    }

    let copy = SqliteStore::open(&target).unwrap();
    assert_eq!(copy.check().await.unwrap().faults, [""; 0]);
    for number in 0..8 {
        // Written together, so together in the copy, and long since overtaken.
        let id = id(&format!("writer-{number}"));
        let copied = load(&copy, &id).await.unwrap();
        assert_eq!(copied, account(copied.guard.version));
        assert!(load(&*store, &id).await.unwrap().guard.version > copied.guard.version);
    }
    assert_eq!(load(&copy, &id("99")).await, load(&*store, &id("99")).await);
}

#[tokio::test]
async fn a_copy_is_one_file_for_its_owner_alone() {
    let place = SqlitePlace::new();
    let store = place.open();
    create(&*store, &id("a"), 1).await;
    let backups = place.directory().join("backups");
    fs::create_dir(&backups).unwrap();
    let target = backups.join("copy.db");
    back_up(&place.file(), &target).unwrap();
    let left: Vec<_> = fs::read_dir(&backups).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["copy.db"]);
    assert_eq!(fs::metadata(&target).unwrap().permissions().mode() & 0o777, 0o600);
    let raw = rusqlite::Connection::open(&target).unwrap();
    let mode: String = raw.pragma_query_one(None, "journal_mode").unwrap();
    assert_eq!(mode, "delete", "it can be read where nothing can be written");
    drop(raw);
    assert_eq!(load(&SqliteStore::open(&target).unwrap(), &id("a")).await, Some(account(1)));
}

#[tokio::test]
async fn a_copy_never_takes_the_place_of_anything() {
    let place = SqlitePlace::new();
    create(&*place.open(), &id("a"), 1).await;
    let at = |name: &str| place.directory().join(name);
    fs::write(at("file"), "precious").unwrap();
    symlink(at("nowhere"), at("link")).unwrap();
    for target in [at("file"), at("link"), at("data"), place.file()] {
        let error = back_up(&place.file(), &target).unwrap_err();
        assert!(matches!(error, BackupError::Exists(_)), "{error}");
        assert!(error.to_string().contains(target.to_str().unwrap()));
    }
    assert_eq!(fs::read(at("file")).unwrap(), b"precious");
    assert!(!at("nowhere").exists());
    let error = back_up(&place.file(), &at("not/there.db")).unwrap_err();
    assert!(matches!(error, BackupError::Io { .. }), "{error}");
}

#[tokio::test]
async fn a_copy_of_what_is_not_there_or_not_ours_is_refused_and_leaves_nothing() {
    let place = SqlitePlace::new();
    let target = place.directory().join("copy.db");
    let refused = |expected: fn(&OpenError) -> bool| {
        let error = back_up(&place.file(), &target).unwrap_err();
        assert!(matches!(&error, BackupError::Open(error) if expected(error)), "{error}");
        assert!(!target.exists());
    };
    refused(|error| matches!(error, OpenError::Absent(_)));
    assert!(!place.file().exists());
    fs::write(place.file(), b"not a database").unwrap();
    refused(|error| matches!(error, OpenError::NotADatabase(_)));
}

/// Which is the one to have before a migration.
#[tokio::test]
async fn a_copy_has_the_schema_of_its_original() {
    let place = SqlitePlace::new();
    drop(place.open());
    let version = |file: &Path| -> i64 {
        rusqlite::Connection::open(file).unwrap().pragma_query_one(None, "user_version").unwrap()
    };
    let known = version(&place.file());
    rusqlite::Connection::open(place.file()).unwrap().pragma_update(None, "user_version", known - 1).unwrap();
    let target = place.directory().join("copy.db");
    back_up(&place.file(), &target).unwrap();
    assert_eq!((version(&place.file()), version(&target)), (known - 1, known - 1));
}
