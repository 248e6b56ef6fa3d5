//! What tests are made of: a service with its own store and clock, an issuer that obeys, and the program.

pub(crate) mod back_office;
pub(crate) mod certificate;
pub(crate) mod clock;
pub(crate) mod collector;
pub(crate) mod crowd;
pub(crate) mod disk;
pub(crate) mod ended_runtime;
pub(crate) mod history;
pub(crate) mod installation;
pub(crate) mod issuer;
pub(crate) mod log;
pub(crate) mod mail;
pub(crate) mod mail_server;
pub(crate) mod postgres;
pub(crate) mod postgres_proxy;
pub(crate) mod program;
pub(crate) mod seed;
pub(crate) mod service;
pub(crate) mod wire;

use std::io::Write;
use std::path::PathBuf;

/// Other people's software that this variable names. `None` after a line that says what has not been run.
#[expect(clippy::disallowed_methods, reason = "asks the one who runs the tests, and not the service")]
pub(crate) fn peer(variable: &str, what: &str) -> Option<PathBuf> {
    let path = std::env::var_os(variable).map(PathBuf::from);
    if path.is_none() {
        eprintln!("NOT RUN: {what}: {variable} is not set, scripts/test sets it");
        assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "left out on a build machine: {what}");
    }
    path
}

/// Whether `scripts/test --long` asks for the long form of what has one.
#[expect(clippy::disallowed_methods, reason = "asks the one who runs the tests, and not the service")]
pub(crate) fn is_long() -> bool {
    std::env::var_os("EINMAL_TEST_LONG").is_some()
}

/// What a promise was put through, and what came of it. The long form says it whether the test fails or not.
pub(crate) fn tell(figures: &str) {
    if is_long() {
        // Not by the macro, whose words are kept from whoever runs the tests.
        writeln!(std::io::stderr(), "{figures}").unwrap();
    } else {
        eprintln!("{figures}");
    }
}
