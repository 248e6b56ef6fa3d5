//! The program as a process, as an operator has it: killed, ended, misconfigured, filled with accounts.

mod accounts;
mod core_dumps;
mod crash;
mod descriptors;
pub(crate) mod dev;
mod import;
mod keys;
mod load;
mod refused_lines;
mod serve;
mod shutdown;
mod tls;
