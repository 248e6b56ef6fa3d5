//! The file goes away, is damaged, is held by somebody else: an error, never a false answer, and service
//! again at the next call once the cause is gone.

use super::super::Place;
use super::super::accounts::{account, birth, create, id, load, part, swap, turn, turn_both};
use super::super::attempts::attempt;
use super::{SqlitePlace, is_damaged, is_unavailable};
use einmal::store::Store;
use einmal::store::SwapOutcome::{Conflict, Swapped};
use std::fs;
use std::os::unix::fs::FileExt;

/// Every operation, each of which must be refused.
async fn all_are_unavailable(store: &dyn Store) {
    assert!(is_unavailable(&store.load_many(vec![id("a")]).await));
    assert!(is_unavailable(&store.swap_many(vec![turn_both(&id("a"), 1, 2)]).await));
    assert!(is_unavailable(&store.delete(id("a")).await));
    assert!(is_unavailable(&store.scan(None, 10).await));
    assert!(is_unavailable(&store.property("name").await));
    assert!(is_unavailable(&store.ids(None, 10).await));
    assert!(is_unavailable(&store.swap_property("name", None, vec![1]).await));
    assert!(is_unavailable(&store.probe().await));
}

#[tokio::test]
async fn a_directory_that_goes_away_stops_the_service_until_it_is_back() {
    let place = SqlitePlace::new();
    let file = place.file();
    let (data, away) = (file.parent().unwrap(), place.directory().join("away"));
    let store = place.open();
    create(&*store, &id("a"), 1).await;
    for _ in 0..2 {
        fs::rename(data, &away).unwrap();
        all_are_unavailable(&*store).await;
        // Nor is an empty database made in the place of the lost one.
        fs::create_dir(data).unwrap();
        all_are_unavailable(&*store).await;
        assert_eq!(fs::read_dir(data).unwrap().count(), 0);
        fs::remove_dir(data).unwrap();
        fs::rename(&away, data).unwrap();
        store.probe().await.unwrap();
        assert_eq!(load(&*store, &id("a")).await, Some(account(1)));
    }
    assert_eq!(swap(&*store, turn_both(&id("a"), 1, 2)).await, Swapped);
    drop(store);
    assert_eq!(load(&*place.open(), &id("a")).await, Some(account(2)));
}

#[tokio::test]
async fn a_read_after_the_directory_is_back_needs_no_write_before_it() {
    let place = SqlitePlace::new();
    let file = place.file();
    let (data, away) = (file.parent().unwrap(), place.directory().join("away"));
    let store = place.open();
    create(&*store, &id("a"), 1).await;
    fs::rename(data, &away).unwrap();
    assert!(is_unavailable(&store.load_many(vec![id("a")]).await));
    fs::rename(&away, data).unwrap();
    assert_eq!(load(&*store, &id("a")).await, Some(account(1)));
}

#[tokio::test]
async fn a_removed_log_is_noticed_before_anything_is_answered() {
    let place = SqlitePlace::new();
    let store = place.open();
    create(&*store, &id("a"), 1).await;
    fs::remove_file(super::beside(&place.file(), "-wal")).unwrap();
    assert!(is_unavailable(&store.swap_many(vec![birth(&id("b"), 1)]).await));
}

#[tokio::test]
async fn a_database_put_in_the_place_of_another_is_not_mixed_up_with_it() {
    let (place, other) = (SqlitePlace::new(), SqlitePlace::new());
    let restored = other.open();
    create(&*restored, &id("a"), 5).await;
    drop(restored);
    let store = place.open();
    create(&*store, &id("a"), 1).await;
    assert_eq!(load(&*store, &id("a")).await, Some(account(1)));

    for suffix in ["-wal", "-shm"] {
        fs::remove_file(super::beside(&place.file(), suffix)).unwrap();
    }
    fs::rename(other.file(), place.file()).unwrap();
    // Whoever put it there looks into it, so that it has a log, too.
    let operator = rusqlite::Connection::open(place.file()).unwrap();
    let accounts: i64 = operator.query_row("SELECT count(*) FROM guard", (), |row| row.get(0)).unwrap();
    assert_eq!(accounts, 1);
    assert!(is_unavailable(&store.swap_many(vec![turn_both(&id("a"), 1, 2)]).await));
    assert!(is_unavailable(&store.load_many(vec![id("a")]).await));
    assert_eq!(swap(&*store, turn_both(&id("a"), 1, 2)).await, Conflict);
    assert_eq!(load(&*store, &id("a")).await, Some(account(5)));
    assert_eq!(swap(&*store, turn_both(&id("a"), 5, 6)).await, Swapped);
    drop(store);
    assert_eq!(load(&*place.open(), &id("a")).await, Some(account(6)));
}

#[tokio::test]
async fn a_damaged_page_is_an_error_and_never_an_absent_account() {
    let place = SqlitePlace::new();
    let store = place.open();
    let births = (0..500).map(|number| birth(&id(&format!("user-{number}")), 1)).collect();
    store.swap_many(births).await.unwrap();
    drop(store);
    let file = fs::OpenOptions::new().write(true).open(place.file()).unwrap();
    let pages = file.metadata().unwrap().len() / 2048;
    for page in 1..pages {
        file.write_all_at(&[0xa5; 2048], page * 2048).unwrap();
    }
    drop(file);

    let store = place.open();
    assert!(is_damaged(&store.load_many(vec![id("user-7")]).await));
    assert!(is_damaged(&store.swap_many(vec![turn_both(&id("user-7"), 1, 2)]).await));
    assert!(is_damaged(&store.swap_many(vec![birth(&id("nobody"), 1)]).await));
    assert!(is_damaged(&store.scan(None, 10).await));
}

#[tokio::test]
async fn half_an_account_or_one_of_another_type_is_damage() {
    let place = SqlitePlace::new();
    let store = place.open();
    create(&*store, &id("half"), 1).await;
    create(&*store, &id("odd"), 1).await;
    create(&*store, &id("whole"), 1).await;
    let raw = rusqlite::Connection::open(place.file()).unwrap();
    raw.execute_batch(
        "DELETE FROM vault WHERE subject = 'half'; UPDATE guard SET key_id = -1 WHERE subject = 'odd'",
    )
    .unwrap();
    assert!(is_damaged(&store.load_many(vec![id("half")]).await));
    assert!(is_damaged(&store.load_many(vec![id("odd")]).await));
    assert!(is_damaged(&store.scan(None, 10).await));
    assert_eq!(store.ids(None, 10).await.unwrap(), [id("half"), id("odd"), id("whole")], "all have ids");
    assert_eq!(load(&*store, &id("whole")).await, Some(account(1)));
}

#[tokio::test]
async fn another_process_that_writes_is_waited_for() {
    let place = SqlitePlace::new();
    let store = place.open();
    create(&*store, &id("a"), 1).await;
    let raw = rusqlite::Connection::open(place.file()).unwrap();
    raw.execute_batch("BEGIN IMMEDIATE").unwrap();
    let held = tokio::time::timeout(
        std::time::Duration::from_millis(200),
        store.swap_many(vec![turn_both(&id("a"), 1, 2)]),
    );
    assert!(held.await.is_err(), "written under somebody else's lock");
    // Reading goes on meanwhile. The write's caller has gone, but it is carried out, and before what comes now.
    assert_eq!(load(&*store, &id("a")).await, Some(account(1)));
    raw.execute_batch("COMMIT").unwrap();
    assert_eq!(swap(&*store, turn_both(&id("a"), 2, 3)).await, Swapped);
}

#[tokio::test]
async fn a_process_that_does_not_stop_writing_makes_the_store_unavailable_and_no_longer() {
    let place = SqlitePlace::new();
    let store = place.open();
    create(&*store, &id("a"), 1).await;
    let raw = rusqlite::Connection::open(place.file()).unwrap();
    raw.execute_batch("BEGIN IMMEDIATE").unwrap();
    assert!(is_unavailable(&store.probe().await));
    raw.execute_batch("COMMIT").unwrap();
    store.probe().await.unwrap();
    assert_eq!(swap(&*store, turn_both(&id("a"), 1, 2)).await, Swapped);
}

/// A damaged account of one user must not cost the others their answers, however often it is asked for.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn half_an_account_fails_alone_and_not_whoever_asks_at_the_same_time() {
    let place = SqlitePlace::new();
    let store = place.open();
    create(&*store, &id("half"), 1).await;
    create(&*store, &id("whole"), 1).await;
    let raw = rusqlite::Connection::open(place.file()).unwrap();
    raw.execute_batch("DELETE FROM vault WHERE subject = 'half'").unwrap();
    for _ in 0..100 {
        let (half, whole) =
            tokio::join!(store.load_many(vec![id("half")]), store.load_many(vec![id("whole")]));
        assert!(is_damaged(&half));
        assert_eq!(whole.unwrap(), [Some(account(1))]);
    }
}

/// A vault that fills several pages, of which the first one says that the next is where there is none.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_page_that_is_damaged_fails_whose_it_is_and_not_whoever_asks_at_the_same_time() {
    const PAGE: usize = 2048;
    let place = SqlitePlace::new();
    let store = place.open();
    let mut large = birth(&id("broken"), 1);
    large.vault.as_mut().expect("a birth has one").sealed = vec![0xb7; 5 * PAGE];
    assert_eq!(swap(&*store, large).await, Swapped);
    create(&*store, &id("b"), 1).await;
    create(&*store, &id("c"), 1).await;
    drop(store);
    let pages = fs::read(place.file()).unwrap();
    let full = |page: &[u8]| page[4..].iter().all(|byte| *byte == 0xb7);
    let number = pages.chunks(PAGE).position(full).expect("a page of the vault alone");
    let file = fs::OpenOptions::new().write(true).open(place.file()).unwrap();
    file.write_all_at(&[0xff; 4], (number * PAGE) as u64).unwrap();
    drop(file);

    let store = place.open();
    for version in 1..=20 {
        // They queue up under somebody else's lock. Wherever the first group ends, in one of them are the broken and a whole one.
        let lock = rusqlite::Connection::open(place.file()).unwrap();
        lock.execute_batch("BEGIN IMMEDIATE").unwrap();
        let mut lock = Some(lock);
        let turns = |name: &'static str| move |_: Option<&_>| Some(turn(&id(name), version, version + 1));
        let (first, b, second, c, read, broken, ()) = tokio::join!(
            attempt(&*store, "broken", turns("broken")),
            attempt(&*store, "b", turns("b")),
            attempt(&*store, "broken", turns("broken")),
            attempt(&*store, "c", turns("c")),
            store.load_many(vec![id("b")]),
            store.load_many(vec![id("broken")]),
            async { lock.take().expect("it is held").execute_batch("COMMIT").unwrap() },
        );
        for ended in [first, second] {
            let (_, outcome) = ended.expect("an end");
            assert!(is_damaged(&outcome), "{outcome:?}");
        }
        for ended in [b, c] {
            assert_eq!(ended.expect("an end").1.unwrap(), Some(Swapped));
        }
        assert!(is_damaged(&broken), "{broken:?}");
        assert!(read.unwrap()[0].is_some());
    }
    drop(store);
    let found = load(&*place.open(), &id("b")).await.expect("it is there");
    assert_eq!(found.guard, part("guard", 21), "what was answered is there");
}

#[tokio::test]
async fn what_cannot_be_loaded_can_be_deleted_and_made_again() {
    let place = SqlitePlace::new();
    let store = place.open();
    for name in ["half", "orphan", "odd"] {
        create(&*store, &id(name), 1).await;
    }
    let raw = rusqlite::Connection::open(place.file()).unwrap();
    raw.execute_batch(
        "DELETE FROM vault WHERE subject = 'half'; DELETE FROM guard WHERE subject = 'orphan';
         UPDATE guard SET key_id = -1 WHERE subject = 'odd'",
    )
    .unwrap();
    for name in ["half", "orphan", "odd"] {
        assert!(store.delete(id(name)).await.unwrap(), "{name}");
        assert!(!store.delete(id(name)).await.unwrap(), "{name}");
        create(&*store, &id(name), 2).await;
        assert_eq!(load(&*store, &id(name)).await, Some(account(2)));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_commit_into_a_database_that_was_replaced_meanwhile_is_no_success() {
    let (place, other) = (SqlitePlace::new(), SqlitePlace::new());
    create(&*other.open(), &id("a"), 1).await;
    let store = place.open();
    create(&*store, &id("a"), 1).await;
    // The write is on its way, but waits for another process, when the database is exchanged.
    let lock = rusqlite::Connection::open(place.file()).unwrap();
    lock.execute_batch("BEGIN IMMEDIATE").unwrap();
    let writing = tokio::spawn({
        let store = std::sync::Arc::clone(&store);
        async move { store.swap_many(vec![turn_both(&id("a"), 1, 2)]).await }
    });
    // Should it not wait yet after this time, then it is refused sooner.
    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    fs::rename(other.file(), place.file()).unwrap();
    lock.execute_batch("ROLLBACK").unwrap();
    assert!(is_unavailable(&writing.await.unwrap()));
}
