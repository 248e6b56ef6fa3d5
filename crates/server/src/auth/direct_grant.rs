//! Passwords that only their issuer knows (RFC 6749 section 4.3). A password goes to nobody but the token endpoint of the
//! asking token's own issuer, in a body, and never into a URL or a log. Nothing is remembered, and nothing asked twice.

use super::claims::Claims;
use super::outgoing::{
    ASKED_AT_ONCE, ASKED_OR_WAITING, DEADLINE, FetchError, post_form, secret_answer_to, status,
};
use super::strict_json::Text;
use super::token::claims_of_any_jwt;
use crate::config::Secret;
use crate::metrics::{IssuerMetrics, PasswordGrantOutcome};
use reqwest::{Client, StatusCode};
use serde::Deserialize;
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};
use url::Url;
use zeroize::Zeroizing;

const MAX_ANSWER_BYTES: usize = 64 * 1024;
/// Of the deadline. Whoever gets its turn later would not wait for the answer, and be counted for it.
const TURN_DEADLINE: Duration = Duration::from_secs(3);

#[derive(Clone, Debug)]
pub struct DirectGrantSettings {
    pub token_url: Url,
    /// Of this service, at the issuer.
    pub client_id: String,
    pub client_secret: Option<Secret>,
    /// JSON pointer to the user's name in the asking token.
    pub username_claim: String,
    pub scope: String,
}

impl DirectGrantSettings {
    pub(super) const CLIENT: [&'static str; 3] = [
        "password.direct_grant.token_url",
        "password.direct_grant.client_id",
        "password.direct_grant.client_secret",
    ];
    pub(super) const USERNAME_CLAIM: &'static str = "password.direct_grant.username_claim";
}

/// What an issuer says of a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PasswordVerdict {
    Right,
    Wrong,
    /// It has certainly not looked at it.
    NotJudged,
    /// It may have looked at it; what it found, nobody knows.
    Unknown,
}

/// Too many wait for the issuer. It was not asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many passwords wait for the issuer")]
pub struct IssuerCrowded;

/// Why there is no verdict. For the log.
#[derive(Debug, thiserror::Error)]
enum NoVerdict {
    #[error(transparent)]
    Fetch(#[from] FetchError),
    #[error("no turn within {} seconds: {ASKED_AT_ONCE} questions were under way", TURN_DEADLINE.as_secs())]
    NoTurn,
    #[error("{url} says {error}, expected it to judge the password for this client")]
    Refused { url: Url, error: &'static str },
    #[error(
        "{0} answered with no token that says whose it is, expected an id_token (is openid in scope?) or an access_token \
         that is a JWT with iss and sub"
    )]
    Unreadable(Url),
}

impl NoVerdict {
    fn is_certainly_not_judged(&self) -> bool {
        match self {
            Self::Fetch(FetchError::NoConnection { .. }) | Self::NoTurn | Self::Refused { .. } => true,
            // A 5xx may come from a login that failed half-way, and one that does so for wrong passwords alone would give
            // guesses away.
            Self::Fetch(error) => matches!(error, FetchError::Status { status: 429, .. }),
            Self::Unreadable(_) => false,
        }
    }
}

/// Asks one issuer.
pub(super) struct DirectGrant {
    /// Its name, and what tokens call it.
    issuer: Arc<str>,
    iss: String,
    settings: DirectGrantSettings,
    http: Client,
    turns: Semaphore,
    places: Arc<Semaphore>,
    metrics: Arc<IssuerMetrics>,
}

/// Whose password it would be: the user of one token.
pub struct PasswordOwner {
    grant: Arc<DirectGrant>,
    subject: Box<str>,
    /// `None` if the token does not have the claim.
    name: Option<Box<str>>,
}

/// A question that may be put, with its place in the queue.
pub struct PasswordQuestion {
    owner: Arc<PasswordOwner>,
    _place: OwnedSemaphorePermit,
}

impl DirectGrant {
    pub(super) fn new(
        issuer: Arc<str>,
        iss: String,
        settings: DirectGrantSettings,
        http: Client,
        metrics: Arc<IssuerMetrics>,
    ) -> Self {
        let (turns, places) = (Semaphore::new(ASKED_AT_ONCE), Arc::new(Semaphore::new(ASKED_OR_WAITING)));
        Self { issuer, iss, settings, http, turns, places, metrics }
    }

    /// Of a token with these claims, which have been verified.
    pub(super) fn owner(self: &Arc<Self>, subject: &str, claims: &Value) -> PasswordOwner {
        let name = claims.pointer(&self.settings.username_claim).and_then(Value::as_str);
        let name = name.filter(|name| !name.is_empty()).map(Box::from);
        PasswordOwner { grant: Arc::clone(self), subject: subject.into(), name }
    }

    /// `true`: it is the password of `subject`.
    async fn judge(&self, name: &str, subject: &str, password: &str) -> Result<bool, NoVerdict> {
        let DirectGrantSettings { token_url, client_id, client_secret, scope, .. } = &self.settings;
        let begun = Instant::now();
        let turn = timeout_at(begun + TURN_DEADLINE, self.turns.acquire());
        // It fails only if somebody closes it, and then there is no limit but that of places.
        let _turn = turn.await.map_err(|_| NoVerdict::NoTurn)?;
        let fields =
            [("grant_type", "password"), ("username", name), ("password", password), ("scope", scope)];
        let request = post_form(&self.http, token_url, client_id, client_secret.as_ref(), &fields);
        let answer = timeout_at(begun + DEADLINE, secret_answer_to(request, token_url, MAX_ANSWER_BYTES));
        let (code, body) = answer.await.map_err(|_| FetchError::TooSlow)??;
        match code {
            StatusCode::OK => self.is_of(&body, subject),
            StatusCode::BAD_REQUEST | StatusCode::UNAUTHORIZED => self.refusal(code, &body),
            other => Err(status(other, token_url).into()),
        }
    }

    /// Whether the tokens in an answer are of `subject`. Their signature is not checked: they came over TLS, or loopback,
    /// from the very server that the operator lets judge passwords, which is enough (OpenID Connect Core 1.0 section
    /// 3.1.3.7 point 6); some are signed with the client's secret, and of some issuers no key set is known. They are for
    /// somebody else, and nothing but this is believed of them.
    fn is_of(&self, answer: &[u8], subject: &str) -> Result<bool, NoVerdict> {
        let unreadable = || NoVerdict::Unreadable(self.settings.token_url.clone());
        let tokens: Tokens = serde_json::from_slice(answer).map_err(|_| unreadable())?;
        for token in [tokens.id_token, tokens.access_token].into_iter().flatten() {
            let Some(payload) = claims_of_any_jwt(&token.0) else { continue };
            let Ok(claims) = Claims::parse(&payload) else { continue };
            let (Ok(iss), Ok(sub)) = (claims.issuer(), claims.subject()) else { continue };
            let error = match (iss == self.iss, sub == subject) {
                (true, true) => return Ok(true),
                (true, false) => "the sub that came back is not the token's, expected the same user's",
                (false, _) => "the iss that came back is not the configured issuer",
            };
            tracing::warn!(issuer = %self.issuer, error, "a password was another account's");
            return Ok(false);
        }
        Err(unreadable())
    }

    /// RFC 6749 section 5.2. What is no word about the password says nothing of it.
    fn refusal(&self, code: StatusCode, answer: &[u8]) -> Result<bool, NoVerdict> {
        let refusal = serde_json::from_slice::<Refusal>(answer).ok();
        let error = refusal.as_ref().map(|refusal| &*refusal.error.0);
        if error == Some("invalid_grant") {
            return Ok(false);
        }
        let known = ["invalid_client", "unauthorized_client", "unsupported_grant_type"];
        let url = &self.settings.token_url;
        Err(match known.into_iter().find(|known| error == Some(known)) {
            Some(error) => NoVerdict::Refused { url: url.clone(), error },
            None => status(code, url).into(),
        })
    }
}

impl PasswordOwner {
    /// To be done before the attempt is counted: who is turned away here has not tried.
    pub fn question(self: &Arc<Self>) -> Result<PasswordQuestion, IssuerCrowded> {
        let place = Arc::clone(&self.grant.places).try_acquire_owned().map_err(|_| {
            self.grant.metrics.password_grant(PasswordGrantOutcome::Crowded);
            tracing::debug!(issuer = %self.grant.issuer, "too many passwords to ask about");
            IssuerCrowded
        })?;
        Ok(PasswordQuestion { owner: Arc::clone(self), _place: place })
    }
}

impl PasswordQuestion {
    pub async fn ask(self, password: Zeroizing<String>) -> PasswordVerdict {
        let PasswordOwner { grant, subject, name } = &*self.owner;
        let Some(name) = name else {
            let claim = &grant.settings.username_claim;
            tracing::warn!(issuer = %grant.issuer, claim, "a token names no user whose password could be asked about");
            grant.metrics.password_grant(PasswordGrantOutcome::Wrong);
            return PasswordVerdict::Wrong;
        };
        let judged = grant.judge(name, subject, &password).await;
        let (verdict, outcome) = match &judged {
            Ok(true) => (PasswordVerdict::Right, PasswordGrantOutcome::Right),
            Ok(false) => (PasswordVerdict::Wrong, PasswordGrantOutcome::Wrong),
            Err(error) if error.is_certainly_not_judged() => {
                (PasswordVerdict::NotJudged, PasswordGrantOutcome::Failed)
            }
            Err(_) => (PasswordVerdict::Unknown, PasswordGrantOutcome::Failed),
        };
        grant.metrics.password_grant(outcome);
        if let Err(error) = judged {
            tracing::warn!(issuer = %grant.issuer, %error, "a password could not be judged");
        }
        verdict
    }
}

#[derive(Deserialize)]
struct Tokens<'a> {
    #[serde(borrow)]
    id_token: Option<Text<'a>>,
    #[serde(borrow)]
    access_token: Option<Text<'a>>,
}

#[derive(Deserialize)]
struct Refusal<'a> {
    #[serde(borrow)]
    error: Text<'a>,
}
