//! The write-ahead log under load.

use super::super::Place;
use super::super::accounts::{birth, id, load, part, swap, turn};
use super::{SqlitePlace, beside};
use einmal::store::SwapOutcome::Swapped;
use einmal::store::{Store, Swap};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

const MIB: u64 = 1 << 20;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_log_stays_short_while_many_read_and_write_without_a_pause() {
    const WRITERS: usize = 32;
    const READERS: usize = 16;
    const WRITTEN: u64 = 256 * MIB;
    const SIZE: usize = 24 << 10;

    let place = SqlitePlace::new();
    let store = place.open();
    let ids: Arc<Vec<_>> = Arc::new((0..WRITERS).map(|number| id(&format!("user-{number}"))).collect());
    store.swap_many(ids.iter().map(|id| birth(id, 0)).collect()).await.unwrap();

    let (written, done) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| {
            let (store, ids, written) = (Arc::clone(&store), Arc::clone(&ids), Arc::clone(&written));
            tokio::spawn(async move { write(&*store, &ids[writer], &written, WRITTEN, SIZE).await })
        })
        .collect();
    let readers: Vec<_> = (0..READERS)
        .map(|reader| {
            let (store, ids, done) = (Arc::clone(&store), Arc::clone(&ids), Arc::clone(&done));
            tokio::spawn(async move {
                while !done.load(Ordering::Relaxed) {
                    load(&*store, &ids[reader]).await.unwrap();
                }
            })
        })
        .collect();

    let log = beside(&place.file(), "-wal");
    let mut longest = 0;
    while written.load(Ordering::Relaxed) < WRITTEN {
        longest = longest.max(std::fs::metadata(&log).unwrap().len());
        assert!(longest < 64 * MIB, "{longest} bytes");
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

async fn write(
    store: &dyn Store,
    id: &einmal_core::account::AccountId,
    written: &AtomicU64,
    until: u64,
    size: usize,
) {
    let mut version = 0;
    while written.load(Ordering::Relaxed) < until {
        let mut guard = part("", version + 1);
        guard.sealed = vec![u8::try_from(version % 256).unwrap(); size];
        assert_eq!(swap(store, Swap { guard, ..turn(id, version, version + 1) }).await, Swapped);
        version += 1;
        written.fetch_add(size as u64, Ordering::Relaxed);
    }
}
