//! Accounts as values over a store that only sees sealed parts: encode, seal, update. Nothing below `api` and
//! `cli` may read or write an account in another way.

mod encode;
mod keyring;
mod seal;
mod turns;
mod update;

pub use keyring::{Keyring, KeyringError};
pub use seal::SealError;
pub use update::{Accounts, OpenError, Outcome, UpdateError};
