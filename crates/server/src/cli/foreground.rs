//! A service in the foreground, as `serve` and `dev` run it: until a signal ends it, also while it still starts.

use super::{Failure, refused};
use crate::http::{Shutdown, Signals};
use crate::run::{Running, StartError, Starting};
use std::time::Duration;
use tokio::runtime::Runtime;

/// `started` is told when there is somebody to ask. `drain` as in `http.drain`.
pub(super) fn run_until_signal<E: Into<Failure>>(
    drain: Duration,
    start: impl AsyncFnOnce(Shutdown) -> Result<Starting, E>,
    started: impl FnOnce(&Running) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let runtime = Runtime::new().map_err(refused)?;
    runtime.block_on(async {
        let shutdown = Shutdown::new(drain);
        let signals = Signals::catch().map_err(refused)?;
        tokio::spawn(signals.obey(shutdown.clone()));
        let starting = tokio::select! {
            starting = start(shutdown.clone()) => starting.map_err(E::into)?,
            () = shutdown.begun() => return Ok(()),
        };
        // From here on somebody may have been let in, who is answered whatever happens.
        let running = starting.discovered().await?;
        let told = if shutdown.is_draining() { Ok(()) } else { started(&running) };
        if told.is_err() {
            shutdown.begin();
        }
        running.finished().await;
        told
    })
}

/// What `config check` finds is told with the same exit code.
impl From<StartError> for Failure {
    fn from(error: StartError) -> Self {
        let text = error.to_string();
        match error {
            StartError::Issuers(_) | StartError::Mail(_) | StartError::Tls(_) => Self::Usage(text),
            _ => Self::Refused(text),
        }
    }
}
