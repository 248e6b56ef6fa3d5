//! Between the socket and an operation, over real connections.

mod authorization;
mod body;
pub(crate) mod client;
mod crowds;
mod error_documents;
pub(crate) mod frames;
mod framing;
pub(crate) mod given_up;
mod http2;
mod http2_abuse;
mod log;
mod media_types;
mod methods;
mod negotiation;
mod pipelining;
mod routes;
pub(crate) mod server;
mod shutdown;
pub(crate) mod streams;
mod timeouts;
mod tls;
