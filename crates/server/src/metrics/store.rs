//! What the store's queues tell: how many requests share a commit or a snapshot, and what failed.

use super::labels::{histograms, labelled};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

pub struct StoreMetrics {
    pub reads: Batches,
    pub writes: Batches,
}

/// Of one queue.
#[derive(Clone)]
pub struct Batches {
    pub sizes: Histogram,
    pub failures: Counter,
}

impl StoreMetrics {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let help = "Requests that shared one commit or one snapshot";
        let sizes = histograms(registry, "store_batch_size", help, sizes);
        let failures = labelled::<Counter>(registry, "store_errors", "Requests to the store that failed");
        let batches = |kind: &str| {
            let labels = vec![("kind", kind.to_owned())];
            Batches {
                sizes: sizes.get_or_create_owned(&labels),
                failures: failures.get_or_create_owned(&labels),
            }
        };
        Self { reads: batches("read"), writes: batches("write") }
    }
}

impl Default for Batches {
    fn default() -> Self {
        Self { sizes: sizes(), failures: Counter::default() }
    }
}

fn sizes() -> Histogram {
    Histogram::new([1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0])
}
