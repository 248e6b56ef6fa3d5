//! Puts the service together from its configuration, starts it, and ends it.

mod opening;
mod parts;

pub use opening::{Purpose, open_accounts, open_accounts_as_they_are, open_accounts_to_move};
pub use parts::Parts;

use crate::accounts::{Accounts, KeyringError, OpenError};
use crate::auth::{DiscoveryError, SettingsError, TokenVerifier};
use crate::clock::Clock;
use crate::config::Config;
use crate::events::{Ending, Events, Output};
use crate::http::{self, Shutdown, Tls, TlsError};
use crate::mail::{MailSetupError, Mailer};
use crate::reload::Hangups;
use crate::store::{self, Fence};
use crate::trace;
use einmal_core::Entropy;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, timeout, timeout_at};

/// Why the service does not start. For the operator, without secrets.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("keyring {place}: {error}")]
    Keyring { place: String, error: KeyringError },
    #[error(transparent)]
    Store(#[from] store::OpenError),
    #[error("store {store}: {error}")]
    Accounts { store: String, error: OpenError },
    #[error("store {store} was made for {found}, expected one made for {expected}")]
    Purpose { store: String, found: String, expected: &'static str },
    #[error("store {store} takes no writes: {fence}")]
    Closed { store: String, fence: Fence },
    #[error(transparent)]
    Issuers(#[from] SettingsError),
    #[error(transparent)]
    Discovery(#[from] DiscoveryError),
    #[error("log.otlp: {0}")]
    Traces(reqwest::Error),
    #[error(transparent)]
    Mail(#[from] MailSetupError),
    #[error("events.output: {path} cannot be opened: {error}")]
    Events { path: String, error: io::Error },
    #[error("TLS: {0}")]
    Tls(#[from] TlsError),
    #[error("SIGHUP cannot be caught: {0}")]
    Signal(io::Error),
    #[error("cannot listen on {address}: {error}")]
    Listen { address: SocketAddr, error: io::Error },
}

/// A service that answers.
pub struct Running {
    pub address: SocketAddr,
    pub management_address: SocketAddr,
    pub shutdown: Shutdown,
    listeners: JoinSet<()>,
    exporter: Option<JoinHandle<()>>,
    events: Ending,
    /// Dropped last but for the events: the store finishes what it has taken.
    accounts: Accounts,
}

impl Running {
    pub fn accounts(&self) -> &Accounts {
        &self.accounts
    }

    /// Returns when the shutdown is over.
    pub async fn finished(mut self) {
        while self.listeners.join_next().await.is_some() {}
        // Nobody listens before the shutdown has begun, so that there is a deadline.
        let deadline = self.shutdown.deadline().unwrap_or_else(Instant::now);
        // Before the store: what has been begun must be in it whole, and in the log, whether its client waits or not.
        if timeout_at(deadline, self.accounts.detached_work_is_over()).await.is_err() {
            tracing::warn!(
                "work whose clients did not wait for it was still going on at the end and is cut off"
            );
        }
        if let Some(exporter) = self.exporter {
            // A collector that does not answer must not hold the end up.
            let _ = timeout(trace::FLUSH, exporter).await;
        }
        drop(self.accounts);
        self.events.wait().await;
    }
}

/// A service that answers, and need not have heard of its issuers yet.
pub struct Starting {
    running: Running,
    verifier: Arc<TokenVerifier>,
}

impl Starting {
    /// Waits for what the issuers say, or for the begin of the shutdown. Whoever has been let in by then is answered: by
    /// who runs it, and before an error is returned.
    pub async fn discovered(self) -> Result<Running, StartError> {
        let Self { running, verifier } = self;
        let discovered = tokio::select! {
            discovered = verifier.discover() => discovered,
            () = running.shutdown.begun() => Ok(()),
        };
        if let Err(error) = discovered {
            running.shutdown.begin();
            running.finished().await;
            return Err(error.into());
        }
        tokio::spawn(refresh(verifier, running.shutdown.clone()));
        Ok(running)
    }
}

/// Keys, until the shutdown.
async fn refresh(verifier: Arc<TokenVerifier>, shutdown: Shutdown) {
    tokio::select! {
        () = verifier.refresh_forever() => {}
        () = shutdown.begun() => {}
    }
}

/// Starts what `config` says. Returns when it can be asked; whether it is ready, its readiness tells. Until then it may be
/// dropped.
pub async fn start(
    config: Config,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    shutdown: Shutdown,
) -> Result<Starting, StartError> {
    let mail = config.mail.clone();
    let mailer = mail.map(|mail| Mailer::over_smtp(mail, config.totp_issuer_label.clone())).transpose()?;
    let tls = config.http.tls.clone().map(Tls::open).transpose()?.map(Arc::new);
    let hangups = Hangups::catch().map_err(StartError::Signal)?;
    let sealing = Arc::clone(&entropy);
    let accounts = open_accounts(&config.store, &config.keyring, Purpose::Service, sealing).await?;
    let events = open_events(config.events.as_ref(), &accounts)?;
    hangups.obey(tls.clone(), events.reopening());
    let listener = listen(config.http.listen)?;
    let management = listen(config.http.management_listen)?;
    let parts = Parts { config, clock, entropy, accounts, events, mailer, listener, tls, shutdown };
    parts.start(Vec::new(), Some(management), |router| router)
}

fn open_events(output: Option<&Output>, accounts: &Accounts) -> Result<Events, StartError> {
    let events = Events::open(output, accounts.metrics().events.clone());
    let path = || output.map(ToString::to_string).unwrap_or_default();
    events.map_err(|error| StartError::Events { path: path(), error })
}

/// Needs a running runtime.
pub fn listen(address: SocketAddr) -> Result<TcpListener, StartError> {
    http::listen(address).map_err(|error| StartError::Listen { address, error })
}

pub fn local_address(listener: &TcpListener) -> SocketAddr {
    listener.local_addr().unwrap_or(SocketAddr::from(([0, 0, 0, 0], 0)))
}
