//! Passwords that the issuer judges: what it is asked, and which of its answers are a yes, a no or neither.

mod questions;
mod verdicts;

use super::create_otp::{CREATE, PIN};
use crate::harness::issuer::{Answer, GRANT, Issuer, SigningKey, with};
use crate::harness::postgres::PostgresServer;
use crate::harness::service::Service;
use crate::harness::wire::{JSON, request};
use crate::http::client::Answer as Told;
use serde_json::{Value, json};

pub(crate) const PASSWORD: &str = "correct horse";
/// Of the hash that alice's account has.
const LOCAL: &str = "of a hash that nobody asks";
const NAME: &str = "alice@example.com";
/// As the configuration has it.
pub(crate) const CLIENT_SECRET: &str = ", client_secret = \"geheim\"";

/// A service whose issuer judges passwords, at a server of its own, and alice with a PIN.
pub(crate) struct World {
    pub(crate) service: Service,
    pub(crate) judge: Issuer,
}

impl World {
    pub(crate) async fn start() -> Self {
        Self::start_with(CLIENT_SECRET, "").await
    }

    /// `None` where there is no PostgreSQL.
    pub(crate) async fn start_on_postgres() -> Option<Self> {
        let database = PostgresServer::shared()?.database();
        Some(Self::start_with(CLIENT_SECRET, &database.section()).await)
    }

    /// With `further` keys of `direct_grant`, and `sections` after it.
    pub(crate) async fn start_with(further: &str, sections: &str) -> Self {
        let judge = Issuer::start(&[]).await;
        let grant = setting(&judge.token_url(), further);
        let service = Service::start_with(&format!("{grant}\n{sections}")).await;
        service.provision(&json!({ "id": "alice", "pin": PIN, "password": LOCAL })).await;
        let world = Self { service, judge };
        world.says_yes_to("alice");
        world
    }

    pub(crate) fn says_yes_to(&self, subject: &str) {
        self.judge.answer(GRANT, Answer::Json(self.tokens(&json!({ "sub": subject }))));
    }

    pub(crate) fn says_no(&self) {
        self.judge.answer(GRANT, no());
    }

    /// What comes back for a right password of alice, with some claims of its ID token changed.
    pub(crate) fn tokens(&self, changes: &Value) -> Value {
        json!({ "access_token": "opaque", "token_type": "Bearer", "expires_in": 60, "id_token": self.jwt(changes) })
    }

    /// One that no key set of the issuer has signed.
    fn jwt(&self, changes: &Value) -> String {
        let claims =
            json!({ "iss": self.service.issuer.url(), "sub": "alice", "aud": "einmal", "typ": "ID" });
        SigningKey::new("EdDSA", None).token(&with(&claims, changes))
    }

    pub(crate) fn token(&self, subject: &str) -> String {
        self.service.token_with(subject, &json!({ "preferred_username": NAME }))
    }

    pub(crate) fn request(&self, subject: &str, offered: &Value) -> Vec<u8> {
        create_request(&self.token(subject), offered)
    }

    pub(crate) async fn create(&self, subject: &str, offered: Value) -> Told {
        self.service.send(self.request(subject, &offered)).await
    }

    pub(crate) fn asked(&self) -> usize {
        self.judge.count(GRANT)
    }

    /// The status of alice's password when the judge answers so, and what it has cost.
    async fn status_at(&self, answer: Answer) -> (u16, u32) {
        self.judge.answer(GRANT, answer);
        let (before, _) = self.service.proof_failures("alice").await;
        let told = self.create("alice", json!({ "password": PASSWORD })).await;
        if told.status == 503 {
            assert_eq!((told.code().as_str(), told.header("retry-after")), ("unavailable", Some("5")));
        }
        let (after, _) = self.service.proof_failures("alice").await;
        self.service.change("alice", |account| account.password_throttle.clear()).await;
        (told.status, after.saturating_sub(before))
    }
}

pub(crate) fn setting(token_url: &str, further: &str) -> String {
    format!(
        "password = {{ direct_grant = {{ token_url = \"{token_url}\", client_id = \"einmal\", \
         username_claim = \"/preferred_username\"{further} }} }}"
    )
}

pub(crate) fn no() -> Answer {
    Answer::Text {
        status: 401,
        body: json!({ "error": "invalid_grant", "error_description": NAME }).to_string(),
    }
}

pub(crate) fn create_request(token: &str, offered: &Value) -> Vec<u8> {
    let authorization = format!("Authorization: Bearer {token}");
    request(&format!("POST {CREATE}"), &[&authorization, JSON], offered.to_string().as_bytes())
}
