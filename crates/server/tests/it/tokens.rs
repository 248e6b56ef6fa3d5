//! What tokens get in. The real verifier against a scripted issuer; numbers are those of the list of attacks.

mod cache;
mod claims;
mod confusion;
mod fetching;
mod forgeries;
mod introspection;
mod introspection_load;
mod keys;
mod linked_identity;
mod service;
mod settings;
mod shape;

use crate::harness::clock::{HandClock, NOW};
use crate::harness::issuer::{Issuer, SigningKey};
use einmal::auth::{Algorithm, IssuerSettings, TokenError, TokenVerifier, VerifiedToken};
use einmal::clock::Clock;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::{Duration, Instant};

const SCOPE: &str = "user:otp:verify";

/// One issuer with one RSA key of kid `rsa`, and a verifier that has its keys.
struct World {
    issuer: Issuer,
    key: SigningKey,
    clock: Arc<HandClock>,
    verifier: TokenVerifier,
}

impl World {
    async fn new() -> Self {
        Self::with(|_| ()).await
    }

    async fn with(change: impl FnOnce(&mut IssuerSettings)) -> Self {
        let world = Self::before_discovery(change).await;
        world.verifier.discover().await.unwrap();
        assert!(world.verifier.is_ready());
        world
    }

    /// Nothing has been fetched yet.
    async fn before_discovery(change: impl FnOnce(&mut IssuerSettings)) -> Self {
        let key = SigningKey::rsa("rsa");
        let issuer = Issuer::start(&[&key]).await;
        let mut settings = settings("main", &issuer);
        change(&mut settings);
        let clock = HandClock::new();
        let verifier = TokenVerifier::new(vec![settings], clock.clone()).unwrap();
        Self { issuer, key, clock, verifier }
    }

    /// Whose keys are not the usual one.
    async fn with_jwks(jwks: &[Value]) -> Self {
        let world = Self::before_discovery(|_| ()).await;
        world.issuer.publish_jwks(jwks);
        world.verifier.discover().await.unwrap();
        world
    }

    async fn verify(&self, token: &str) -> Result<Arc<VerifiedToken>, TokenError> {
        self.verifier.verify(token, self.clock.now()).await
    }

    /// Of the usual key: a claim changed, or removed by null.
    fn token(&self, changes: &Value) -> String {
        self.key.token(&self.claims(changes))
    }

    fn claims(&self, changes: &Value) -> Value {
        claims(&self.issuer, changes)
    }

    async fn accepts(&self, token: &str) -> Arc<VerifiedToken> {
        self.verify(token).await.unwrap_or_else(|error| panic!("refused {token}: {error}"))
    }

    async fn refuses(&self, what: &str, token: &str) {
        match self.verify(token).await {
            Err(TokenError::Invalid(_)) => {}
            Err(other) => panic!("{what}: {other}"),
            Ok(_) => panic!("{what}: accepted"),
        }
    }

    async fn refuses_claims(&self, changes: Value) {
        self.refuses(&changes.to_string(), &self.token(&changes)).await;
    }
}

fn settings(name: &str, issuer: &Issuer) -> IssuerSettings {
    IssuerSettings {
        name: name.into(),
        issuer: issuer.url(),
        audiences: vec!["einmal".to_owned()],
        jwks_uri: None,
        algorithms: Algorithm::ALL.to_vec(),
        linked_identity: None,
        introspection: None,
        direct_grant: None,
        registered_at_claim: None,
    }
}

fn claims(issuer: &Issuer, changes: &Value) -> Value {
    let usual = json!({
        "iss": issuer.url(), "aud": "einmal", "sub": "alice", "exp": NOW + 300, "iat": NOW, "scope": SCOPE,
        "azp": "app",
    });
    crate::harness::issuer::with(&usual, changes)
}

/// Waits for what another task does, and fails the test if it does not.
async fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !is_so() {
        assert!(Instant::now() < deadline, "never: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
