//! One binary for all that is tested from outside of the library.
#![cfg(test)]

mod api;
mod authorization;
mod broken_connections;
mod cli;
mod contract;
mod copy;
mod deployments;
mod documents;
mod failover;
mod faults;
mod full_disk;
mod generated;
mod harness;
mod history;
mod http;
mod logging;
mod mail;
mod metrics;
mod postgres;
mod process;
mod races;
mod replicas;
mod rotation;
mod secrecy;
mod sequences;
mod third_party;
mod tidy;
mod tokens;
mod traces;
mod updates;
