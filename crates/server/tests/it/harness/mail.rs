//! Asking for a code by mail.

use super::service::Service;
use super::wire::request;
use crate::harness::mail_server::MailServer;
use crate::harness::postgres::PostgresServer;
use crate::http::client::Answer;
use einmal::mail::Limits;
use serde_json::{Value, json};
use std::time::Duration;

pub(crate) const SENDMAIL: &str = "/user/2025-1/user/otp/sendmail";

/// So that a test need not wait for as long as a client would.
pub(crate) const HASTY: Limits = Limits { deadline: Duration::from_millis(400), at_once: 4 };

impl Service {
    /// With a mail server of its own.
    pub(crate) async fn start_mailing() -> (Self, MailServer) {
        Self::start_mailing_with("").await
    }

    pub(crate) async fn start_mailing_with(settings: &str) -> (Self, MailServer) {
        Self::start_mailing_limited(settings, Limits::default()).await
    }

    /// The same on a database of its own on PostgreSQL. `None` where there is none.
    pub(crate) async fn start_mailing_on_postgres() -> Option<(Self, MailServer)> {
        let database = PostgresServer::shared()?.database();
        Some(Self::start_mailing_with(&database.section()).await)
    }

    pub(crate) async fn start_mailing_limited(settings: &str, limits: Limits) -> (Self, MailServer) {
        let server = MailServer::start().await;
        let service = Self::start_limited(&format!("{}{settings}", server.settings()), limits).await;
        (service, server)
    }

    /// Of somebody with the verified address `SUBJECT@example.org`; some claims set to something else.
    pub(crate) fn mail_token(&self, subject: &str, changes: &Value) -> String {
        let address = json!({ "email": format!("{subject}@example.org"), "email_verified": true });
        self.token_with(subject, &super::issuer::with(&address, changes))
    }

    pub(crate) fn mail_request(&self, subject: &str, changes: &Value, headers: &[&str]) -> Vec<u8> {
        let authorization = format!("Authorization: Bearer {}", self.mail_token(subject, changes));
        request(&format!("POST {SENDMAIL}"), &[&[authorization.as_str()], headers].concat(), b"")
    }

    pub(crate) async fn mail_with(&self, subject: &str, changes: &Value, headers: &[&str]) -> Answer {
        self.send(self.mail_request(subject, changes, headers)).await
    }

    pub(crate) async fn mail(&self, subject: &str) -> Answer {
        self.mail_with(subject, &json!({}), &[]).await
    }

    /// The status of trying a mailed code.
    pub(crate) async fn log_in(&self, subject: &str, code: &str) -> u16 {
        self.verify_as(subject, code, &["login"]).await
    }
}
