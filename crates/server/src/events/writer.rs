//! The queue of events and the thread that writes them, in groups. Whoever hands one in waits for nothing: what finds the
//! queue full is lost and counted, and so is what cannot be written.

use super::event::Event;
use super::line;
use super::output::{Output, Sink};
use super::reporter::Origin;
use crate::metrics::EventMetrics;
use std::io;
use std::mem;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
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
#[derive(Default)]
struct State {
    metrics: EventMetrics,
    /// Something found the queue full. The log may be what is stalled: so the writer says it, and not who hands in.
    has_overflowed: AtomicBool,
    is_to_reopen: AtomicBool,
}

impl Queue {
    pub(super) fn open(output: &Output, metrics: EventMetrics) -> io::Result<Self> {
        let sink = Sink::open(output)?;
        let is_file = matches!(output, Output::File(_));
        let (sender, receiver) = sync_channel(CAPACITY);
        let state = Arc::new(State { metrics, ..State::default() });
        let (ends, ended) = watch::channel(());
        let writer = Writer::new(output.to_string(), sink, receiver, Arc::clone(&state));
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
        if self.sender.try_send(Message::Event(pending)).is_err() {
            self.state.metrics.lost.inc();
            self.state.has_overflowed.store(true, Ordering::Relaxed);
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
    /// An outage goes on.
    is_losing: bool,
}

impl Writer {
    fn new(name: String, sink: Sink, receiver: Receiver<Message>, state: Arc<State>) -> Self {
        Self { name, sink, receiver, state, lines: Vec::new(), is_torn: false, is_losing: false }
    }

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
            if self.state.has_overflowed.swap(false, Ordering::Relaxed) {
                self.lose(0, || format!("{CAPACITY} are waiting"));
            }
            let is_drained = count < GROUP;
            if !self.lines.is_empty() && self.write() && is_drained {
                self.recover();
            }
        }
    }

    /// An outage is one line of the log, and its end another.
    fn lose(&mut self, count: usize, error: impl FnOnce() -> String) {
        self.state.metrics.lost.inc_by(count as u64);
        if !mem::replace(&mut self.is_losing, true) {
            tracing::error!(error = error(), "events cannot be written and are lost");
        }
    }

    fn recover(&mut self) {
        if mem::take(&mut self.is_losing) {
            tracing::info!("events can be written again");
        }
    }

    fn format(&mut self, message: &Message) {
        let Message::Event(pending) = message else { return };
        let start = self.lines.len();
        if let Err(error) = line::write(pending, &mut self.lines) {
            self.lines.truncate(start);
            self.lose(1, || error.to_string());
        }
    }

    fn reopen(&mut self) {
        let file = self.name.as_str();
        match self.sink.reopen() {
            Ok(is_another) => {
                // Half a line at the end of the old one is nothing to the new one.
                self.is_torn &= !is_another;
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
                let name = self.name.clone();
                self.lose(lost, || format!("{name}: {error}"));
                false
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fs::{OFlags, fcntl_setfl};
    use std::fs::{self, File};
    use std::io::{PipeReader, Read};
    use std::os::fd::OwnedFd;
    use std::path::PathBuf;
    use tempfile::TempDir;

    /// Longer than what a pipe takes whole or not at all.
    fn line() -> Vec<u8> {
        format!("{{\"event\":\"pin_dead\",\"account\":\"{}\"}}\n", "a".repeat(5_000)).into_bytes()
    }

    /// One that takes what fits and refuses the rest.
    fn pipe() -> (PipeReader, File) {
        let (reader, pipe) = io::pipe().unwrap();
        fcntl_setfl(&pipe, OFlags::NONBLOCK).unwrap();
        (reader, File::from(OwnedFd::from(pipe)))
    }

    fn writer(sink: Sink) -> Writer {
        Writer::new(String::new(), sink, sync_channel(1).1, Arc::default())
    }

    fn writes(writer: &mut Writer, count: usize) -> bool {
        writer.lines = line().repeat(count);
        writer.write()
    }

    /// As a disk does that is full and has room again.
    fn halves(sink: Sink, mut reader: PipeReader) {
        let mut writer = writer(sink);
        let state = Arc::clone(&writer.state);
        assert!(!writes(&mut writer, 100), "a pipe takes less");
        let mut taken = vec![0; 1 << 20];
        let length = reader.read(&mut taken).unwrap();
        assert!(!length.is_multiple_of(line().len()), "the last one was cut");
        assert!(writes(&mut writer, 1));
        drop(writer);
        let mut text = String::from_utf8(taken[..length].to_vec()).unwrap();
        reader.read_to_string(&mut text).unwrap();
        let (whole, halves): (Vec<_>, Vec<_>) = text.lines().partition(|line| line.ends_with('}'));
        assert_eq!(halves.len(), 1, "{halves:?}");
        assert!(text.as_bytes().ends_with(&line()));
        let (written, lost) = (state.metrics.written.get(), state.metrics.lost.get());
        assert_eq!((written, lost), (whole.len() as u64, 101 - whole.len() as u64));
    }

    #[test]
    fn half_a_line_stays_alone_and_is_counted_as_lost() {
        let (reader, pipe) = pipe();
        halves(Sink::File("pipe".into(), pipe), reader);
    }

    #[test]
    fn on_standard_output_half_a_line_stays_alone_too() {
        let (reader, pipe) = pipe();
        halves(Sink::Stdout(pipe), reader);
    }

    #[test]
    fn half_a_line_is_left_behind_with_its_file_and_kept_apart_where_the_file_is_the_same() {
        let directory = TempDir::new().unwrap();
        let path = directory.path().join("events.jsonl");
        let sink = |path: &PathBuf| Sink::open(&Output::File(path.clone())).unwrap();
        for is_another in [true, false] {
            let mut writer = writer(sink(&path));
            writer.is_torn = true;
            if is_another {
                fs::rename(&path, directory.path().join("events.jsonl.1")).unwrap();
            }
            writer.reopen();
            assert!(writes(&mut writer, 1));
            assert_eq!(fs::read(&path).unwrap().starts_with(&line()), is_another);
            fs::remove_file(&path).unwrap();
        }
    }
}
