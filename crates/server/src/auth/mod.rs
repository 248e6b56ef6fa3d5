//! Who is calling, and whether they may.

pub mod caller;

use einmal_core::account::AccountId;

/// What a token that was found good says.
pub struct VerifiedToken {
    pub account: AccountId,
    /// The operator demands a linked identity for this token, and it is not there.
    pub linked_identity_missing: bool,
    /// Separated by spaces.
    pub scope: String,
}

impl VerifiedToken {
    pub fn has_scope(&self, scope: &str) -> bool {
        self.scope.split(' ').any(|granted| granted == scope)
    }
}

/// Why a token does not count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenError {
    /// For the log; it never has anything of the token.
    Invalid(&'static str),
    Expired,
    /// It cannot be judged right now.
    Unavailable {
        retry_after_seconds: u64,
    },
}
