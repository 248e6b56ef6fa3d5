//! One binary for all that is tested from outside of the library.

mod contract;
