//! What the operator's machinery asks on the private listener: health, and metrics. It must not name an account, and needs no token.

use super::router::Route;
use crate::context::Context;
use crate::metrics;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde::Serialize;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;

/// Knows which parts of the service cannot do their work right now.
pub trait Readiness: Send + Sync {
    /// Their names, such as `store` or `shutdown`; empty means ready.
    fn not_ready(&self) -> NotReady<'_>;
}

pub type NotReady<'a> = Pin<Box<dyn Future<Output = Vec<&'static str>> + Send + 'a>>;

/// A probe that hangs says enough; orchestrators give up after a second or two.
const LONGEST: Duration = Duration::from_secs(2);

pub fn routes(readiness: Arc<dyn Readiness>) -> Vec<Route> {
    let ready = Arc::clone(&readiness);
    vec![
        Route::plain("/health/liveness", get(async || report(&[]))),
        Route::plain("/health/readiness", get(async move || report(&not_ready(&*readiness).await))),
        Route::plain(
            "/metrics",
            get(async move |State(context): State<Arc<Context>>| {
                context.accounts.metrics().set_readiness(&not_ready(&*ready).await);
                ([(CONTENT_TYPE, metrics::CONTENT_TYPE)], measured(&context))
            }),
        ),
    ]
}

async fn not_ready(readiness: &dyn Readiness) -> Vec<&'static str> {
    timeout(LONGEST, readiness.not_ready()).await.unwrap_or_else(|_| vec!["readiness"])
}

/// With what is looked up only when somebody asks.
fn measured(context: &Context) -> String {
    let metrics = context.accounts.metrics();
    let (running, waiting) = context.accounts.hashing().load();
    metrics.hashing.running.set(i64::try_from(running).unwrap_or(i64::MAX));
    metrics.hashing.waiting.set(i64::try_from(waiting).unwrap_or(i64::MAX));
    metrics.text()
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Report<'a> {
    status: &'static str,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    not_ready: &'a [&'static str],
}

fn report(not_ready: &[&'static str]) -> Response {
    let (status, text) = match not_ready {
        [] => (StatusCode::OK, "ok"),
        _ => (StatusCode::SERVICE_UNAVAILABLE, "not ready"),
    };
    let body = serde_json::to_vec(&Report { status: text, not_ready }).unwrap_or_default();
    (status, [(CONTENT_TYPE, "application/json")], body).into_response()
}
