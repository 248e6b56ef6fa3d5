//! One binary for all that is tested from outside of the library.
#![cfg(test)]

mod account_page;
mod api;
mod authorization;
mod broken_connections;
mod cli;
mod contract;
mod copy;
mod documents;
mod failover;
mod faults;
mod full_disk;
mod generated;
mod harness;
mod history;
mod http;
mod leaps;
mod logging;
mod mail;
mod metrics;
mod panics;
mod postgres;
mod power;
mod process;
mod races;
mod replicas;
mod rotation;
mod rotation_in_failover;
mod secrecy;
mod sequences;
mod third_party;
mod tidy;
mod timing;
mod tokens;
mod traces;
mod updates;
