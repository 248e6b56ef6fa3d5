//! `einmal dev`: everything at once, for trying out.

use super::foreground::run_until_signal;
use super::{Failure, refused, say};
use crate::dev::{self, DevError, Options};
use crate::{config, process, telemetry};
use clap::Args;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

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
        telemetry::init(&config::Log::for_people()).map_err(refused)?;
        process::log_panics_by_place();
        // Removed when it goes out of scope.
        let temporary;
        let data = if let Some(data) = &self.data {
            data
        } else {
            let made = tempfile::Builder::new().prefix("einmal-dev-").tempdir();
            temporary = made.map_err(refused)?;
            temporary.path()
        };
        // Who closed our output has no interest in mails either.
        let print = Box::new(|text: &str| say(text).unwrap_or_default());
        let options = Options { listen: self.listen, data, expose: self.expose, print };
        run_until_signal(
            Duration::ZERO,
            async |shutdown| dev::start(options, shutdown).await,
            |running| {
                let program = std::env::current_exe().unwrap_or_else(|_| "einmal".into());
                say(dev::lines(running.address, &program.to_string_lossy()))
            },
        )
    }
}

impl From<DevError> for Failure {
    fn from(error: DevError) -> Self {
        match error {
            DevError::Start(error) => error.into(),
            DevError::Exposed(_) => Self::Usage(error.to_string()),
            error => refused(error),
        }
    }
}
