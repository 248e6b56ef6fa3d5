//! `einmal dev`: everything at once, for trying out.

use super::{Failure, say};
use crate::dev::{self, DevError, Options};
use crate::http::Signals;
use crate::{config, process, telemetry};
use clap::Args;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Try einmal out: a store, a token issuer and a demo account, all built in. NOT for production
///
/// Prints `curl` lines to paste; the first one verifies a live code and answers 204.
#[derive(Args)]
pub(super) struct DevCommand {
    /// Address to listen on
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// Keep the store here; without it, everything is gone at the end
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Let other machines reach it, and with it a token for any account
    #[arg(long)]
    expose: bool,
}

impl DevCommand {
    pub(super) fn run(&self) -> Result<(), Failure> {
        let refused = |error: &dyn std::fmt::Display| Failure::Refused(error.to_string());
        telemetry::init(&config::Log::for_people()).map_err(|error| refused(&error))?;
        process::log_panics_by_place();
        // Removed when it goes out of scope.
        let temporary =
            tempfile::Builder::new().prefix("einmal-dev-").tempdir().map_err(|error| refused(&error))?;
        let data = self.data.as_deref().unwrap_or(temporary.path());
        let runtime = tokio::runtime::Runtime::new().map_err(|error| refused(&error))?;
        runtime.block_on(async {
            let signals = Signals::catch().map_err(|error| refused(&error))?;
            let options = Options { listen: self.listen, data, expose: self.expose };
            let running = dev::start(&options).await.map_err(|error: DevError| refused(&error))?;
            let program = std::env::current_exe().unwrap_or_else(|_| "einmal".into());
            say(dev::lines(running.address, &program.to_string_lossy()))?;
            tokio::spawn(signals.obey(running.shutdown.clone()));
            running.finished().await;
            Ok(())
        })
    }
}
