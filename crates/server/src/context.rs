//! What every operation may use, made once at the start. It holds no state of a request and none of an account.

use crate::accounts::{Accounts, IssuerNames};
use crate::auth::AdministratorSettings;
use crate::auth::caller::VerifyToken;
use crate::clock::Clock;
use crate::events::Events;
use crate::http::Shutdown;
use crate::mail::Mailer;
use crate::trace::Tracer;
use einmal_core::Entropy;
use einmal_core::policy::Policy;
use std::sync::Arc;

/// The state of the routers, shared as `Arc<Context>`.
pub struct Context {
    pub clock: Arc<dyn Clock>,
    pub entropy: Arc<dyn Entropy>,
    /// Without a slash at the end.
    pub public_url: Arc<str>,
    pub tokens: Arc<dyn VerifyToken>,
    pub accounts: Accounts,
    /// Who can have accounts.
    pub issuer_names: IssuerNames,
    /// `None` if nobody administers accounts over HTTP.
    pub administrators: Option<AdministratorSettings>,
    /// For whoever waits on a client's behalf.
    pub shutdown: Shutdown,
    pub policy: Arc<Policy>,
    /// What authenticator apps show as the issuer.
    pub issuer_label: Arc<str>,
    /// `None` if no mail is sent.
    pub mailer: Option<Mailer>,
    /// Whether codes are mailed at all.
    pub login_enabled: bool,
    /// Throttled attempts are answered 429, and not as wrong ones.
    pub says_throttled: bool,
    pub tracer: Tracer,
    pub events: Events,
}
