//! What core promises, seen from outside.
#![cfg(test)]

mod attacker;
mod authenticators;
mod build;
mod diagnose;
mod history;
mod idempotency;
mod mail;
mod probe;
mod proof;
mod properties;
mod restore;
mod vectors;
mod verdict;
mod verify;
