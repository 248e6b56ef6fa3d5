//! What core promises, seen from outside.
#![cfg(test)]

mod attacker;
mod build;
mod mail;
mod proof;
mod properties;
mod restore;
mod vectors;
mod verify;
