//! One binary for all that is tested from outside of the library.
#![cfg(test)]

mod api;
mod authorization;
mod cli;
mod contract;
mod copy;
mod documents;
mod faults;
mod generated;
mod harness;
mod http;
mod logging;
mod mail;
mod metrics;
mod postgres;
mod process;
mod races;
mod rotation;
mod secrecy;
mod sequences;
mod third_party;
mod tidy;
mod tokens;
mod traces;
mod updates;
