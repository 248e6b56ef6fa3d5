//! `einmal serve`: the service.

use super::foreground::run_until_signal;
use super::{ConfigFile, Failure, refused};
use crate::clock::SystemClock;
use crate::entropy::SystemEntropy;
use crate::{process, run, telemetry};
use clap::Args;
use std::sync::Arc;

/// Run the service
///
/// Ends on SIGTERM or SIGINT: first not ready, then what is in flight is finished, at most 30 seconds in all. A second
/// signal ends it at once.
#[derive(Args)]
pub(super) struct ServeCommand {
    #[command(flatten)]
    config: ConfigFile,
}

impl ServeCommand {
    pub(super) fn run(&self) -> Result<(), Failure> {
        let config = self.config.open()?.service()?;
        telemetry::init(&config.log).map_err(refused)?;
        process::log_panics_by_place();
        process::harden();
        let drain = config.http.drain;
        let start = async |shutdown| {
            run::start(config, Arc::new(SystemClock), Arc::new(SystemEntropy), shutdown).await
        };
        run_until_signal(drain, start, |running| {
            let (address, management) = (running.address, running.management_address);
            let version = env!("CARGO_PKG_VERSION");
            tracing::info!(version, %address, %management, "serving");
            Ok(())
        })?;
        tracing::info!("stopped");
        Ok(())
    }
}
