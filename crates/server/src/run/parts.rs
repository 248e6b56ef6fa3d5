//! What a running service is made of, and how it becomes one. Whoever is let in must never be dropped by a start that is
//! given up: so nothing is waited for here.

use super::{Running, StartError, Starting, local_address};
use crate::accounts::{Accounts, IssuerNames};
use crate::api::admin;
use crate::api::management::{self, NotReady, Readiness};
use crate::api::router::{self, Route};
use crate::auth::TokenVerifier;
use crate::clock::Clock;
use crate::config::Config;
use crate::context::Context;
use crate::events::Events;
use crate::http::{self, Front, Limits, Pace, Refuse, Shutdown, Tls};
use crate::mail::Mailer;
use crate::page;
use crate::trace::{self, Tracer};
use axum::Router;
use einmal_core::Entropy;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

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

/// Of the public listener and of the private one.
struct Routes {
    public: Vec<Route>,
    management: Vec<Route>,
}

impl Parts {
    /// With `further` routes and a `wrap` around all of the public listener's. Without a listener of its own,
    /// management is on the public one. Needs a running runtime.
    pub fn start(
        self,
        further: Vec<Route>,
        management: Option<TcpListener>,
        wrap: impl FnOnce(Router) -> Router,
    ) -> Result<Starting, StartError> {
        let (accounts, shutdown, events) =
            (self.accounts.clone(), self.shutdown.clone(), self.events.ending());
        accounts.keyring().report_to(self.events.clone());
        let metrics = Arc::clone(accounts.metrics());
        let issuers = self.config.issuers.clone();
        let verifier = Arc::new(TokenVerifier::counted(issuers, Arc::clone(&self.clock), &metrics)?);
        let endpoint = self.config.log.otlp.clone();
        let exporting = endpoint.map(|endpoint| trace::start(endpoint, metrics.spans.clone()));
        let (exporter, exporting) = exporting.transpose().map_err(StartError::Traces)?.unzip();
        let address = local_address(&self.listener);
        let management_address = management.as_ref().map_or(address, local_address);
        let context = Arc::new(self.context(&verifier, Tracer::new(exporter)));
        let mut routes = self.routes(&context, &verifier);
        routes.public.extend(further);
        let listeners = self.serve(context, routes, management, wrap);
        let exporter = exporting;
        let running =
            Running { address, management_address, shutdown, listeners, exporter, events, accounts };
        Ok(Starting { running, verifier })
    }

    fn context(&self, verifier: &Arc<TokenVerifier>, tracer: Tracer) -> Context {
        let config = &self.config;
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        let own_url = || format!("{scheme}://{}", local_address(&self.listener));
        Context {
            clock: Arc::clone(&self.clock),
            entropy: Arc::clone(&self.entropy),
            public_url: config.http.public_url.clone().unwrap_or_else(own_url).into(),
            tokens: Arc::clone(verifier) as _,
            accounts: self.accounts.clone(),
            shutdown: self.shutdown.clone(),
            issuer_names: IssuerNames(config.issuers.iter().map(|issuer| Arc::clone(&issuer.name)).collect()),
            administrators: config.administrators.clone(),
            policy: Arc::new(config.policy.clone()),
            issuer_label: config.totp_issuer_label.as_str().into(),
            mailer: self.mailer.clone(),
            login_enabled: config.login_enabled,
            says_throttled: config.throttle_status == 429,
            tracer,
            events: self.events.clone(),
        }
    }

    fn routes(&self, context: &Context, verifier: &Arc<TokenVerifier>) -> Routes {
        let mut public = router::routes();
        if let Some(settings) = self.config.account_page.clone()
            && let Some(sign_in) = verifier.sign_in(&settings.issuer)
        {
            public.extend(page::routes(settings, sign_in, &context.issuer_label));
        }
        let (accounts, shutdown) = (self.accounts.clone(), self.shutdown.clone());
        let mut management =
            management::routes(Arc::new(Ready { accounts, verifier: Arc::clone(verifier), shutdown }));
        if context.administrators.is_some() {
            management.extend(admin::routes());
        }
        Routes { public, management }
    }

    fn serve(
        self,
        context: Arc<Context>,
        mut routes: Routes,
        management: Option<TcpListener>,
        wrap: impl FnOnce(Router) -> Router,
    ) -> JoinSet<()> {
        let Self { config, accounts, listener, tls, shutdown, .. } = self;
        if management.is_none() {
            routes.public.append(&mut routes.management);
        }
        let metrics = accounts.metrics();
        let open = metrics.connections.clone();
        let held = || metrics.refusals_held.clone();
        let limits = Limits {
            connections: config.http.max_connections,
            open,
            refusals: Arc::new(Pace::of_requests(held())),
            floods: Arc::new(Pace::of_connections(held())),
            ..Limits::default()
        };
        let refuse: Arc<dyn Refuse> = Arc::clone(&context) as _;
        let mut listeners = JoinSet::new();
        let public = wrap(router::build(Arc::clone(&context), routes.public));
        let trusted_proxies = config.http.trusted_proxies;
        let (front, ending) = (Front { tls, trusted_proxies: trusted_proxies.clone() }, shutdown.clone());
        listeners.spawn(http::serve(listener, front, public, Arc::clone(&refuse), limits.clone(), ending));
        if let Some(management) = management {
            let private = router::build(context, routes.management);
            let front = Front { tls: None, trusted_proxies };
            listeners.spawn(http::serve(management, front, private, refuse, limits, shutdown));
        }
        listeners
    }
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
