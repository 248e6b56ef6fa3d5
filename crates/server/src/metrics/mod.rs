//! What the operator's machinery counts, as one value for each service, so that several may live in one process. No
//! label may name an account, a code, a client or a token: their values are of fixed sets, or names of issuers.

mod attempts;
mod issuers;
mod labels;
mod mails;
mod requests;
mod stages;
mod store;

pub use attempts::{Attempts, CodeOutcome, EnrolmentOutcome, Guarded, VerificationOutcome};
pub use issuers::{FetchOutcome, IntrospectionOutcome, IssuerMetrics, PasswordGrantOutcome, TokenOutcome};
pub use mails::{MailOutcome, Mails};
pub use prometheus_client::metrics::counter::Counter;
pub use prometheus_client::metrics::gauge::Gauge;
pub use prometheus_client::metrics::histogram::Histogram;
pub use requests::{Method, Operation, Operations};
pub use stages::{Stage, Stages, Timer};
pub use store::{Batches, StoreMetrics};

use issuers::Issuers;
use labels::{counter, gauge, labelled};
use prometheus_client::encoding::prometheus_text;
use prometheus_client::registry::Registry;

/// Of a body that [`Metrics::text`] has made.
pub const CONTENT_TYPE: &str = prometheus_text::CONTENT_TYPE;

/// The route of what has none.
pub const NO_ROUTE: &str = "none";

/// Every counter of a service. What is counted on the way of a request is resolved beforehand: there it costs an
/// atomic addition, or a lock that nobody holds for longer than one.
pub struct Metrics {
    registry: Registry,
    pub attempts: Attempts,
    pub mails: Mails,
    pub stages: Stages,
    pub operations: Operations,
    pub store: StoreMetrics,
    pub hashing: HashingMetrics,
    pub updates: UpdateMetrics,
    pub spans: SpanMetrics,
    pub events: EventMetrics,
    pub connections: Gauge,
    /// Refusals that waited for their turn.
    pub refusals_held: Counter,
    refused: Operation,
    issuers: Issuers,
    readiness: Readiness,
}

/// Of the pool that compares passwords and PINs.
pub struct HashingMetrics {
    pub running: Gauge,
    pub waiting: Gauge,
    pub refused: Counter,
}

/// Of the update loop.
pub struct UpdateMetrics {
    /// Rounds that somebody else's write has made void.
    pub conflicts: Counter,
    /// Attempts for which too many were waiting already, or that waited for too long.
    pub turned_away: Counter,
}

/// Of the trace exporter.
#[derive(Clone)]
pub struct SpanMetrics {
    pub exported: Counter,
    pub dropped: Counter,
}

/// Of security events.
#[derive(Clone, Default)]
pub struct EventMetrics {
    pub written: Counter,
    pub lost: Counter,
}

struct Readiness {
    whole: Gauge,
    parts: Vec<(&'static str, Gauge)>,
}

impl Metrics {
    /// The parts that readiness may name.
    pub const PARTS: [&'static str; 3] = ["issuers", "shutdown", "store"];

    pub fn text(&self) -> String {
        let mut text = String::with_capacity(32 << 10);
        // Writing to a string cannot fail, and there is no metric that this format does not have.
        let _ = prometheus_text::encode(&mut text, &self.registry);
        text
    }

    /// Made once for each issuer, when the service starts.
    pub fn issuer(&self, name: &str) -> IssuerMetrics {
        self.issuers.of(name)
    }

    pub fn token(&self, outcome: TokenOutcome) {
        self.issuers.token(outcome);
    }

    /// Something that never became a request.
    pub fn refused(&self, status: u16) {
        self.refused.count(Method::Other, status);
    }

    /// `not_ready` as readiness tells it.
    pub fn set_readiness(&self, not_ready: &[&str]) {
        self.readiness.whole.set(i64::from(not_ready.is_empty()));
        if not_ready.iter().any(|part| !Self::PARTS.contains(part)) {
            // Something hangs, and nobody knows what.
            return;
        }
        for (part, gauge) in &self.readiness.parts {
            gauge.set(i64::from(!not_ready.contains(part)));
        }
    }
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("einmal");
        let r = &mut registry;
        let build = labelled::<Gauge>(r, "build_info", "The version that runs; always 1");
        build.get_or_create(&vec![("version", env!("CARGO_PKG_VERSION").to_owned())]).set(1);
        let parts = labelled::<Gauge>(r, "part_ready", "Whether this part can do its work: 1 or 0");
        let readiness = Readiness {
            whole: gauge(r, "ready", "Whether the service is ready, as /health/readiness tells it: 1 or 0"),
            parts: Self::PARTS
                .map(|part| (part, parts.get_or_create_owned(&vec![("part", part.to_owned())])))
                .into(),
        };
        let hashing = HashingMetrics {
            running: gauge(r, "hashing_running", "Passwords and PINs that are being compared"),
            waiting: gauge(r, "hashing_waiting", "Requests that wait for a comparison"),
            refused: counter(r, "hashing_refused", "Requests that found too many waiting; answered 503"),
        };
        let updates = UpdateMetrics {
            conflicts: counter(r, "version_conflicts", "Writes that somebody else's write came before"),
            turned_away: counter(r, "turns_refused", "Attempts that found too many at one account"),
        };
        let spans = labelled::<Counter>(r, "spans", "Spans of traces, by what became of them");
        let spans_that = |outcome: &str| spans.get_or_create_owned(&vec![("outcome", outcome.to_owned())]);
        let spans = SpanMetrics { exported: spans_that("exported"), dropped: spans_that("dropped") };
        let events = EventMetrics {
            written: counter(r, "events_written", "Security events that were written"),
            lost: counter(r, "events_lost", "Security events that could not be written, or not in time"),
        };
        let operations = Operations::register(r);
        Self {
            attempts: Attempts::register(r),
            mails: Mails::register(r),
            stages: Stages::register(r),
            refused: operations.operation(NO_ROUTE),
            operations,
            store: StoreMetrics::register(r),
            connections: gauge(r, "connections_open", "Connections that are open, on all listeners"),
            refusals_held: counter(
                r,
                "refusals_held",
                "Refusals that waited for their turn, since so many came at once",
            ),
            issuers: Issuers::register(r),
            hashing,
            updates,
            spans,
            events,
            readiness,
            registry,
        }
    }
}
