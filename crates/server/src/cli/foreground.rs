//! A service in the foreground, as `serve` and `dev` run it: until a signal ends it, also while it still starts.

use super::{Failure, refused};
use crate::http::{Shutdown, Signals};
use crate::run::Running;
use std::fmt::Display;
use std::time::Duration;
use tokio::runtime::Runtime;

/// `started` is told when there is somebody to ask. `drain` as in `http.drain`.
pub(super) fn run_until_signal<E: Display>(
    drain: Duration,
    start: impl AsyncFnOnce(Shutdown) -> Result<Running, E>,
    started: impl FnOnce(&Running) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let runtime = Runtime::new().map_err(refused)?;
    runtime.block_on(async {
        let shutdown = Shutdown::new(drain);
        let signals = Signals::catch().map_err(refused)?;
        tokio::spawn(signals.obey(shutdown.clone()));
        let running = tokio::select! {
            running = start(shutdown.clone()) => running.map_err(refused)?,
            () = shutdown.begun() => return Ok(()),
        };
        started(&running)?;
        running.finished().await;
        Ok(())
    })
}
