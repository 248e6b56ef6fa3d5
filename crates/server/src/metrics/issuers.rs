//! Tokens, and what issuers were asked. An issuer goes by the name that the configuration gives it.

use super::labels::{Labels, labelled};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenOutcome {
    Accepted,
    Invalid,
    Expired,
    /// Its issuer could not be asked.
    Unavailable,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FetchOutcome {
    Fetched,
    Failed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IntrospectionOutcome {
    Active,
    Refused,
    /// The issuer gave no plain answer.
    Failed,
    /// Too many were waiting for the issuer; it was not asked.
    Crowded,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PasswordGrantOutcome {
    Right,
    Wrong,
    /// The issuer gave no plain answer.
    Failed,
    /// Too many were waiting for the issuer; it was not asked.
    Crowded,
}

pub(super) struct Issuers {
    tokens: [Counter; 4],
    fetches: Family<Labels, Counter>,
    introspections: Family<Labels, Counter>,
    password_grants: Family<Labels, Counter>,
}

/// Of one issuer.
pub struct IssuerMetrics {
    fetches: [Counter; 2],
    introspections: [Counter; 4],
    password_grants: [Counter; 4],
}

impl Issuers {
    pub(super) fn register(r: &mut Registry) -> Self {
        let tokens = labelled::<Counter>(r, "tokens", "Bearer tokens, by what was found about them");
        let token = |outcome: &str| tokens.get_or_create_owned(&vec![("outcome", outcome.to_owned())]);
        Self {
            tokens: ["accepted", "invalid", "expired", "unavailable"].map(token),
            fetches: labelled::<Counter>(r, "jwks_fetches", "Key sets of issuers that were fetched"),
            introspections: labelled::<Counter>(
                r,
                "introspections",
                "Questions to issuers about opaque tokens",
            ),
            password_grants: labelled::<Counter>(
                r,
                "password_grants",
                "Passwords that issuers were asked about",
            ),
        }
    }

    pub(super) fn of(&self, issuer: &str) -> IssuerMetrics {
        let one = |family: &Family<Labels, Counter>, outcome: &str| {
            let labels = vec![("issuer", issuer.to_owned()), ("outcome", outcome.to_owned())];
            family.get_or_create_owned(&labels)
        };
        let outcomes = ["active", "refused", "failed", "crowded"];
        IssuerMetrics {
            fetches: ["fetched", "failed"].map(|outcome| one(&self.fetches, outcome)),
            introspections: outcomes.map(|outcome| one(&self.introspections, outcome)),
            password_grants: ["right", "wrong", "failed", "crowded"]
                .map(|outcome| one(&self.password_grants, outcome)),
        }
    }

    pub(super) fn token(&self, outcome: TokenOutcome) {
        let [accepted, invalid, expired, unavailable] = &self.tokens;
        match outcome {
            TokenOutcome::Accepted => accepted,
            TokenOutcome::Invalid => invalid,
            TokenOutcome::Expired => expired,
            TokenOutcome::Unavailable => unavailable,
        }
        .inc();
    }
}

impl IssuerMetrics {
    pub fn fetch(&self, outcome: FetchOutcome) {
        let [fetched, failed] = &self.fetches;
        match outcome {
            FetchOutcome::Fetched => fetched,
            FetchOutcome::Failed => failed,
        }
        .inc();
    }

    pub fn introspection(&self, outcome: IntrospectionOutcome) {
        let [active, refused, failed, crowded] = &self.introspections;
        match outcome {
            IntrospectionOutcome::Active => active,
            IntrospectionOutcome::Refused => refused,
            IntrospectionOutcome::Failed => failed,
            IntrospectionOutcome::Crowded => crowded,
        }
        .inc();
    }

    pub fn password_grant(&self, outcome: PasswordGrantOutcome) {
        let [right, wrong, failed, crowded] = &self.password_grants;
        match outcome {
            PasswordGrantOutcome::Right => right,
            PasswordGrantOutcome::Wrong => wrong,
            PasswordGrantOutcome::Failed => failed,
            PasswordGrantOutcome::Crowded => crowded,
        }
        .inc();
    }
}
