//! Against other people's software, which shares no code and no misunderstanding with einmal. `scripts/test` brings
//! it here and says where it is; where it does not, these tests say so, and on a build machine they fail.

mod authenticators;
mod browser;
mod codes;
mod jose;
mod mail_server;
mod opaque_tokens;
mod openapi_document;
mod openid_provider;
mod password_grant;
mod password_hashes;
mod proxies;
mod schemathesis;

use std::path::PathBuf;

/// What this variable names. `None` after a line that says what has not been run.
#[expect(clippy::disallowed_methods, reason = "asks the one who runs the tests, and not the service")]
fn peer(variable: &str, what: &str) -> Option<PathBuf> {
    let path = std::env::var_os(variable).map(PathBuf::from);
    if path.is_none() {
        eprintln!("NOT RUN: {what}: {variable} is not set, scripts/test sets it");
        assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "left out on a build machine: {what}");
    }
    path
}
