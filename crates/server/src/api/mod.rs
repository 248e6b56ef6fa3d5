//! The HTTP API: routes, what goes in and out of them, and every error. It must not know a store, and decides
//! nothing about an account.

pub mod admin;
mod create_otp;
pub mod document;
pub mod documentation;
pub mod error;
mod error_code;
mod error_page;
pub mod faults;
mod issued_code;
pub mod management;
pub mod members;
pub mod negotiate;
mod node;
pub mod openapi;
pub mod request;
pub mod router;
mod throttled;
mod update_error;
mod verify_otp;
