//! What the operator's machinery is told: each counter moves when it should, and nothing in it is anybody's.

mod attempts;
pub(crate) mod dashboards;
mod exposition;
mod issuers;
mod service;

pub(crate) use exposition::Exposition;

use crate::harness::service::Service;
use einmal::run::Running;

pub(crate) async fn metrics_of(running: &Running) -> Exposition {
    let url = format!("http://{}/metrics", running.management_address);
    let answer = reqwest::get(url).await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["content-type"], "text/plain; version=0.0.4; charset=utf-8");
    Exposition::parse(&answer.text().await.unwrap())
}

impl Service {
    pub(crate) async fn metrics(&self) -> Exposition {
        metrics_of(&self.running).await
    }

    /// The value of one series, which must be there.
    pub(crate) async fn metric(&self, series: &str) -> u64 {
        self.metrics().await.value(series)
    }
}

/// How much each of the series has grown.
pub(super) async fn growth<const N: usize>(
    service: &Service,
    series: [&str; N],
    work: impl AsyncFnOnce(),
) -> [u64; N] {
    let before = service.metrics().await;
    work().await;
    let after = service.metrics().await;
    series.map(|series| after.value(series) - before.value_or_zero(series))
}
