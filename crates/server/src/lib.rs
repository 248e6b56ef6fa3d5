//! einmal as a library: the service, its command line and everything below them.

pub mod accounts;
pub mod api;
pub mod auth;
pub mod cli;
pub mod clock;
pub mod config;
pub mod context;
pub mod dev;
pub mod entropy;
pub mod events;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
pub mod http;
pub mod mail;
pub mod metrics;
pub mod page;
pub mod process;
pub mod reload;
pub mod run;
pub mod store;
pub mod telemetry;
pub mod trace;
