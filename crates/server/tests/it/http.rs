//! Between the socket and an operation, over real connections.

mod authorization;
mod body;
pub(crate) mod client;
mod frames;
mod framing;
mod http2;
mod http2_abuse;
mod log;
mod negotiation;
mod pipelining;
mod routes;
mod server;
mod shutdown;
pub(crate) mod streams;
mod timeouts;
