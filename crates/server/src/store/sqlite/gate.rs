//! Keeps readers out for the moment in which the writer finishes a checkpoint. Must never keep the writer
//! waiting for longer than it is willing to.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// A lock that the writer gets next however eager the reader is; a `Mutex` promises nothing of the kind.
#[derive(Default)]
pub(super) struct Gate {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    reader_inside: bool,
    closed: bool,
}

impl Gate {
    /// For the one reader: held while it is in a read transaction.
    pub(super) fn enter(&self) -> Inside<'_> {
        let waited = self.changed.wait_while(self.lock(), |state| state.closed);
        waited.unwrap_or_else(PoisonError::into_inner).reader_inside = true;
        Inside(self)
    }

    /// For the one writer: nobody reads while this is held. `None` if the reader took longer than `patience`.
    pub(super) fn close(&self, patience: Duration) -> Option<Closed<'_>> {
        let mut state = self.lock();
        state.closed = true;
        let closed = Closed(self);
        let waited = self.changed.wait_timeout_while(state, patience, |state| state.reader_inside);
        let (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        let still_inside = state.reader_inside;
        // Dropping `closed` takes the lock again.
        drop(state);
        (!still_inside).then_some(closed)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(super) struct Inside<'a>(&'a Gate);

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.reader_inside = false;
        if state.closed {
            self.0.changed.notify_all();
        }
    }
}

pub(super) struct Closed<'a>(&'a Gate);

impl Drop for Closed<'_> {
    fn drop(&mut self) {
        self.0.lock().closed = false;
        self.0.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_writer_does_not_wait_for_a_long_reader_and_leaves_the_gate_open() {
        let gate = Gate::default();
        let inside = gate.enter();
        assert!(gate.close(Duration::from_millis(1)).is_none());
        drop(inside);
        drop(gate.enter());
        assert!(gate.close(Duration::from_millis(1)).is_some());
    }

    #[test]
    fn a_reader_that_never_pauses_does_not_starve_the_writer() {
        let gate = Gate::default();
        let done = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !done.load(std::sync::atomic::Ordering::Relaxed) {
                    drop(gate.enter());
                }
            });
            for _ in 0..1_000 {
                assert!(gate.close(Duration::from_secs(5)).is_some());
            }
            done.store(true, std::sync::atomic::Ordering::Relaxed);
        });
    }
}
