//! Puts the service together from its configuration, starts it, and ends it.

mod opening;

pub use opening::{Purpose, open_accounts, open_accounts_as_they_are, open_accounts_to_move};

use crate::accounts::{Accounts, IssuerNames, KeyringError, OpenError};
use crate::api::admin;
use crate::api::management::{self, NotReady, Readiness};
use crate::api::router::{self, Route};
use crate::auth::{DiscoveryError, SettingsError, TokenVerifier};
use crate::clock::Clock;
use crate::config::Config;
use crate::context::Context;
use crate::events::{Ending, Events, Output};
use crate::http::{self, Front, Limits, Refuse, Shutdown, Tls, TlsError};
use crate::mail::{MailSetupError, Mailer};
use crate::page;
use crate::reload::Hangups;
use crate::store::{self, Fence};
use crate::trace::{self, Tracer};
use axum::Router;
use einmal_core::Entropy;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::timeout;

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
        if let Some(exporter) = self.exporter {
            // A collector that does not answer must not hold the end up.
            let _ = timeout(trace::FLUSH, exporter).await;
        }
        drop(self.accounts);
        self.events.wait().await;
    }
}

/// Starts what `config` says. Returns when it can be asked; whether it is ready, its readiness tells.
pub async fn start(
    config: Config,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    shutdown: Shutdown,
) -> Result<Running, StartError> {
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
    parts.start(Vec::new(), Some(management), |router| router).await
}

fn open_events(output: Option<&Output>, accounts: &Accounts) -> Result<Events, StartError> {
    let events = Events::open(output, accounts.metrics().events.clone());
    let path = || output.map(ToString::to_string).unwrap_or_default();
    events.map_err(|error| StartError::Events { path: path(), error })
}

/// What a running service is made of.
pub struct Parts {
    pub config: Config,
    pub clock: Arc<dyn Clock>,
    pub entropy: Arc<dyn Entropy>,
    pub accounts: Accounts,
    pub events: Events,
    pub mailer: Option<Mailer>,
    pub listener: TcpListener,
    pub tls: Option<Arc<Tls>>,
    pub shutdown: Shutdown,
}

impl Parts {
    /// With `further` routes and a `wrap` around all of the public listener's. Without a listener of its own,
    /// management is on the public one.
    pub async fn start(
        self,
        further: Vec<Route>,
        management: Option<TcpListener>,
        wrap: impl FnOnce(Router) -> Router,
    ) -> Result<Running, StartError> {
        let Self { config, clock, entropy, accounts, events, mailer, listener, tls, shutdown } = self;
        let written = events.ending();
        accounts.keyring().report_to(events.clone());
        let issuer_names = config.issuers.iter().map(|issuer| Arc::clone(&issuer.name)).collect();
        let metrics = Arc::clone(accounts.metrics());
        let verifier = Arc::new(TokenVerifier::counted(config.issuers, Arc::clone(&clock), &metrics)?);
        let exporter = config.log.otlp.map(|endpoint| trace::start(endpoint, metrics.spans.clone()));
        let (exporter, exporting) = exporter.transpose().map_err(StartError::Traces)?.unzip();
        let ready =
            Ready { accounts: accounts.clone(), verifier: Arc::clone(&verifier), shutdown: shutdown.clone() };
        let address = local_address(&listener);
        let management_address = management.as_ref().map_or(address, local_address);
        let scheme = if tls.is_some() { "https" } else { "http" };
        let context = Arc::new(Context {
            clock,
            entropy,
            public_url: config.http.public_url.unwrap_or_else(|| format!("{scheme}://{address}")).into(),
            tokens: Arc::clone(&verifier) as _,
            accounts: accounts.clone(),
            shutdown: shutdown.clone(),
            issuer_names: IssuerNames(issuer_names),
            administrators: config.administrators,
            policy: Arc::new(config.policy),
            issuer_label: config.totp_issuer_label.into(),
            mailer,
            login_enabled: config.login_enabled,
            says_throttled: config.throttle_status == 429,
            tracer: Tracer::new(exporter),
            events,
        });

        let mut routes = router::routes();
        routes.extend(further);
        if let Some(settings) = config.account_page
            && let Some(sign_in) = verifier.sign_in(&settings.issuer)
        {
            routes.extend(page::routes(settings, sign_in, &context.issuer_label));
        }
        let mut management_routes = management::routes(Arc::new(ready));
        if context.administrators.is_some() {
            management_routes.extend(admin::routes());
        }
        if management.is_none() {
            routes.append(&mut management_routes);
        }
        let open = metrics.connections.clone();
        let limits = Limits { connections: config.http.max_connections, open, ..Limits::default() };
        let refuse: Arc<dyn Refuse> = Arc::clone(&context) as _;
        let mut listeners = JoinSet::new();
        let public = wrap(router::build(Arc::clone(&context), routes));
        let trusted_proxies = config.http.trusted_proxies;
        let (front, ending) = (Front { tls, trusted_proxies: trusted_proxies.clone() }, shutdown.clone());
        listeners.spawn(http::serve(listener, front, public, Arc::clone(&refuse), limits.clone(), ending));
        if let Some(management) = management {
            let private = router::build(context, management_routes);
            let (front, ending) = (Front { tls: None, trusted_proxies }, shutdown.clone());
            listeners.spawn(http::serve(management, front, private, refuse, limits, ending));
        }

        if let Err(error) = verifier.discover().await {
            // What has been accepted meanwhile must not live on.
            shutdown.begin();
            return Err(error.into());
        }
        spawn_refresh(verifier, shutdown.clone());
        let (exporter, events) = (exporting, written);
        Ok(Running { address, management_address, shutdown, listeners, exporter, events, accounts })
    }
}

fn spawn_refresh(verifier: Arc<TokenVerifier>, shutdown: Shutdown) {
    tokio::spawn(async move {
        tokio::select! {
            () = verifier.refresh_forever() => {}
            () = shutdown.begun() => {}
        }
    });
}

/// Needs a running runtime.
pub fn listen(address: SocketAddr) -> Result<TcpListener, StartError> {
    http::listen(address).map_err(|error| StartError::Listen { address, error })
}

pub fn local_address(listener: &TcpListener) -> SocketAddr {
    listener.local_addr().unwrap_or(SocketAddr::from(([0, 0, 0, 0], 0)))
}

struct Ready {
    accounts: Accounts,
    verifier: Arc<TokenVerifier>,
    shutdown: Shutdown,
}

impl Readiness for Ready {
    fn not_ready(&self) -> NotReady<'_> {
        Box::pin(async {
            let mut parts = Vec::new();
            if self.shutdown.is_draining() {
                parts.push("shutdown");
            }
            if !self.verifier.is_ready() {
                parts.push("issuers");
            }
            if let Err(error) = self.accounts.store().probe().await {
                tracing::warn!(%error, "the store takes no writes");
                parts.push("store");
            }
            parts
        })
    }
}
