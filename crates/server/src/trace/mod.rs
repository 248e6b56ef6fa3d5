//! Distributed traces: which one a request belongs to (W3C Trace Context), and its spans, for a collector. Nothing that
//! a request or an account holds may come into a span: names, times, and the request's method, route and status.

mod endpoint;
mod exporter;
mod protobuf;
mod traceparent;

pub use endpoint::Endpoint;
pub use exporter::{Exporter, start};
pub use traceparent::{Parent, SpanId, TraceId};

use crate::clock;
use einmal_core::Entropy;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

tokio::task_local! {
    static CURRENT: Arc<Trace>;
}

/// One request's part of a trace.
pub struct Trace {
    id: TraceId,
    /// Of the caller, if it sent one.
    parent: Option<SpanId>,
    /// Of the whole request; those of its stages follow it.
    span: SpanId,
    is_exported: bool,
    is_sampled: bool,
    started: Instant,
    started_unix_nanos: u64,
    stages: Mutex<Vec<StageSpan>>,
}

pub(super) struct StageSpan {
    name: &'static str,
    started: Instant,
    ended: Instant,
}

/// A request that was answered.
pub(super) struct FinishedTrace {
    trace: Arc<Trace>,
    stages: Vec<StageSpan>,
    ended: Instant,
    answer: Answer,
}

/// What a trace tells of its request.
pub struct Answer {
    pub method: &'static str,
    /// The template, and not the path.
    pub route: String,
    pub status: u16,
}

/// Begins traces, and hands those that are over to the exporter.
#[derive(Default)]
pub struct Tracer {
    exporter: Option<Exporter>,
}

impl Tracer {
    /// Without an exporter a request has a trace only if its caller has sent one.
    pub fn new(exporter: Option<Exporter>) -> Self {
        Self { exporter }
    }

    /// The trace of a request that came with these `traceparent` lines.
    pub fn begin<'a>(
        &self,
        lines: impl Iterator<Item = &'a [u8]>,
        entropy: &dyn Entropy,
    ) -> Option<Arc<Trace>> {
        let parent = Parent::of_lines(lines);
        if parent.is_none() && self.exporter.is_none() {
            return None;
        }
        let is_sampled = parent.as_ref().is_none_or(|parent| parent.is_sampled);
        let is_exported = is_sampled && self.exporter.is_some();
        let mut random = [0; 24];
        if is_exported {
            // Ids that repeat are a smaller evil than a request that fails for them.
            let _ = entropy.fill(&mut random);
        }
        let (fresh, span) = traceparent::ids(random);
        Some(Arc::new(Trace {
            id: parent.as_ref().map_or(fresh, |parent| parent.trace),
            // Who exports nothing is no link of the chain, and passes on what it got.
            span: parent.as_ref().filter(|_| !is_exported).map_or(span, |parent| parent.span),
            parent: parent.map(|parent| parent.span),
            is_exported,
            is_sampled,
            started: Instant::now(),
            started_unix_nanos: if is_exported { clock::unix_nanos() } else { 0 },
            stages: Mutex::default(),
        }))
    }

    /// Never waits: what finds the exporter's queue full is dropped.
    pub fn finish(&self, trace: &Arc<Trace>, answer: impl FnOnce() -> Answer) {
        let Some(exporter) = self.exporter.as_ref().filter(|_| trace.is_exported) else { return };
        let stages = std::mem::take(&mut *trace.stages.lock().unwrap_or_else(PoisonError::into_inner));
        let (trace, ended) = (Arc::clone(trace), Instant::now());
        exporter.take(FinishedTrace { trace, stages, ended, answer: answer() });
    }
}

impl Trace {
    pub fn id(&self) -> TraceId {
        self.id
    }

    /// For whom a request of this trace asks in turn.
    pub fn traceparent(&self) -> String {
        let Self { id, span, is_sampled, .. } = self;
        format!("00-{id}-{span}-{:02x}", u8::from(*is_sampled))
    }

    /// Puts a span into it, if somebody wants it.
    pub fn record(&self, name: &'static str, started: Instant, ended: Instant) {
        if self.is_exported {
            let mut stages = self.stages.lock().unwrap_or_else(PoisonError::into_inner);
            stages.push(StageSpan { name, started, ended });
        }
    }

    /// Runs `work` as part of this trace.
    pub fn within<T>(self: &Arc<Self>, work: impl FnOnce() -> T) -> T {
        CURRENT.sync_scope(Arc::clone(self), work)
    }

    fn unix_nanos(&self, at: Instant) -> u64 {
        let since = u64::try_from(at.saturating_duration_since(self.started).as_nanos()).unwrap_or(u64::MAX);
        self.started_unix_nanos.saturating_add(since)
    }
}

impl FinishedTrace {
    fn spans(&self) -> usize {
        1 + self.stages.len()
    }
}

/// Of whoever calls, if there is one.
pub fn current() -> Option<Arc<Trace>> {
    CURRENT.try_with(Arc::clone).ok()
}

/// Puts a span into the trace of whoever calls, if there is one that somebody wants.
pub fn record(name: &'static str, started: Instant, ended: Instant) {
    // An error says that there is none.
    let _ = CURRENT.try_with(|trace| trace.record(name, started, ended));
}

/// The header of the trace of whoever calls.
pub fn traceparent() -> Option<String> {
    CURRENT.try_with(|trace| trace.traceparent()).ok()
}

/// Keeps a task that is spawned by a request in the request's trace.
pub fn carried<F: Future>(work: F) -> impl Future<Output = F::Output> {
    let current = current();
    async move {
        match current {
            Some(trace) => CURRENT.scope(trace, work).await,
            None => work.await,
        }
    }
}

/// How long the end of a service waits for its last traces.
pub const FLUSH: Duration = Duration::from_secs(2);

/// Traces that may wait for the exporter.
const QUEUE_LENGTH: usize = 2_048;

fn queue() -> (mpsc::Sender<FinishedTrace>, mpsc::Receiver<FinishedTrace>) {
    mpsc::channel(QUEUE_LENGTH)
}
