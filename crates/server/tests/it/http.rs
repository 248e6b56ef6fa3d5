//! Between the socket and an operation, over real connections.

mod authorization;
mod body;
mod client;
mod framing;
mod log;
mod negotiation;
mod pipelining;
mod process;
mod routes;
mod server;
mod shutdown;
mod timeouts;
