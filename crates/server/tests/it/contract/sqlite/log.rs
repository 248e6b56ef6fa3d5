//! The write-ahead log under load.

use super::super::Place;
use super::super::accounts::{birth, id, part, turn};
use super::{SqlitePlace, beside};
use crate::harness::is_long;
use einmal::store::SwapOutcome::Swapped;
use einmal::store::{SealedPart, Store, Swap};
use einmal_core::account::AccountId;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

const MIB: u64 = 1 << 20;

/// What is promised over any time. It is about 40 if all is well, and more than this if the log is not started from the
/// front each time.
const LIMIT: u64 = 64 * MIB;
const SIZE: usize = 24 << 10;

/// Bytes to write: many times what the log may have.
fn enough() -> u64 {
    if is_long() { 240 * LIMIT } else { 12 * LIMIT }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_log_stays_short_while_many_read_and_write_without_a_pause() {
    the_log_stays_short(32, 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_log_stays_short_under_large_calls() {
    the_log_stays_short(2, 200).await;
}

async fn the_log_stays_short(writers: usize, accounts_each: usize) {
    let place = SqlitePlace::new();
    let store = place.open();
    let read: Vec<_> = (0..500).map(|number| id(&format!("a-{number}"))).collect();
    let large = SealedPart { version: 0, key_id: 0, sealed: vec![0; SIZE] };
    let births = read.iter().map(|id| Swap { guard: large.clone(), ..birth(id, 0) }).collect();
    store.swap_many(births).await.unwrap();
    let (written, done) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
    let writers: Vec<_> = (0..writers)
        .map(|writer| {
            let ids = (0..accounts_each).map(|number| id(&format!("user-{writer}-{number}"))).collect();
            let (store, written) = (Arc::clone(&store), Arc::clone(&written));
            tokio::spawn(async move { write(&*store, ids, &written).await })
        })
        .collect();
    let readers: Vec<_> = (0..16)
        .map(|_| {
            let (store, done) = (Arc::clone(&store), Arc::clone(&done));
            tokio::spawn(async move {
                // Long reads, one after the other: there is hardly a moment without a reader inside, and
                // several commits pass while it is.
                while !done.load(Ordering::Relaxed) {
                    store.scan(None, 500).await.unwrap();
                }
            })
        })
        .collect();

    let log = beside(&place.file(), "-wal");
    let mut longest = 0;
    while written.load(Ordering::Relaxed) < enough() {
        longest = longest.max(std::fs::metadata(&log).unwrap().len());
        assert!(longest < LIMIT, "{longest} bytes");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    for writer in writers {
        writer.await.unwrap();
    }
    done.store(true, Ordering::Relaxed);
    for reader in readers {
        reader.await.unwrap();
    }
    assert!(longest > MIB, "nothing was logged: {longest}");
}

async fn write(store: &dyn Store, ids: Vec<AccountId>, written: &AtomicU64) {
    store.swap_many(ids.iter().map(|id| birth(id, 0)).collect()).await.unwrap();
    let mut version = 0;
    while written.load(Ordering::Relaxed) < enough() {
        let mut guard = part("", version + 1);
        guard.sealed = vec![u8::try_from(version % 256).unwrap(); SIZE];
        let turns =
            ids.iter().map(|id| Swap { guard: guard.clone(), ..turn(id, version, version + 1) }).collect();
        let outcomes = store.swap_many(turns).await.unwrap();
        assert!(outcomes.iter().all(|outcome| *outcome == Swapped));
        version += 1;
        written.fetch_add((SIZE * ids.len()) as u64, Ordering::Relaxed);
    }
}
