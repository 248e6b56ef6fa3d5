//! The program as a process, as an operator has it: killed, ended, misconfigured, filled with accounts.

mod accounts;
mod client_manual;
mod copy;
mod core_dumps;
mod crash;
mod descriptors;
pub(crate) mod dev;
mod direct_grant;
mod floods;
mod health;
mod import;
mod introspection;
mod key_commands;
mod keys;
mod mail;
mod memory;
mod moving_in;
mod moving_in_faults;
mod refused_lines;
mod replicas;
mod restore;
mod rotation;
mod serve;
mod shutdown;
mod store_commands;
mod systemd;
mod tls;
