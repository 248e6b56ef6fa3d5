//! How metrics get into a registry. Labels are written once, when a handle is made, and never per request.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Metric, Registry};

pub(super) type Labels = Vec<(&'static str, String)>;

pub(super) fn counter(registry: &mut Registry, name: &str, help: &str) -> Counter {
    let counter = Counter::default();
    registry.register(name, help, counter.clone());
    counter
}

pub(super) fn gauge(registry: &mut Registry, name: &str, help: &str) -> Gauge {
    let gauge = Gauge::default();
    registry.register(name, help, gauge.clone());
    gauge
}

/// A metric with labels.
pub(super) fn labelled<M: Default>(registry: &mut Registry, name: &str, help: &str) -> Family<Labels, M>
where
    Family<Labels, M>: Metric + Clone,
{
    let family = Family::default();
    registry.register(name, help, family.clone());
    family
}

pub(super) type Histograms = Family<Labels, Histogram>;

pub(super) fn histograms(
    registry: &mut Registry,
    name: &str,
    help: &str,
    constructor: fn() -> Histogram,
) -> Histograms {
    let family = Family::new_with_constructor(constructor);
    registry.register(name, help, family.clone());
    family
}

/// From 10 µs, which is a look-up in memory, to 10 s, which is longer than anything may take.
pub(super) fn durations() -> Histogram {
    Histogram::new([
        0.000_01, 0.000_025, 0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05,
        0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
    ])
}
