//! What tests are made of: a service with its own store and clock, an issuer that obeys, and the program.

pub(crate) mod back_office;
pub(crate) mod certificate;
pub(crate) mod clock;
pub(crate) mod collector;
pub(crate) mod installation;
pub(crate) mod issuer;
pub(crate) mod log;
pub(crate) mod mail;
pub(crate) mod mail_server;
pub(crate) mod program;
pub(crate) mod service;
pub(crate) mod wire;

/// Whether `scripts/test --long` asks for the long form of what has one.
#[expect(clippy::disallowed_methods, reason = "asks the one who runs the tests, and not the service")]
pub(crate) fn is_long() -> bool {
    std::env::var_os("EINMAL_TEST_LONG").is_some()
}
