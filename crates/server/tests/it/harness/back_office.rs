//! What a back office sends to the management listener.

use super::service::Service;
use super::wire::{JSON, request};
use crate::http::client::{Answer, Client};
use serde_json::{Value, json};

/// The section that lets it in.
pub(crate) const ADMIN: &str = "[admin]\nissuer = \"main\"\nclients = [\"backoffice\"]";

pub(crate) const ALICE: &str = "/admin/accounts/main/alice";

impl Service {
    /// With a back office.
    pub(crate) async fn start_administered() -> Self {
        Self::start_with(ADMIN).await
    }

    /// A token of the back office, with some claims set to something else.
    pub(crate) fn admin_token(&self, changes: &Value) -> String {
        let claims = json!({ "client_id": "backoffice", "scope": "einmal:admin" });
        self.token_with("agent-7", &super::issuer::with(&claims, changes))
    }

    /// On a connection of its own to the management listener, with these header lines.
    pub(crate) async fn manage(&self, line: &str, headers: &[&str], body: impl AsRef<[u8]>) -> Answer {
        let mut client = Client::connect(self.running.management_address).await;
        client.send(request(line, headers, body.as_ref())).await;
        client.answer_to(line.split(' ').next().unwrap()).await
    }

    /// With a good token; null is no body.
    pub(crate) async fn administer(&self, line: &str, body: &Value) -> Answer {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        self.administer_with(line, body).await
    }

    /// The same with any bytes as the body.
    pub(crate) async fn administer_with(&self, line: &str, body: impl AsRef<[u8]>) -> Answer {
        let authorization = format!("Authorization: Bearer {}", self.admin_token(&json!({})));
        self.manage(line, &[authorization.as_str(), JSON], body).await
    }

    /// Makes an account or replaces it; the status.
    pub(crate) async fn put(&self, subject: &str, record: &Value) -> u16 {
        self.administer(&format!("PUT /admin/accounts/main/{subject}"), record).await.status
    }

    /// What support may know of an account.
    pub(crate) async fn shown(&self, subject: &str) -> Value {
        let answer = self.administer(&format!("GET /admin/accounts/main/{subject}"), &Value::Null).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()
    }

    /// A code that support tells alice.
    pub(crate) async fn told_code(&self) -> String {
        let answer = self.administer(&format!("POST {ALICE}/code"), &Value::Null).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        answer.json()["otp"].as_str().unwrap().to_owned()
    }
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        assert_eq!(self.header("content-type"), Some("application/json"), "{self:?}");
        self.assert_has_common_headers();
        serde_json::from_slice(&self.body).unwrap()
    }
}
