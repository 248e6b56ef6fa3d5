//! The keyring of a process that goes on while the file changes. Must never let a file that is missing or broken take
//! away the keys that are in use.

use super::{Keyring, KeyringError, KeyringFile, Role};
use crate::events::Events;
use crate::store::KeyId;
use std::mem;
use std::path::Display;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::task::AbortHandle;
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep_until};

/// The keyring in use, and where a newer one would be.
pub struct LiveKeyring {
    current: RwLock<Arc<Keyring>>,
    /// `None` for one that cannot change, from an environment variable.
    file: Option<KeyringFile>,
    looks: Mutex<Looks>,
    events: OnceLock<Events>,
}

struct Looks {
    /// When the last look that somebody asked for began.
    asked_at: Option<Instant>,
    is_failing: bool,
}

impl From<Keyring> for LiveKeyring {
    fn from(keyring: Keyring) -> Self {
        Self::new(keyring, None)
    }
}

impl LiveKeyring {
    /// How often the file is read: so long a server may go on with the keys that it had.
    pub const INTERVAL: Duration = Duration::from_secs(5);
    /// Rows that need a key that is in no keyring must not cost a read of the file each.
    const PAUSE: Duration = Duration::from_secs(1);

    fn new(keyring: Keyring, file: Option<KeyringFile>) -> Self {
        let looks = Mutex::new(Looks { asked_at: None, is_failing: false });
        Self { current: RwLock::new(Arc::new(keyring)), file, looks, events: OnceLock::new() }
    }

    pub fn of_file(file: KeyringFile) -> Result<Self, KeyringError> {
        Ok(Self::new(file.read()?, Some(file)))
    }

    /// From now on events tell of changes; the first ones that come.
    pub fn report_to(&self, events: Events) {
        let _ = self.events.set(events);
    }

    /// As it is now. Whoever opens and seals one account does both with one of these.
    pub fn current(&self) -> Arc<Keyring> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// For whoever has just met a key that is not in [`Self::current`]. When it returns the file has been read since,
    /// by whoever came first of all who wait, and at most once a second.
    pub(in super::super) async fn look_again(&self) {
        let Some(file) = &self.file else { return };
        let met_at = Instant::now();
        let mut looks = self.looks.lock().await;
        if let Some(asked_at) = looks.asked_at {
            if asked_at >= met_at {
                return;
            }
            sleep_until(asked_at + Self::PAUSE).await;
        }
        looks.asked_at = Some(Instant::now());
        self.look(file, &mut looks).await;
    }

    /// Goes on until what it returns is dropped: a server that knew both keys at its start meets none that it does not
    /// know, and would seal with the old one for ever. The file is read whole each time, for its time of change, its
    /// size and its place on the disk may all be those of the old one.
    pub(in super::super) fn follow(self: &Arc<Self>) -> Option<Following> {
        self.file.as_ref()?;
        let keyring = Arc::clone(self);
        let task = tokio::spawn(async move {
            // It was read a moment ago.
            let mut ticks = interval_at(Instant::now() + Self::INTERVAL, Self::INTERVAL);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            while let Some(file) = &keyring.file {
                ticks.tick().await;
                let mut looks = keyring.looks.lock().await;
                keyring.look(file, &mut looks).await;
            }
        });
        Some(Following(task.abort_handle()))
    }

    async fn look(&self, file: &KeyringFile, looks: &mut Looks) {
        let path = file.path.display();
        let reading = file.clone();
        // A disk that does not answer must not hold a thread of the runtime.
        let Ok(read) = tokio::task::spawn_blocking(move || reading.read()).await else { return };
        match read {
            Ok(keyring) => {
                let (keyring, before) = self.take(keyring);
                if mem::take(&mut looks.is_failing) {
                    tracing::info!(keyring = %path, "the keyring can be read again");
                }
                self.tell_of(&keyring, &before, &path);
            }
            Err(error) if !looks.is_failing => {
                looks.is_failing = true;
                tracing::error!(keyring = %path, %error, "the keyring cannot be read again; the one in use stays");
            }
            Err(_) => {}
        }
    }

    /// That one, in use from now on, and the one before it. Says nothing: where nobody takes what is printed the log
    /// waits, and every attempt would wait with it for the lock.
    fn take(&self, keyring: Keyring) -> (Arc<Keyring>, Arc<Keyring>) {
        let keyring = Arc::new(keyring);
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        let before = mem::replace(&mut *current, Arc::clone(&keyring));
        (keyring, before)
    }

    fn tell_of(&self, keyring: &Keyring, before: &Keyring, path: &Display<'_>) {
        let keys = |keyring: &Keyring| keyring.keys().collect::<Vec<(KeyId, Role)>>();
        if keys(keyring) == keys(before) {
            return;
        }
        let seals = format!("{:08x}", keyring.sealing().id);
        tracing::info!(keyring = %path, seals, keys = keys(keyring).len(), "the keyring has changed");
        if let Some(events) = self.events.get() {
            events.keys_changed(keyring.sealing().id, keys(keyring).len());
        }
    }
}

/// Ends with whoever uses the keyring.
pub(in super::super) struct Following(AbortHandle);

impl Drop for Following {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[cfg(test)]
mod tests;
