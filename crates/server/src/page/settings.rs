//! What the operator says about the page.

use std::sync::Arc;

/// Those that the page speaks, the default first.
pub const LANGUAGES: [&str; 2] = ["en", "de"];

#[derive(Clone, Debug)]
pub struct AccountPageSettings {
    /// The configured name of the issuer at which users sign in.
    pub issuer: Arc<str>,
    /// Of the page at that issuer: a public client.
    pub client_id: String,
    pub scopes: Vec<String>,
    /// What the issuer calls einmal, if it has to be told for whom tokens are (RFC 8707).
    pub resource: Option<String>,
    /// For browsers that ask for none of [`LANGUAGES`].
    pub language: &'static str,
}
