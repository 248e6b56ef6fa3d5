//! What SIGHUP reads again while the service goes on. What is not right is logged, and the old stays in use.

use crate::http::Tls;
use std::io;
use std::sync::Arc;
use tokio::signal::unix::{SignalKind, signal};

/// From now on, for the rest of the process: SIGHUP does not end it, with nothing to read again either. Needs a
/// running runtime.
pub fn at_sighup(tls: Option<Arc<Tls>>) -> io::Result<()> {
    let mut hangups = signal(SignalKind::hangup())?;
    tokio::spawn(async move {
        while hangups.recv().await.is_some() {
            if let Some(tls) = tls.clone() {
                reload(tls).await;
            } else {
                tracing::info!("SIGHUP: there is nothing to read again");
            }
        }
    });
    Ok(())
}

async fn reload(tls: Arc<Tls>) {
    match tokio::task::spawn_blocking(move || tls.reload()).await {
        Ok(Ok(())) => tracing::info!("SIGHUP: certificate and key are read again"),
        Ok(Err(error)) => tracing::error!(%error, "SIGHUP: certificate and key stay as they were"),
        Err(error) => tracing::error!(%error, "SIGHUP: certificate and key stay as they were"),
    }
}
