//! einmal as a library: the service, its command line and everything below them.

pub mod accounts;
pub mod cli;
pub mod auth;
pub mod clock;
pub mod config;
pub mod entropy;
pub mod store;
pub mod telemetry;
