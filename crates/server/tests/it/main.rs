//! One binary for all that is tested from outside of the library.
#![cfg(test)]

mod cli;
mod contract;
mod documents;
mod harness;
mod http;
mod process;
mod third_party;
mod tidy;
mod tokens;
mod updates;
