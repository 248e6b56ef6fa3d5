//! Whose account it is.

use std::sync::Arc;

/// The issuer's configured name and the token's subject, both compared as bytes: the same subject from two
/// issuers is two accounts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountId {
    issuer: Arc<str>,
    subject: Box<str>,
}

impl AccountId {
    pub fn new(issuer: impl Into<Arc<str>>, subject: impl Into<Box<str>>) -> Self {
        Self { issuer: issuer.into(), subject: subject.into() }
    }

    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    pub fn subject(&self) -> &str {
        &self.subject
    }
}
