//! Between the socket and an operation, over real connections.

mod authorization;
mod body;
pub(crate) mod client;
mod framing;
mod log;
mod negotiation;
mod pipelining;
mod routes;
mod server;
mod shutdown;
mod timeouts;
