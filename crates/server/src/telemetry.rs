//! Where log lines go: standard output, as a container's runtime expects them. Must not decide what is logged.

use crate::config::{Log, LogFormat};
use std::io::{self, IsTerminal};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};
use tracing_subscriber::{Layer, Registry, fmt};

/// Sets up logging for the rest of the process. Fails if that has been done before.
pub fn init(log: &Log) -> Result<(), TryInitError> {
    let lines: Box<dyn Layer<Registry> + Send + Sync> = match log.format {
        LogFormat::Json => fmt::layer().json().flatten_event(true).with_writer(io::stdout).boxed(),
        LogFormat::Text => fmt::layer().with_ansi(io::stdout().is_terminal()).with_writer(io::stdout).boxed(),
    };
    tracing_subscriber::registry().with(lines.with_filter(log.level.clone())).try_init()
}
