//! Where browsers sign in at an issuer, for a page that sends them there: endpoints of its discovery document, asked for
//! when somebody needs them and then remembered, so that strangers' requests do not become requests to the issuer. It takes
//! part in no sign-in and sees no token.

use super::discovery::Discovery;
use super::outgoing::{DEADLINE, FetchError};
use crate::clock::Clock;
use einmal_core::Timestamp;
use std::sync::Arc;
use tokio::sync::Mutex;
use tokio::time::timeout;
use url::Url;

const REMEMBERED_SECONDS: u64 = 10 * 60;
const SECONDS_BETWEEN_FAILURES: u64 = 30;

/// What a browser needs to know of an issuer.
#[derive(Debug)]
pub struct SignInEndpoints {
    pub authorization: Url,
    pub token: Url,
    /// Where the user ends the session at the issuer, if it has such a place.
    pub end_session: Option<Url>,
}

pub struct SignIn {
    discovery: Discovery,
    clock: Arc<dyn Clock>,
    last: Mutex<Last>,
}

#[derive(Default)]
struct Last {
    fetched_at: Option<Timestamp>,
    /// Why the last fetch brought nothing.
    failure: Option<FetchError>,
    /// Stays when a later fetch fails: an issuer rarely moves, and a browser will see whether it is there.
    endpoints: Option<Arc<SignInEndpoints>>,
}

impl SignIn {
    pub(super) fn new(discovery: Discovery, clock: Arc<dyn Clock>) -> Self {
        Self { discovery, clock, last: Mutex::default() }
    }

    /// As tokens have it in `iss`.
    pub fn issuer(&self) -> &str {
        self.discovery.issuer()
    }

    /// In a task of its own: a client that hangs up must not have the next one begin anew.
    pub async fn endpoints(self: &Arc<Self>) -> Result<Arc<SignInEndpoints>, FetchError> {
        let this = Arc::clone(self);
        tokio::spawn(async move { this.current().await }).await.unwrap_or(Err(FetchError::TooSlow))
    }

    /// Whoever comes while another one fetches waits for that.
    async fn current(&self) -> Result<Arc<SignInEndpoints>, FetchError> {
        let mut last = self.last.lock().await;
        let now = self.clock.now();
        if last.is_due(now) {
            let fetched = timeout(DEADLINE, self.fetch()).await.unwrap_or(Err(FetchError::TooSlow));
            last.fetched_at = Some(now);
            last.failure = match fetched {
                Ok(endpoints) => {
                    last.endpoints = Some(Arc::new(endpoints));
                    None
                }
                Err(error) => Some(error),
            };
        }
        match (&last.endpoints, &last.failure) {
            (Some(endpoints), _) => Ok(Arc::clone(endpoints)),
            (None, failure) => Err(failure.clone().unwrap_or(FetchError::TooSlow)),
        }
    }

    async fn fetch(&self) -> Result<SignInEndpoints, FetchError> {
        let document = self.discovery.document().await?;
        let endpoint = |name, found: &Option<String>| self.discovery.endpoint(name, found.as_deref());
        let end_session = document.end_session_endpoint.is_some();
        Ok(SignInEndpoints {
            authorization: endpoint("authorization_endpoint", &document.authorization_endpoint)?,
            token: endpoint("token_endpoint", &document.token_endpoint)?,
            end_session: end_session
                .then(|| endpoint("end_session_endpoint", &document.end_session_endpoint))
                .transpose()?,
        })
    }
}

impl Last {
    fn is_due(&self, now: Timestamp) -> bool {
        let wait = if self.failure.is_some() { SECONDS_BETWEEN_FAILURES } else { REMEMBERED_SECONDS };
        // A clock that was set back must not keep us from the issuer.
        self.fetched_at.is_none_or(|fetched_at| now < fetched_at || now.seconds_since(fetched_at) >= wait)
    }
}
