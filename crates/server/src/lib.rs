//! einmal as a library: the service, its command line and everything below them.

pub mod auth;
pub mod clock;
pub mod entropy;
pub mod store;
