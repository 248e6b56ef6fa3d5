//! The linked identity an operator may demand: a third party that the token must name as known to its user.
//! Looked for in claims of a checked signature only.

use super::claims::Claims;
use serde_json::Value;

#[derive(Clone, Debug)]
pub struct LinkedIdentitySettings {
    /// JSON pointer (RFC 6901) to the claim.
    pub claim: String,
    pub provider: String,
    /// Whose tokens need it, by `azp` or `client_id`. Empty: everybody's.
    pub clients: Vec<String>,
}

impl LinkedIdentitySettings {
    pub(super) fn is_demanded_of(&self, claims: &Claims<'_>) -> bool {
        self.clients.is_empty() || self.clients.iter().any(|demanding| claims.names_client(demanding))
    }

    /// The claim is the name, an array with it, an object keyed by it, or objects whose `provider` is it.
    pub(super) fn is_in(&self, claims: &Value) -> bool {
        claims.pointer(&self.claim).is_some_and(|claim| match claim {
            Value::Array(items) => items.iter().any(|item| self.is_named_by(item)),
            // A member that is null is as if it were absent.
            Value::Object(members) if members.get(&self.provider).is_some_and(|link| !link.is_null()) => true,
            other => self.is_named_by(other),
        })
    }

    fn is_named_by(&self, item: &Value) -> bool {
        match item {
            Value::String(name) => *name == self.provider,
            Value::Object(members) => {
                members.get("provider").and_then(Value::as_str) == Some(self.provider.as_str())
            }
            _ => false,
        }
    }
}
