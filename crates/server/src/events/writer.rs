//! The queue of events and the thread that writes them, in groups. Whoever hands one in waits for nothing: what finds the
//! queue full is lost and counted, and so is what cannot be written.

use super::event::Event;
use super::line;
use super::output::{Output, Sink};
use super::reporter::Origin;
use crate::metrics::EventMetrics;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::timeout;

/// Events that may wait. Some 60 bytes each, and what a request is known by.
const CAPACITY: usize = 8_192;
/// Events that are written together.
const GROUP: usize = 256;
/// So long the end waits for what is queued.
const FLUSH: Duration = Duration::from_secs(2);

/// An event on its way.
pub(super) struct Pending {
    pub(super) nanos: u64,
    pub(super) event: Event,
    /// `None` for what no request has done.
    pub(super) origin: Option<Arc<Origin>>,
}

enum Message {
    Event(Pending),
    /// There is something else to do than to write.
    LookUp,
}

pub(super) struct Queue {
    sender: SyncSender<Message>,
    state: Arc<State>,
    is_file: bool,
    ended: watch::Receiver<()>,
}

/// What both ends of the queue know.
struct State {
    metrics: EventMetrics,
    is_losing: AtomicBool,
    is_to_reopen: AtomicBool,
}

impl State {
    /// An outage is one line of the log, and its end another.
    fn lose(&self, count: usize, error: impl FnOnce() -> String) {
        self.metrics.lost.inc_by(count as u64);
        if !self.is_losing.swap(true, Ordering::Relaxed) {
            tracing::error!(error = error(), "events cannot be written and are lost");
        }
    }

    fn recover(&self) {
        if self.is_losing.swap(false, Ordering::Relaxed) {
            tracing::info!("events can be written again");
        }
    }
}

impl Queue {
    pub(super) fn open(output: &Output, metrics: EventMetrics) -> io::Result<Self> {
        let sink = Sink::open(output)?;
        let is_file = matches!(output, Output::File(_));
        let (sender, receiver) = sync_channel(CAPACITY);
        let state =
            State { metrics, is_losing: AtomicBool::new(false), is_to_reopen: AtomicBool::new(false) };
        let state = Arc::new(state);
        let (ends, ended) = watch::channel(());
        let (name, lines) = (output.to_string(), Vec::new());
        let writer = Writer { name, sink, receiver, state: Arc::clone(&state), lines, is_torn: false };
        let run = move || {
            writer.run();
            drop(ends);
        };
        thread::Builder::new().name("events".to_owned()).spawn(run)?;
        Ok(Self { sender, state, is_file, ended })
    }

    pub(super) fn is_file(&self) -> bool {
        self.is_file
    }

    pub(super) fn put(&self, pending: Pending) {
        match self.sender.try_send(Message::Event(pending)) {
            Ok(()) => {}
            Err(TrySendError::Full(_)) => self.state.lose(1, || format!("{CAPACITY} are waiting")),
            Err(TrySendError::Disconnected(_)) => self.state.lose(1, || "the writer has ended".to_owned()),
        }
    }

    pub(super) fn reopen(&self) {
        self.state.is_to_reopen.store(true, Ordering::Relaxed);
        // If the queue is full, the writer comes by without being told.
        let _ = self.sender.try_send(Message::LookUp);
    }

    pub(super) fn ending(&self) -> Ending {
        Ending(Some(self.ended.clone()))
    }
}

/// Comes when everything is written that was handed in.
#[derive(Default)]
pub struct Ending(Option<watch::Receiver<()>>);

impl Ending {
    /// Whoever does not take what is written must not hold the end up.
    pub async fn wait(self) {
        if let Some(mut ended) = self.0 {
            // Nothing is ever sent: it is over when the sender is gone.
            let _ = timeout(FLUSH, ended.changed()).await;
        }
    }
}

struct Writer {
    /// Of the output, for the log.
    name: String,
    sink: Sink,
    receiver: Receiver<Message>,
    state: Arc<State>,
    /// Of the group.
    lines: Vec<u8>,
    /// The last line that was written has no end.
    is_torn: bool,
}

impl Writer {
    fn run(mut self) {
        while let Ok(first) = self.receiver.recv() {
            self.lines.clear();
            self.format(&first);
            let mut count = 1;
            while count < GROUP
                && let Ok(next) = self.receiver.try_recv()
            {
                self.format(&next);
                count += 1;
            }
            if self.state.is_to_reopen.swap(false, Ordering::Relaxed) {
                self.reopen();
            }
            let is_drained = count < GROUP;
            if !self.lines.is_empty() && self.write() && is_drained {
                self.state.recover();
            }
        }
    }

    fn format(&mut self, message: &Message) {
        let Message::Event(pending) = message else { return };
        let start = self.lines.len();
        if let Err(error) = line::write(pending, &mut self.lines) {
            self.lines.truncate(start);
            self.state.lose(1, || error.to_string());
        }
    }

    fn reopen(&mut self) {
        let file = self.name.as_str();
        match self.sink.reopen() {
            Ok(()) => {
                tracing::info!(file, "SIGHUP: the file of events is opened again");
            }
            Err(error) => {
                tracing::error!(file, %error, "SIGHUP: the file of events cannot be opened again; the old one stays in use");
            }
        }
    }

    /// Whether all was written.
    fn write(&mut self) -> bool {
        if self.is_torn {
            // Half a line stays alone.
            self.lines.insert(0, b'\n');
        }
        let (written, outcome) = self.sink.write(&self.lines);
        let (done, left) = self.lines.split_at(written.min(self.lines.len()));
        let count = |lines: &[u8]| lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).count();
        let lost = count(left);
        self.state.metrics.written.inc_by(count(&self.lines).saturating_sub(lost) as u64);
        self.is_torn = done.last().map_or(self.is_torn, |last| *last != b'\n');
        match outcome {
            Ok(()) => true,
            Err(error) => {
                self.state.lose(lost, || format!("{}: {error}", self.name));
                false
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Metrics;
    use rustix::fs::{OFlags, fcntl_setfl};
    use std::fs::File;
    use std::io::Read;
    use std::os::fd::OwnedFd;

    /// As a disk does that is full and has room again.
    #[test]
    fn half_a_line_stays_alone_and_is_counted_as_lost() {
        let (mut reader, pipe) = io::pipe().unwrap();
        fcntl_setfl(&pipe, OFlags::NONBLOCK).unwrap();
        let metrics = Metrics::default().events;
        let (is_losing, is_to_reopen) = (AtomicBool::new(false), AtomicBool::new(false));
        let state = Arc::new(State { metrics: metrics.clone(), is_losing, is_to_reopen });
        let sink = Sink::File("pipe".into(), File::from(OwnedFd::from(pipe)));
        let (_sender, receiver) = sync_channel(1);
        let line = b"{\"event\":\"pin_dead\",\"account\":\"alice\"}\n";
        let lines = line.repeat(2_000);
        let mut writer = Writer { name: String::new(), sink, receiver, state, lines, is_torn: false };
        assert!(!writer.write(), "a pipe takes less");
        let mut taken = vec![0; 1 << 20];
        let length = reader.read(&mut taken).unwrap();
        assert!(!length.is_multiple_of(line.len()), "the last one was cut");
        writer.lines = line.to_vec();
        assert!(writer.write());
        drop(writer);
        let mut text = String::from_utf8(taken[..length].to_vec()).unwrap();
        reader.read_to_string(&mut text).unwrap();
        let (whole, halves): (Vec<_>, Vec<_>) = text.lines().partition(|line| line.ends_with('}'));
        assert_eq!(halves.len(), 1, "{halves:?}");
        assert!(text.ends_with(std::str::from_utf8(line).unwrap()));
        assert_eq!(
            (metrics.written.get(), metrics.lost.get()),
            (whole.len() as u64, 2_001 - whole.len() as u64)
        );
    }
}
