//! What SIGHUP reads and opens again while the service goes on. What is not right is logged, and the old stays in use.

use crate::events::Reopening;
use crate::http::Tls;
use std::io;
use std::sync::Arc;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// From when it is caught, for the rest of the process: SIGHUP does not end it, with nothing to read again either.
pub struct Hangups(Signal);

impl Hangups {
    /// Needs a running runtime.
    pub fn catch() -> io::Result<Self> {
        signal(SignalKind::hangup()).map(Self)
    }

    pub fn obey(self, tls: Option<Arc<Tls>>, events: Option<Reopening>) {
        tokio::spawn(obey(self.0, tls, events));
    }
}

async fn obey(mut hangups: Signal, tls: Option<Arc<Tls>>, events: Option<Reopening>) {
    while hangups.recv().await.is_some() {
        if let Some(events) = &events {
            events.ask();
        }
        if let Some(tls) = tls.clone() {
            reload(tls).await;
        } else if events.is_none() {
            tracing::info!("SIGHUP: there is nothing to read again");
        }
    }
}

async fn reload(tls: Arc<Tls>) {
    match tokio::task::spawn_blocking(move || tls.reload()).await {
        Ok(Ok(())) => tracing::info!("SIGHUP: certificate and key are read again"),
        Ok(Err(error)) => tracing::error!(%error, "SIGHUP: certificate and key stay as they were"),
        Err(error) => tracing::error!(%error, "SIGHUP: certificate and key stay as they were"),
    }
}
