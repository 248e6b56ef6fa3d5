//! Tokens that only their issuer can read (RFC 7662). A token goes to nobody but its issuer, in a body, and never
//! into a URL or a log. What is not plainly active is refused, and what is no plain answer is no verdict.

use super::claims::Claims;
use super::outgoing::{ASKED_AT_ONCE, ASKED_OR_WAITING, DEADLINE, FetchError, answer_to, post_form};
use super::verified_tokens::TokenHash;
use super::{TokenError, VerifiedToken};
use crate::config::Secret;
use crate::metrics::{IntrospectionOutcome, IssuerMetrics};
use crate::trace;
use einmal_core::Timestamp;
use quick_cache::sync::Cache;
use reqwest::Client;
use serde_json::{Map, Value};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{Semaphore, watch};
use url::Url;
use zeroize::Zeroizing;

/// So long a token that has been revoked may stay good (RFC 7662 section 4).
pub(super) const REMEMBERED_SECONDS: u64 = 10;
/// About 4 MB when full.
const REMEMBERED: usize = 8_192;
const UNAVAILABLE: TokenError = TokenError::Unavailable { retry_after_seconds: 5 };

#[derive(Clone, Debug)]
pub struct IntrospectionSettings {
    pub url: Url,
    /// Of this service, at the issuer.
    pub client_id: String,
    pub client_secret: Secret,
    /// What all of the issuer's opaque tokens begin with; empty if nothing is known of them.
    pub token_prefix: String,
    /// An answer without `aud` is good enough: the issuer gives it to us for tokens that are for us only.
    pub takes_missing_audience: bool,
}

impl IntrospectionSettings {
    /// Whether a token could be of both. It would have to be shown to an issuer that it is none of the business of.
    pub(super) fn overlaps(&self, other: &Self) -> bool {
        self.token_prefix.starts_with(&other.token_prefix)
            || other.token_prefix.starts_with(&self.token_prefix)
    }
}

type Verdict = Result<Arc<VerifiedToken>, TokenError>;

pub(super) struct Introspection {
    issuer: Arc<str>,
    settings: IntrospectionSettings,
    http: Client,
    active: Cache<TokenHash, Active>,
    questions: Mutex<HashMap<TokenHash, watch::Receiver<Option<Verdict>>>>,
    places: Semaphore,
    metrics: Arc<IssuerMetrics>,
}

/// A token that its issuer vouched for.
#[derive(Clone)]
struct Active {
    token: Arc<VerifiedToken>,
    asked_at: Timestamp,
    until: Timestamp,
}

/// A question under way, taken off the list however it ends.
struct Question {
    of: Arc<Introspection>,
    hash: TokenHash,
}

impl Drop for Question {
    fn drop(&mut self) {
        self.of.questions.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.hash);
    }
}

impl Introspection {
    pub(super) fn new(
        issuer: Arc<str>,
        settings: IntrospectionSettings,
        http: Client,
        metrics: Arc<IssuerMetrics>,
    ) -> Self {
        let (active, questions) = (Cache::new(REMEMBERED), Mutex::default());
        Self { issuer, settings, http, active, questions, places: Semaphore::new(ASKED_AT_ONCE), metrics }
    }

    pub(super) fn is_of_this_issuer(&self, token: &str) -> bool {
        token.starts_with(&self.settings.token_prefix)
    }

    /// The verdict on an opaque token of this issuer. `judge` is given the answer about one that is active.
    pub(super) async fn verify(
        self: &Arc<Self>,
        token: &str,
        hash: TokenHash,
        now: Timestamp,
        judge: impl for<'a> FnOnce(&Claims<'a>, &[u8]) -> Result<VerifiedToken, TokenError> + Send + 'static,
    ) -> Verdict {
        // Of a clock that was set back it cannot be told how long ago the issuer was asked.
        let known = self.active.get(&hash).filter(|known| known.asked_at <= now && now < known.until);
        if let Some(known) = known {
            return Ok(known.token);
        }
        let mut verdict = self.ask_once(token, hash, now, judge)?;
        let verdict = verdict.wait_for(Option::is_some).await.ok().and_then(|verdict| verdict.clone());
        verdict.unwrap_or(Err(UNAVAILABLE))
    }

    /// Joins the question under way about the same token, or puts one. It is a task of its own: the request that
    /// put it may go away, and others wait for it too.
    fn ask_once(
        self: &Arc<Self>,
        token: &str,
        hash: TokenHash,
        now: Timestamp,
        judge: impl for<'a> FnOnce(&Claims<'a>, &[u8]) -> Result<VerifiedToken, TokenError> + Send + 'static,
    ) -> Result<watch::Receiver<Option<Verdict>>, TokenError> {
        let mut questions = self.questions.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(verdict) = questions.get(&hash) {
            return Ok(verdict.clone());
        }
        // Anybody can make up opaque tokens.
        if questions.len() >= ASKED_OR_WAITING {
            self.metrics.introspection(IntrospectionOutcome::Crowded);
            tracing::debug!(issuer = %self.issuer, "too many tokens to introspect");
            return Err(UNAVAILABLE);
        }
        let (sender, verdict) = watch::channel(None);
        questions.insert(hash, verdict.clone());
        // A runtime that is closing drops the task at once, and with it who takes it off the list.
        drop(questions);
        let question = Question { of: Arc::clone(self), hash };
        let token = Zeroizing::new(token.to_owned());
        tokio::spawn(trace::carried(async move {
            let verdict = question.of.ask(&token).await.and_then(|answer| {
                read(&answer)
                    .map(|claims| claims.and_then(|claims| judge(&claims, &answer)))
                    .map_err(|reason| question.of.no_answer(reason))
            });
            question.count(&verdict);
            sender.send_replace(Some(question.settle(verdict, now)));
        }));
        Ok(verdict)
    }

    async fn ask(&self, token: &str) -> Result<Vec<u8>, FetchError> {
        tokio::time::timeout(DEADLINE, async {
            // It fails only if somebody closes it, and then there is no limit but that of the list.
            let _place = self.places.acquire().await;
            let IntrospectionSettings { url, client_id, client_secret, .. } = &self.settings;
            let fields = [("token", token), ("token_type_hint", "access_token")];
            answer_to(post_form(&self.http, url, client_id, Some(client_secret), &fields), url).await
        })
        .await
        .unwrap_or(Err(FetchError::TooSlow))
    }

    fn no_answer(&self, reason: &'static str) -> FetchError {
        FetchError::NotAnIntrospectionAnswer { url: self.settings.url.to_string(), reason }
    }
}

impl Question {
    fn count(&self, verdict: &Result<Result<VerifiedToken, TokenError>, FetchError>) {
        self.of.metrics.introspection(match verdict {
            Ok(Ok(_)) => IntrospectionOutcome::Active,
            Ok(Err(_)) => IntrospectionOutcome::Refused,
            Err(_) => IntrospectionOutcome::Failed,
        });
    }

    /// Only good tokens are remembered: what is refused today may be good in a moment, and of bad ones there is
    /// no end.
    fn settle(
        &self,
        verdict: Result<Result<VerifiedToken, TokenError>, FetchError>,
        asked_at: Timestamp,
    ) -> Verdict {
        let token = Arc::new(verdict.map_err(|error| {
            tracing::warn!(issuer = %self.of.issuer, %error, "a token could not be introspected");
            UNAVAILABLE
        })??);
        let until = asked_at.plus_seconds(REMEMBERED_SECONDS).min(token.expires());
        self.of.active.insert(self.hash, Active { token: Arc::clone(&token), asked_at, until });
        Ok(token)
    }
}

/// What the issuer says of an active token. The outer error: it has said nothing that can be relied on.
fn read(answer: &[u8]) -> Result<Result<Claims<'_>, TokenError>, &'static str> {
    let members: Map<String, Value> =
        serde_json::from_slice(answer).map_err(|_| "expected a JSON object of reasonable depth")?;
    match members.get("active") {
        Some(Value::Bool(true)) => {}
        Some(Value::Bool(false)) => return Ok(Err(TokenError::Invalid("not active, says its issuer"))),
        _ => return Err("expected active to be true or false"),
    }
    let claims =
        Claims::parse(answer).map_err(|_| "expected members of the right types, and each only once")?;
    let is_bearer = match members.get("token_type") {
        // Issuers call refresh tokens active, too. One that says neither what a token is nor what it is for does not
        // tell them apart.
        None => claims.has_audience(),
        // RFC 6749 section 5.1, and what some say instead. Never that of a refresh token or of a bound one.
        Some(Value::String(name)) => {
            ["Bearer", "access_token"].iter().any(|kind| name.eq_ignore_ascii_case(kind))
        }
        Some(_) => false,
    };
    Ok(if is_bearer { Ok(claims) } else { Err(TokenError::Invalid("not a bearer token (token_type)")) })
}
