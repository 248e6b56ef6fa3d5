//! What tests are made of: a service with its own store and clock, an issuer that obeys, and the program.

pub(crate) mod clock;
pub(crate) mod installation;
pub(crate) mod issuer;
pub(crate) mod program;
pub(crate) mod service;
pub(crate) mod wire;
