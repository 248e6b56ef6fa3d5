//! Security events as lines of JSON, for whoever watches over accounts; docs/EVENTS.md has what they say. Writing them must
//! never hold up or fail what they tell of, and no code, secret, PIN, password, token or address may be in one.

mod event;
mod line;
mod output;
mod reporter;
mod writer;

pub use event::{AuthenticatorFault, Event, names};
pub use output::Output;
pub use reporter::{By, Origin, Reporter};
pub use writer::Ending;

use crate::clock;
use crate::metrics::EventMetrics;
use std::io;
use std::sync::{Arc, Weak};
use writer::{Pending, Queue};

/// Where events are handed in. Switched off, which is the default, it costs nothing. Once all of them are gone, what is
/// queued is written, and the writer ends.
#[derive(Clone, Default)]
pub struct Events(Option<Arc<Queue>>);

impl Events {
    /// The file is made if need be, and what is in it stays.
    pub fn open(output: Option<&Output>, metrics: EventMetrics) -> io::Result<Self> {
        let queue = output.map(|output| Queue::open(output, metrics)).transpose()?;
        Ok(Self(queue.map(Arc::new)))
    }

    /// For what happens by one request. `origin` is not asked where nobody wants to know.
    pub fn reporter(&self, origin: impl FnOnce() -> Origin) -> Reporter {
        Reporter::new(self.0.as_ref(), origin)
    }

    /// The store is sealed with another key from now on, or there are others that open it. `key`: the one that seals.
    pub fn keys_changed(&self, key: u32, keys: usize) {
        if let Some(queue) = &self.0 {
            let event = Event::KeysChanged { key, keys };
            queue.put(Pending { nanos: clock::unix_nanos(), event, origin: None });
        }
    }

    /// What may ask for the file to be opened again, and keeps nobody from ending. `None` if there is no file.
    pub fn reopening(&self) -> Option<Reopening> {
        let queue = self.0.as_ref().filter(|queue| queue.is_file())?;
        Some(Reopening(Arc::downgrade(queue)))
    }

    /// By which the end can be waited for.
    pub fn ending(&self) -> Ending {
        self.0.as_ref().map(|queue| queue.ending()).unwrap_or_default()
    }
}

#[derive(Clone)]
pub struct Reopening(Weak<Queue>);

impl Reopening {
    /// The writer does it, and says in the log how it went.
    pub fn ask(&self) {
        if let Some(queue) = self.0.upgrade() {
            queue.reopen();
        }
    }
}
