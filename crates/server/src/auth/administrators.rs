//! Who may administer accounts: tokens of one issuer, got by some of its clients. No user's client is among them unless
//! the operator says so.

use super::VerifiedToken;
use std::sync::Arc;

#[derive(Clone, Debug)]
pub struct AdministratorSettings {
    /// The configured name.
    pub issuer: Arc<str>,
    /// By `azp` or `client_id`; never empty.
    pub clients: Vec<String>,
}

impl AdministratorSettings {
    pub fn include(&self, token: &VerifiedToken) -> bool {
        *token.account.issuer() == *self.issuer
            && token.client.as_ref().is_some_and(|client| self.clients.contains(client))
    }
}
