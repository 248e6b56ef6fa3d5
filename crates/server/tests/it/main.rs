//! One binary for all that is tested from outside of the library.
#![cfg(test)]

mod http;
