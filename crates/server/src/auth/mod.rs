//! Who is asking: bearer tokens of the configured issuers. JWTs are checked without asking anybody per request, opaque
//! tokens by asking their issuer. Nothing here may touch an account, or believe a token before it is checked.

mod administrators;
mod algorithm;
pub mod caller;
mod claims;
mod direct_grant;
mod discovery;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
mod introspection;
mod issuer_keys;
mod jwk;
mod key_set;
mod linked_identity;
mod outgoing;
mod settings;
mod sign_in;
mod strict_json;
mod token;
mod verified_tokens;

pub use administrators::AdministratorSettings;
pub use algorithm::Algorithm;
pub use direct_grant::{
    DirectGrantSettings, IssuerCrowded, PasswordOwner, PasswordQuestion, PasswordVerdict,
};
pub use introspection::IntrospectionSettings;
pub use linked_identity::LinkedIdentitySettings;
pub use outgoing::FetchError;
pub use settings::{IssuerSettings, SettingsError, trusted_url};
pub use sign_in::{SignIn, SignInEndpoints};

use crate::clock::Clock;
use crate::metrics::{IssuerMetrics, Metrics};
use claims::{Claims, Lifetime, NumericDate};
use direct_grant::DirectGrant;
use discovery::{Discovery, KeySetLocation};
use einmal_core::Timestamp;
use einmal_core::account::AccountId;
use introspection::{Introspection, REMEMBERED_SECONDS};
use issuer_keys::IssuerKeys;
use reqwest::Client;
use serde::Deserialize;
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;
use strict_json::Tree;
use token::Token;
use url::Url;
use verified_tokens::{Entry, TokenHash, VerifiedTokens};

/// Why a token is not good enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// The reason is for the log alone: an attacker would learn from it which part to work on.
    #[error("token is invalid: {0}")]
    Invalid(&'static str),
    /// Said of authentic tokens only.
    #[error("token has expired")]
    Expired,
    /// Nothing is known against the token, and nothing for it.
    #[error("the token's issuer cannot be asked")]
    Unavailable { retry_after_seconds: u64 },
}

/// The issuer and the configuration contradict each other.
#[derive(Debug, thiserror::Error)]
#[error("issuer {issuer:?}: {error}")]
pub struct DiscoveryError {
    pub issuer: Arc<str>,
    pub error: FetchError,
}

/// A token whose authenticity, issuer, audience and lifetime have been checked.
pub struct VerifiedToken {
    pub account: AccountId,
    /// `azp`, else `client_id`.
    pub client: Option<String>,
    /// `email`, if `email_verified` is true.
    pub verified_email: Option<String>,
    /// The user's language, as the token says it.
    pub locale: Option<String>,
    /// By the issuer's word, if the operator named a claim for it.
    pub registered_at: Option<Timestamp>,
    /// The operator demands a linked identity that the token does not have.
    pub linked_identity_missing: bool,
    /// Whose password the issuer is to be asked about, if the operator wants passwords to be judged there.
    pub password_owner: Option<Arc<PasswordOwner>>,
    lifetime: Lifetime,
    scopes: Box<str>,
}

impl VerifiedToken {
    /// Scopes are case-sensitive (RFC 6749 section 3.3).
    pub fn has_scope(&self, scope: &str) -> bool {
        self.scopes.split(' ').any(|granted| granted == scope)
    }

    /// As the token says it; it is honoured a little longer.
    pub fn expires(&self) -> Timestamp {
        self.lifetime.expires
    }
}

struct Issuer {
    settings: IssuerSettings,
    discovery: Discovery,
    keys: Arc<IssuerKeys>,
    introspection: Option<Arc<Introspection>>,
    direct_grant: Option<Arc<DirectGrant>>,
}

/// Checks tokens of all configured issuers.
pub struct TokenVerifier {
    issuers: Vec<Arc<Issuer>>,
    verified: VerifiedTokens,
    clock: Arc<dyn Clock>,
}

impl TokenVerifier {
    /// Asks nobody yet: see [`Self::discover`].
    pub fn new(issuers: Vec<IssuerSettings>, clock: Arc<dyn Clock>) -> Result<Self, SettingsError> {
        Self::counted(issuers, clock, &Metrics::default())
    }

    /// The same, with what issuers are asked counted in `metrics`.
    pub fn counted(
        issuers: Vec<IssuerSettings>,
        clock: Arc<dyn Clock>,
        metrics: &Metrics,
    ) -> Result<Self, SettingsError> {
        IssuerSettings::check_distinct(&issuers)?;
        let urls = issuers.iter().map(IssuerSettings::check).collect::<Result<Vec<_>, _>>()?;
        let needs_tls = urls.iter().chain(issuers.iter().flat_map(IssuerSettings::further_urls));
        let needs_tls = needs_tls.into_iter().any(|url| url.scheme() == "https");
        let http = outgoing::http_client(needs_tls).map_err(SettingsError::HttpClient)?;
        let issuer = |(settings, url): (IssuerSettings, _)| {
            let metrics = Arc::new(metrics.issuer(&settings.name));
            Arc::new(Issuer::new(settings, &url, &http, &clock, &metrics))
        };
        let issuers = issuers.into_iter().zip(urls).map(issuer).collect();
        Ok(Self { issuers, verified: VerifiedTokens::new(), clock })
    }

    /// Fetches the keys of all issuers, at start. An issuer out of reach is no error: it is asked again later.
    pub async fn discover(&self) -> Result<(), DiscoveryError> {
        let fetches: Vec<_> = self.with_keys().map(|issuer| (issuer.keys.first_fetch(), issuer)).collect();
        for (fetch, issuer) in fetches {
            if let Some(Err(error)) = fetch.await
                && error.is_contradiction()
            {
                return Err(DiscoveryError { issuer: Arc::clone(&issuer.settings.name), error });
            }
        }
        Ok(())
    }

    /// Those whose JWTs are taken.
    fn with_keys(&self) -> impl Iterator<Item = &Issuer> {
        self.issuers.iter().map(|issuer| &**issuer).filter(|issuer| !issuer.settings.algorithms.is_empty())
    }

    /// Whether JWTs of every issuer can be checked. Whether opaque tokens can, only asking about one would tell.
    pub fn is_ready(&self) -> bool {
        let now = self.clock.now();
        self.with_keys().all(|issuer| issuer.keys.usable(now).is_some())
    }

    /// Where browsers sign in at the issuer of this name.
    pub fn sign_in(&self, name: &str) -> Option<SignIn> {
        let issuer = self.issuers.iter().find(|issuer| *issuer.settings.name == *name)?;
        Some(SignIn::new(issuer.discovery.clone(), Arc::clone(&self.clock)))
    }

    /// Keeps the key sets fresh until it is dropped. It looks every second, because the rules follow the injected
    /// clock, and that may jump.
    pub async fn refresh_forever(&self) {
        loop {
            for issuer in self.with_keys() {
                issuer.keys.refresh_if_due();
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }

    /// The token, if it is one of a configured issuer, meant for us, and good at `now`.
    pub async fn verify(&self, token: &str, now: Timestamp) -> Result<Arc<VerifiedToken>, TokenError> {
        if token.len() > token::MAX_TOKEN_BYTES {
            return Err(TokenError::Invalid("longer than 8 KiB"));
        }
        let hash = TokenHash::of(token);
        if let Some(entry) = self.seen_before(&hash, now) {
            entry.lifetime.check(now)?;
            return Ok(entry);
        }
        if let Some((issuer, introspection)) = self.issuer_to_ask(token) {
            let issuer = Arc::clone(issuer);
            let judge = move |claims: &Claims<'_>, answer: &[u8]| issuer.judge_answer(claims, answer, now);
            return introspection.verify(token, hash, now, judge).await;
        }
        let token = Token::split(token)?;
        let claims = Claims::parse(&token.payload)?;
        let (issuer_index, issuer) = self.issuer_of(&claims)?;
        if !issuer.settings.algorithms.contains(&token.algorithm) {
            return Err(TokenError::Invalid("alg is not allowed"));
        }
        let keys = issuer.keys.authenticate(&token, now).await?;
        let verified = Arc::new(issuer.judge(&claims, &token.payload, now)?);
        self.verified.insert(hash, Entry { token: Arc::clone(&verified), issuer_index, keys });
        Ok(verified)
    }

    fn seen_before(&self, hash: &TokenHash, now: Timestamp) -> Option<Arc<VerifiedToken>> {
        let entry = self.verified.get(hash)?;
        let current = self.issuers.get(entry.issuer_index)?.keys.usable(now)?;
        Arc::ptr_eq(&entry.keys, &current).then_some(entry.token)
    }

    /// Whose opaque token it is. A JWT is never shown to anybody, whatever is wrong with it.
    fn issuer_to_ask(&self, token: &str) -> Option<(&Arc<Issuer>, &Arc<Introspection>)> {
        let mut asked =
            self.issuers.iter().filter_map(|issuer| Some((issuer, issuer.introspection.as_ref()?)));
        asked
            .find(|(_, introspection)| introspection.is_of_this_issuer(token))
            .filter(|_| token::is_opaque(token))
    }

    fn issuer_of(&self, claims: &Claims<'_>) -> Result<(usize, &Arc<Issuer>), TokenError> {
        let iss = claims.issuer()?;
        let mut issuers = self.issuers.iter().enumerate();
        issuers
            .find(|(_, issuer)| issuer.settings.issuer == iss)
            .ok_or(TokenError::Invalid("iss is no configured issuer"))
    }
}

impl Issuer {
    fn new(
        settings: IssuerSettings,
        url: &Url,
        http: &Client,
        clock: &Arc<dyn Clock>,
        metrics: &Arc<IssuerMetrics>,
    ) -> Self {
        let discovery = Discovery::new(url, &settings.issuer, http.clone());
        let location = KeySetLocation::new(discovery.clone(), settings.jwks_uri.clone());
        let (name, algorithms) = (&settings.name, settings.algorithms.clone());
        let introspection = settings.introspection.clone().map(|introspection| {
            Introspection::new(Arc::clone(name), introspection, http.clone(), Arc::clone(metrics))
        });
        let direct_grant = settings.direct_grant.clone().map(|grant| {
            let iss = settings.issuer.clone();
            DirectGrant::new(Arc::clone(name), iss, grant, http.clone(), Arc::clone(metrics))
        });
        let (clock, metrics) = (Arc::clone(clock), Arc::clone(metrics));
        let keys = Arc::new(IssuerKeys::new(Arc::clone(name), algorithms, location, clock, metrics));
        let (introspection, direct_grant) = (introspection.map(Arc::new), direct_grant.map(Arc::new));
        Self { settings, discovery, keys, introspection, direct_grant }
    }

    /// The claims of an authentic JWT.
    fn judge(
        &self,
        claims: &Claims<'_>,
        payload: &[u8],
        now: Timestamp,
    ) -> Result<VerifiedToken, TokenError> {
        let lifetime = claims.lifetime()?;
        lifetime.check(now)?;
        claims.require_audience(&self.settings.audiences)?;
        self.admit(claims, payload, lifetime)
    }

    /// What the issuer says of an active token. RFC 7662 section 2.2 makes all but `active` optional.
    fn judge_answer(
        &self,
        claims: &Claims<'_>,
        answer: &[u8],
        now: Timestamp,
    ) -> Result<VerifiedToken, TokenError> {
        if claims.issuer().is_ok_and(|iss| iss != self.settings.issuer) {
            return Err(TokenError::Invalid("iss is not the issuer that was asked"));
        }
        // Active means: not expired. Then it is good until the issuer is asked again.
        let lifetime = claims.lifetime_or_until(now.plus_seconds(REMEMBERED_SECONDS));
        lifetime.check(now)?;
        let takes_missing = self.settings.introspection.as_ref().is_some_and(|i| i.takes_missing_audience);
        if claims.has_audience() || !takes_missing {
            claims.require_audience(&self.settings.audiences)?;
        }
        self.admit(claims, answer, lifetime)
    }

    fn admit(
        &self,
        claims: &Claims<'_>,
        json: &[u8],
        lifetime: Lifetime,
    ) -> Result<VerifiedToken, TokenError> {
        claims.require_access_token()?;
        let client = claims.client();

        let linked_identity =
            self.settings.linked_identity.as_ref().filter(|linked| linked.is_demanded_of(claims));
        let registered_at = self.settings.registered_at_claim.as_deref();
        // Read a second time as a tree only where the operator points into it.
        let is_pointed_into =
            linked_identity.is_some() || registered_at.is_some() || self.direct_grant.is_some();
        let tree = if is_pointed_into {
            let tree: Tree = serde_json::from_slice(json)
                .map_err(|_| TokenError::Invalid("claims are nested too deep, or have a member twice"))?;
            tree.0
        } else {
            Value::Null
        };
        let subject = claims.subject()?;
        let password_owner = self.direct_grant.as_ref().map(|grant| Arc::new(grant.owner(subject, &tree)));
        Ok(VerifiedToken {
            account: AccountId::new(Arc::clone(&self.settings.name), subject),
            client: client.map(str::to_owned),
            verified_email: claims.verified_email().map(str::to_owned),
            locale: claims.locale().map(str::to_owned),
            registered_at: registered_at.and_then(|pointer| timestamp(tree.pointer(pointer)?)),
            linked_identity_missing: linked_identity.is_some_and(|linked| !linked.is_in(&tree)),
            password_owner,
            lifetime,
            scopes: claims.scopes()?,
        })
    }
}

/// Seconds or RFC 3339. What is neither tells no time, and nobody is newly registered by it.
fn timestamp(claim: &Value) -> Option<Timestamp> {
    match claim {
        Value::String(text) => {
            let seconds = text.parse::<jiff::Timestamp>().ok()?.as_second();
            Some(Timestamp::from_seconds(seconds.try_into().ok()?))
        }
        other => NumericDate::deserialize(other).ok().map(|date| date.0),
    }
}
