//! One issuer's current key set and when to fetch it anew: one fetch at a time, and at most one begun in 30 s,
//! whatever tokens ask for. Whoever sends bad tokens must not reach the issuer through us more often than that.

use super::TokenError;
use super::algorithm::Algorithm;
use super::discovery::KeySetLocation;
use super::key_set::{Judgement, KeySet};
use super::outgoing::FetchError;
use super::token::Token;
use crate::clock::Clock;
use crate::metrics::{FetchOutcome, IssuerMetrics};
use crate::trace;
use einmal_core::Timestamp;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use tokio::sync::watch;

const SECONDS_BETWEEN_FETCHES: u64 = 30;
const REFRESH_AFTER_SECONDS: u64 = 10 * 60;
/// So long a set outlives its issuer. A key withdrawn meanwhile would stay good for as long.
const MAX_OUTAGE_SECONDS: u64 = 24 * 60 * 60;

pub(super) struct IssuerKeys {
    name: Arc<str>,
    algorithms: Vec<Algorithm>,
    location: KeySetLocation,
    clock: Arc<dyn Clock>,
    current: RwLock<Option<Current>>,
    last_fetch: Mutex<Option<Fetch>>,
    metrics: Arc<IssuerMetrics>,
}

struct Current {
    keys: Arc<KeySet>,
    fetched_at: Timestamp,
}

/// `None` until it is over. A sender that is gone without a word means that its task died.
type Outcome = watch::Receiver<Option<Result<(), FetchError>>>;

struct Fetch {
    begun_at: Timestamp,
    outcome: Outcome,
}

impl Fetch {
    fn is_under_way(&self) -> bool {
        self.outcome.borrow().is_none() && self.outcome.has_changed().is_ok()
    }

    /// Seconds until another one may begin. A clock that was set back starts the interval anew, else it could
    /// keep us from the issuer for years.
    fn wait_seconds(&self, now: Timestamp) -> u64 {
        if now < self.begun_at {
            return 0;
        }
        SECONDS_BETWEEN_FETCHES.saturating_sub(now.seconds_since(self.begun_at))
    }
}

impl IssuerKeys {
    pub(super) fn new(
        name: Arc<str>,
        algorithms: Vec<Algorithm>,
        location: KeySetLocation,
        clock: Arc<dyn Clock>,
        metrics: Arc<IssuerMetrics>,
    ) -> Self {
        let (current, last_fetch) = (RwLock::default(), Mutex::default());
        Self { name, algorithms, location, clock, current, last_fetch, metrics }
    }

    /// The set in use, unless the issuer has been out of reach for too long.
    pub(super) fn usable(&self, now: Timestamp) -> Option<Arc<KeySet>> {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        let current = current.as_ref()?;
        (now.seconds_since(current.fetched_at) <= MAX_OUTAGE_SECONDS).then(|| Arc::clone(&current.keys))
    }

    /// The set that proves the token authentic.
    pub(super) async fn authenticate(
        self: &Arc<Self>,
        token: &Token<'_>,
        now: Timestamp,
    ) -> Result<Arc<KeySet>, TokenError> {
        if self.usable(now).is_none() {
            self.fetch_if_allowed().await;
        }
        let keys = self.usable(now).ok_or_else(|| self.unavailable())?;
        match keys.judge(token) {
            Judgement::Authentic => return Ok(keys),
            Judgement::Refused(error) => return Err(error),
            Judgement::UnknownKey => {}
        }
        let newer = self.newer_than(&keys, now).await.ok_or(UNKNOWN_KEY)?;
        match newer.judge(token) {
            Judgement::Authentic => Ok(newer),
            Judgement::Refused(error) => Err(error),
            Judgement::UnknownKey => Err(UNKNOWN_KEY),
        }
    }

    async fn newer_than(self: &Arc<Self>, tried: &Arc<KeySet>, now: Timestamp) -> Option<Arc<KeySet>> {
        let newer = || self.usable(now).filter(|keys| !Arc::ptr_eq(keys, tried));
        // Another request may have fetched it while this one was looking.
        if let Some(keys) = newer() {
            return Some(keys);
        }
        self.fetch_if_allowed().await;
        newer()
    }

    fn unavailable(&self) -> TokenError {
        let last = self.last_fetch.lock().unwrap_or_else(PoisonError::into_inner);
        let wait = last.as_ref().map_or(0, |fetch| fetch.wait_seconds(self.clock.now()));
        TokenError::Unavailable { retry_after_seconds: wait.max(1) }
    }

    /// Joins the fetch under way, or begins one, or does nothing if it is too early for that.
    async fn fetch_if_allowed(self: &Arc<Self>) {
        if let Some(outcome) = self.begin() {
            Self::wait(outcome).await;
        }
    }

    /// `None` inside: the fetch died.
    async fn wait(mut outcome: Outcome) -> Option<Result<(), FetchError>> {
        outcome.wait_for(Option::is_some).await.ok().and_then(|outcome| outcome.clone())
    }

    /// The fetch is a task of its own: the request that began it may go away, and others wait for it too.
    fn begin(self: &Arc<Self>) -> Option<Outcome> {
        let mut last = self.last_fetch.lock().unwrap_or_else(PoisonError::into_inner);
        // Read under the lock: the times of two requests may be in another order than the requests.
        let now = self.clock.now();
        if let Some(fetch) = last.as_ref() {
            if fetch.is_under_way() {
                return Some(fetch.outcome.clone());
            }
            if fetch.wait_seconds(now) > 0 {
                return None;
            }
        }
        let (sender, outcome) = watch::channel(None);
        *last = Some(Fetch { begun_at: now, outcome: outcome.clone() });
        let keys = Arc::clone(self);
        let fetch = async move { sender.send_replace(Some(keys.fetch(now).await)) };
        tokio::spawn(trace::carried(fetch));
        Some(outcome)
    }

    async fn fetch(&self, now: Timestamp) -> Result<(), FetchError> {
        let document = self.location.fetch().await;
        match document.and_then(|document| KeySet::parse(&document, &self.algorithms)) {
            Ok(fetched) => {
                self.metrics.fetch(FetchOutcome::Fetched);
                self.replace(fetched, now);
                Ok(())
            }
            Err(error) => {
                self.metrics.fetch(FetchOutcome::Failed);
                tracing::warn!(issuer = %self.name, %error, "no newer key set");
                Err(error)
            }
        }
    }

    /// A set with the same keys stays the same set, so that what was verified with it stays verified.
    fn replace(&self, fetched: KeySet, now: Timestamp) {
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        match current.as_mut() {
            Some(current) if *current.keys == fetched => current.fetched_at = now,
            _ => {
                tracing::info!(issuer = %self.name, "key set has changed");
                *current = Some(Current { keys: Arc::new(fetched), fetched_at: now });
            }
        }
    }

    /// At start: like a refresh, but says what came of it.
    pub(super) fn first_fetch(
        self: &Arc<Self>,
    ) -> impl Future<Output = Option<Result<(), FetchError>>> + use<> {
        let begun = self.begin();
        async move { Self::wait(begun?).await }
    }

    /// Begins a fetch if the set is old and a fetch is allowed, and does not wait for it.
    pub(super) fn refresh_if_due(self: &Arc<Self>) {
        let now = self.clock.now();
        let is_due = match &mut *self.current.write().unwrap_or_else(PoisonError::into_inner) {
            None => true,
            // The clock was set back: the set's age is unknown. It must not live on for as long as the clock leapt.
            Some(current) if now < current.fetched_at => {
                current.fetched_at = now;
                true
            }
            Some(current) => now.seconds_since(current.fetched_at) >= REFRESH_AFTER_SECONDS,
        };
        if is_due {
            self.begin();
        }
    }
}

const UNKNOWN_KEY: TokenError = TokenError::Invalid("no key of the issuer fits");
