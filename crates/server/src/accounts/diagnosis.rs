//! A diagnosis for people who help users: what each finding means and what to tell the user. No code and no secret is in
//! it.

mod advice;

use super::export::rfc_3339;
use advice::advice;
use einmal_core::Timestamp;
use einmal_core::account::{About, Diagnosis, Enrolled, Finding, Reason};
use einmal_core::otp::Parameters;
use serde::Serialize;

/// As it is told. What is absent is left out.
#[derive(Serialize)]
pub struct DiagnosisDescription {
    pub verdict: &'static str,
    /// What helps most comes first.
    pub findings: Vec<FindingDescription>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FindingDescription {
    /// For programs: a name never changes its meaning.
    pub reason: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credential: Option<CredentialName>,
    /// What it counts, depends on the reason: how long ago, how far off, how long from now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seconds: Option<u64>,
    /// The same as a point in time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
    /// Until the app shows a code that is not spent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_in_seconds: Option<u64>,
    /// What is stored, and what the app uses.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stored: Option<UseDescription>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub app: Option<UseDescription>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enrolled: Option<EnrolledDescription>,
    /// For the agent.
    pub text: String,
}

/// A secret, or a code that the server made, which has no id.
#[derive(Serialize)]
pub struct CredentialName {
    #[serde(rename = "type")]
    pub kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
}

/// How a secret is used.
#[derive(Serialize)]
pub struct UseDescription {
    pub algorithm: &'static str,
    pub digits: u8,
    /// In seconds.
    pub period: u32,
}

/// How many there are.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EnrolledDescription {
    pub device_totps: usize,
    pub authenticators: usize,
    pub pending_authenticators: usize,
    pub account_codes: usize,
    pub login_codes: usize,
}

impl DiagnosisDescription {
    pub fn of(diagnosis: &Diagnosis, now: Timestamp) -> Self {
        Self {
            verdict: if diagnosis.is_good { "would-be-accepted" } else { "would-be-refused" },
            findings: diagnosis.findings.iter().map(|one| FindingDescription::of(one, now)).collect(),
        }
    }
}

impl FindingDescription {
    fn of(finding: &Finding, now: Timestamp) -> Self {
        let bare = Self {
            reason: finding.reason.name(),
            credential: finding.about.as_ref().map(CredentialName::of),
            seconds: None,
            at: None,
            next_in_seconds: None,
            stored: None,
            app: None,
            enrolled: None,
            text: advice(finding, now),
        };
        match &finding.reason {
            Reason::Waiting(wait) => {
                let at = rfc_3339(now.plus_seconds(wait.seconds));
                Self { seconds: Some(wait.seconds), at, ..bare }
            }
            Reason::Used { at, next_in_seconds } => Self {
                seconds: at.map(|at| now.seconds_since(at)),
                at: at.and_then(rfc_3339),
                next_in_seconds: *next_in_seconds,
                ..bare
            },
            Reason::OlderThanUsed { used_at, next_in_seconds } => Self {
                seconds: used_at.map(|at| now.seconds_since(at)),
                at: used_at.and_then(rfc_3339),
                next_in_seconds: Some(*next_in_seconds),
                ..bare
            },
            Reason::NotConfirmed { expires_at } => {
                Self { seconds: Some(expires_at.seconds_since(now)), at: rfc_3339(*expires_at), ..bare }
            }
            Reason::Expired { at } => {
                Self { seconds: Some(now.seconds_since(*at)), at: rfc_3339(*at), ..bare }
            }
            Reason::Clock { seconds } => Self { seconds: Some(seconds.unsigned_abs()), ..bare },
            Reason::OtherParameters { stored, app } => Self {
                stored: Some(UseDescription::of(*stored)),
                app: Some(UseDescription::of(*app)),
                ..bare
            },
            Reason::NoMatch { enrolled, .. } => {
                Self { enrolled: Some(EnrolledDescription::of(*enrolled)), ..bare }
            }
            Reason::Right
            | Reason::Suspended
            | Reason::TypeNotAskedFor
            | Reason::Dead
            | Reason::NothingEnrolled
            | Reason::NotACode => bare,
        }
    }
}

impl CredentialName {
    fn of(about: &About) -> Self {
        match about {
            About::Credential { kind, id, label } => {
                Self { kind: kind.name(), id: Some(id.to_string()), label: label.clone() }
            }
            About::Issued(kind) => Self { kind: kind.name(), id: None, label: None },
        }
    }
}

impl UseDescription {
    pub fn of(parameters: Parameters) -> Self {
        Self {
            algorithm: parameters.algorithm().name(),
            digits: parameters.digits(),
            period: parameters.period(),
        }
    }
}

impl EnrolledDescription {
    fn of(enrolled: Enrolled) -> Self {
        Self {
            device_totps: enrolled.devices,
            authenticators: enrolled.authenticators,
            pending_authenticators: enrolled.pending,
            account_codes: enrolled.account_codes,
            login_codes: enrolled.login_codes,
        }
    }
}
