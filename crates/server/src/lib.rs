//! einmal as a library: the service, its command line and everything below them.



pub mod clock;

pub mod entropy;
pub mod http;
pub mod store;
