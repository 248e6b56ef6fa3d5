//! An account for people who look after it: what is enrolled, used, waiting or suspended. No secret, hash or code
//! is in it, so that it can be shown to support and put on a screen.

use super::export::rfc_3339;
use einmal_core::Timestamp;
use einmal_core::account::{
    Account, AccountId, CodeState, Credential, HistoryEntry, IssuedCode, OtpType, PendingAuthenticator,
    StoredHash, Throttle,
};
use einmal_core::policy::Policy;
use serde::Serialize;

/// As it is at one time. Times are RFC 3339; what is absent is left out.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Description<'a> {
    pub issuer: &'a str,
    pub id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub registered_at: Option<String>,
    pub pin: HashState,
    pub password: HashState,
    pub device_totps: Vec<CredentialDescription<'a>>,
    pub authenticators: Vec<CredentialDescription<'a>>,
    /// Shown to the user, and not confirmed by a code yet.
    pub pending_authenticators: Vec<PendingDescription<'a>>,
    pub codes: Vec<CodeDescription>,
    /// Of wrong codes, PINs and passwords.
    pub failures: Failures,
    /// What was done to it, the latest first.
    pub history: Vec<HistoryDescription>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum HashState {
    None,
    Set,
    /// Guessed at too often, until a new one is set.
    Dead,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CredentialDescription<'a> {
    pub id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<&'a str>,
    pub algorithm: &'static str,
    pub digits: u8,
    /// In seconds.
    pub period: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_used_at: Option<String>,
    /// Since its last success.
    pub failures: u32,
    pub suspended: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PendingDescription<'a> {
    pub id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<String>,
    /// Wrong codes offered for it.
    pub failures: u32,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CodeDescription {
    #[serde(rename = "type")]
    pub kind: &'static str,
    pub state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<String>,
}

#[derive(Serialize)]
pub struct Failures {
    pub otp: FailureCount,
    pub pin: FailureCount,
    pub password: FailureCount,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FailureCount {
    /// In a row.
    pub count: u32,
    /// Nothing is looked at for so long.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wait_seconds: Option<u64>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HistoryDescription {
    pub event: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
    /// The device or authenticator that it was done to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credential: Option<String>,
}

impl<'a> Description<'a> {
    pub fn of(id: &'a AccountId, account: &'a Account, now: Timestamp, policy: &Policy) -> Self {
        let credentials = |credentials: &'a [Credential]| {
            let describe = |one| CredentialDescription::of(one, now, policy);
            credentials.iter().map(describe).collect()
        };
        let codes = [(OtpType::Account, &account.account_code), (OtpType::Login, &account.login_code)];
        let codes = codes.into_iter().filter_map(|(kind, issued)| {
            issued.as_ref().map(|issued| CodeDescription::of(kind, issued, now))
        });
        Self {
            issuer: id.issuer(),
            id: id.subject(),
            email: account.email.as_deref(),
            registered_at: account.registered_at.and_then(rfc_3339),
            pin: HashState::of(account.pin.as_ref(), account.has_live_pin()),
            password: HashState::of(account.password.as_ref(), true),
            device_totps: credentials(&account.devices),
            authenticators: credentials(&account.authenticators),
            pending_authenticators: account.pending_authenticators(now).map(PendingDescription::of).collect(),
            codes: codes.collect(),
            failures: Failures {
                otp: FailureCount::of(&account.otp_throttle, now, policy),
                pin: FailureCount::of(&account.pin_throttle, now, policy),
                password: FailureCount::of(&account.password_throttle, now, policy),
            },
            history: account.history.latest_first().map(HistoryDescription::of).collect(),
        }
    }
}

impl HashState {
    fn of(hash: Option<&StoredHash>, is_live: bool) -> Self {
        match hash {
            None => Self::None,
            Some(_) if is_live => Self::Set,
            Some(_) => Self::Dead,
        }
    }
}

impl<'a> CredentialDescription<'a> {
    fn of(credential: &'a Credential, now: Timestamp, policy: &Policy) -> Self {
        let totp = &credential.totp;
        Self {
            id: credential.id.to_string(),
            label: credential.label.as_deref(),
            algorithm: totp.algorithm().name(),
            digits: totp.digits(),
            period: totp.period(),
            created_at: rfc_3339(credential.created_at),
            last_used_at: credential.progress.last_used_at.and_then(rfc_3339),
            failures: credential.progress.failures,
            suspended: credential.is_suspended(now, policy),
        }
    }
}

impl<'a> PendingDescription<'a> {
    fn of(pending: &'a PendingAuthenticator) -> Self {
        let credential = &pending.credential;
        Self {
            id: credential.id.to_string(),
            label: credential.label.as_deref(),
            created_at: rfc_3339(credential.created_at),
            expires_at: rfc_3339(pending.expires_at()),
            failures: pending.failures,
        }
    }
}

impl CodeDescription {
    fn of(kind: OtpType, issued: &IssuedCode, now: Timestamp) -> Self {
        let state = match issued.state {
            CodeState::Spent => "used",
            CodeState::Live if now < issued.expires_at => "live",
            CodeState::Live | CodeState::Dead => "dead",
        };
        Self { kind: kind.name(), state, expires_at: rfc_3339(issued.expires_at) }
    }
}

impl FailureCount {
    fn of(throttle: &Throttle, now: Timestamp, policy: &Policy) -> Self {
        // To ask for a wait corrects it, and this is only a look.
        let wait = throttle.clone().wait(now, policy);
        Self { count: throttle.failures, wait_seconds: wait.map(|wait| wait.seconds) }
    }
}

impl HistoryDescription {
    fn of(entry: &HistoryEntry) -> Self {
        let credential = entry.credential.map(|id| id.to_string());
        Self { event: entry.kind.name(), at: rfc_3339(entry.at), credential }
    }
}
