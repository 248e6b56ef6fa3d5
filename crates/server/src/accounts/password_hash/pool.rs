//! Where hashing happens in the service: on all cores but one, on threads of its own, and after those that answer
//! requests where there are not enough cores for all. Who finds too long a queue is turned away at once,
//! before anything has been counted.

use rustix::process::nice;
use std::sync::Arc;
use std::thread;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Attempts that may wait: some four seconds of Argon2 on two cores.
const MAX_WAITING: usize = 256;

/// The lowest priority that a thread can have.
const NICE: i32 = 19;

pub struct HashPool {
    /// Of threads of its own, for the sake of their priority; `None` only while it is dropped, or where there are none.
    runtime: Option<Runtime>,
    sizes: Sizes,
    /// One for each thread.
    threads: Arc<Semaphore>,
    /// One for each thread, and one for each place in the queue.
    places: Arc<Semaphore>,
}

#[derive(Clone, Copy)]
struct Sizes {
    threads: usize,
    places: usize,
}

/// A place in the pool, for one piece of work after another.
pub struct Place {
    runtime: Option<Handle>,
    threads: Arc<Semaphore>,
    _inside: OwnedSemaphorePermit,
}

/// Nobody may wait any more.
#[derive(Debug, thiserror::Error)]
#[error("too many passwords and PINs are being hashed")]
pub struct Crowded;

/// The work panicked, or the service ends.
#[derive(Debug, thiserror::Error)]
#[error("hashing was interrupted")]
pub struct Interrupted;

impl Default for HashPool {
    fn default() -> Self {
        // One core is left to those that are answered at once, if there are two.
        let cores = thread::available_parallelism().map_or(1, usize::from);
        Self::new(cores.saturating_sub(1).max(1), MAX_WAITING)
    }
}

impl HashPool {
    pub fn new(threads: usize, waiting: usize) -> Self {
        let sizes = Sizes { threads, places: threads + waiting };
        let runtime = Builder::new_current_thread()
            .thread_name("einmal-hashing")
            .max_blocking_threads(threads)
            // What cannot have a lower priority hashes at the usual one.
            .on_thread_start(|| {
                let _ = nice(NICE);
            })
            .build();
        Self {
            runtime: runtime.ok(),
            sizes,
            threads: Arc::new(Semaphore::new(sizes.threads)),
            places: Arc::new(Semaphore::new(sizes.places)),
        }
    }

    /// How many are being compared, and how many more have been let in.
    pub fn load(&self) -> (usize, usize) {
        let running = self.sizes.threads.saturating_sub(self.threads.available_permits());
        let inside = self.sizes.places.saturating_sub(self.places.available_permits());
        (running, inside.saturating_sub(running))
    }

    pub fn enter(&self) -> Result<Place, Crowded> {
        let place = Arc::clone(&self.places).try_acquire_owned().map_err(|_| Crowded)?;
        let runtime = self.runtime.as_ref().map(|runtime| runtime.handle().clone());
        Ok(Place { runtime, threads: Arc::clone(&self.threads), _inside: place })
    }
}

impl Drop for HashPool {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // Whoever still waits is told so.
            runtime.shutdown_background();
        }
    }
}

impl Place {
    /// In the order of asking. The work goes on when the caller has gone, and keeps its thread till its end.
    pub async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Interrupted> {
        let thread = Arc::clone(&self.threads).acquire_owned().await.map_err(|_| Interrupted)?;
        let work = move || {
            let _thread = thread;
            work()
        };
        let working = match &self.runtime {
            Some(runtime) => runtime.spawn_blocking(work),
            None => tokio::task::spawn_blocking(work),
        };
        working.await.map_err(|_| Interrupted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[tokio::test(flavor = "multi_thread")]
    async fn no_more_work_goes_on_at_once_than_there_are_threads() {
        let pool = HashPool::new(2, 100);
        let (working, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let tasks: Vec<_> = (0..50)
            .map(|_| {
                let (place, working, most) = (pool.enter().unwrap(), Arc::clone(&working), Arc::clone(&most));
                tokio::spawn(async move {
                    let work = move || {
                        most.fetch_max(working.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                        thread::yield_now();
                        working.fetch_sub(1, Ordering::SeqCst);
                    };
                    place.run(work).await.unwrap();
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        assert!((1..=2).contains(&most.load(Ordering::SeqCst)));
    }

    #[tokio::test]
    async fn who_finds_the_queue_full_is_turned_away_until_a_place_is_free() {
        let pool = HashPool::new(1, 1);
        let (first, _second) = (pool.enter().unwrap(), pool.enter().unwrap());
        assert!(pool.enter().is_err());
        drop(first);
        assert!(pool.enter().is_ok());
    }

    #[tokio::test]
    async fn work_that_panics_gives_its_thread_back() {
        let pool = HashPool::new(1, 0);
        let place = pool.enter().unwrap();
        assert!(place.run(|| panic!("on purpose")).await.is_err());
        assert_eq!(place.run(|| 7).await.unwrap(), 7);
    }
}
