//! Where browsers sign in at an issuer, for a page that sends them there: endpoints of its discovery document, asked for
//! when somebody needs them and then remembered, so that strangers' requests do not become requests to the issuer. It takes
//! part in no sign-in and sees no token.

use super::discovery::Discovery;
use super::outgoing::{DEADLINE, FetchError};
use crate::clock::Clock;
use einmal_core::Timestamp;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;
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
    /// It ends with the fetch that is under way, however that ends.
    fetch: Option<watch::Receiver<()>>,
}

impl SignIn {
    pub(super) fn new(discovery: Discovery, clock: Arc<dyn Clock>) -> Self {
        Self { discovery, clock, last: Mutex::default() }
    }

    /// As tokens have it in `iss`.
    pub fn issuer(&self) -> &str {
        self.discovery.issuer()
    }

    /// At once if there are any, which are then asked for again behind the answer. Else all who come wait for one fetch.
    pub async fn endpoints(self: &Arc<Self>) -> Result<Arc<SignInEndpoints>, FetchError> {
        let fetch = self.fetch_if_due();
        if let (Some(mut fetch), None) = (fetch, self.known()) {
            // Nothing is ever sent: it is over when the sender has gone.
            let _ = fetch.changed().await;
        }
        let last = self.last();
        last.endpoints.clone().ok_or_else(|| last.failure.clone().unwrap_or(FetchError::TooSlow))
    }

    /// The fetch that is under way. In a task of its own: a client that hangs up must not have the next one begin anew.
    fn fetch_if_due(self: &Arc<Self>) -> Option<watch::Receiver<()>> {
        let (sender, receiver) = watch::channel(());
        let now = self.clock.now();
        {
            let mut last = self.last();
            if let Some(fetch) = last.fetch.as_ref().filter(|fetch| fetch.has_changed().is_ok()) {
                return Some(fetch.clone());
            }
            if !last.is_due(now) {
                return None;
            }
            last.fetch = Some(receiver.clone());
        }
        let this = Arc::clone(self);
        tokio::spawn(async move {
            let fetched = timeout(DEADLINE, this.fetch()).await.unwrap_or(Err(FetchError::TooSlow));
            this.last().keep(fetched, now);
            drop(sender);
        });
        Some(receiver)
    }

    fn known(&self) -> Option<Arc<SignInEndpoints>> {
        self.last().endpoints.clone()
    }

    fn last(&self) -> MutexGuard<'_, Last> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
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
    fn keep(&mut self, fetched: Result<SignInEndpoints, FetchError>, now: Timestamp) {
        self.fetched_at = Some(now);
        match fetched {
            Ok(endpoints) => (self.endpoints, self.failure) = (Some(Arc::new(endpoints)), None),
            Err(error) => self.failure = Some(error),
        }
    }

    fn is_due(&self, now: Timestamp) -> bool {
        let wait = if self.failure.is_some() { SECONDS_BETWEEN_FAILURES } else { REMEMBERED_SECONDS };
        // A clock that was set back must not keep us from the issuer.
        self.fetched_at.is_none_or(|fetched_at| now < fetched_at || now.seconds_since(fetched_at) >= wait)
    }
}
