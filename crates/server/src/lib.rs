//! einmal as a library: the service, its command line and everything below them.

pub mod api;
pub mod auth;
pub mod clock;
pub mod context;
pub mod entropy;
pub mod http;
pub mod store;
