//! Requests by route, method and status. A route is a template of ours: never a path that somebody has sent.

use super::labels::{Histograms, Labels, durations, histograms, labelled};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use std::sync::OnceLock;
use std::time::Duration;

/// A method, by a name of a fixed set: a client may send any word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    Get,
    Head,
    Post,
    Put,
    Patch,
    Delete,
    Options,
    Other,
}

impl Method {
    const COUNT: usize = 8;

    pub const fn name(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
            Self::Options => "OPTIONS",
            Self::Other => "other",
        }
    }
}

/// From 100 to 599, as HTTP has them.
const FIRST_STATUS: u16 = 100;
const STATUSES: usize = 500;

pub struct Operations {
    requests: Family<Labels, Counter>,
    durations: Histograms,
}

impl Operations {
    pub(super) fn register(r: &mut Registry) -> Self {
        let duration = "From the head of a request to the head of its answer";
        Self {
            requests: labelled::<Counter>(r, "requests", "Requests that were answered"),
            durations: histograms(r, "request_duration_seconds", duration, durations),
        }
    }

    /// Made once for each route, when the service starts.
    pub fn operation(&self, route: &str) -> Operation {
        Operation {
            duration: self.durations.get_or_create_owned(&vec![("route", route.to_owned())]),
            route: route.to_owned(),
            requests: self.requests.clone(),
            resolved: (0..Method::COUNT * STATUSES).map(|_| OnceLock::new()).collect(),
        }
    }
}

/// Of one route.
pub struct Operation {
    route: String,
    requests: Family<Labels, Counter>,
    /// By method and status; made when they are first needed.
    resolved: Box<[OnceLock<Counter>]>,
    duration: Histogram,
}

impl Operation {
    pub fn answered(&self, method: Method, status: u16, took: Duration) {
        self.duration.observe(took.as_secs_f64());
        self.count(method, status);
    }

    /// What never became a request has no duration.
    pub fn count(&self, method: Method, status: u16) {
        let place = usize::from(status.saturating_sub(FIRST_STATUS));
        let Some(counter) = self.resolved.get(method as usize * STATUSES + place) else { return };
        let resolve = || {
            let method = ("method", method.name().to_owned());
            let labels = vec![method, ("route", self.route.clone()), ("status", status.to_string())];
            self.requests.get_or_create_owned(&labels)
        };
        counter.get_or_init(resolve).inc();
    }
}
