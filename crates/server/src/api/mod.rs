//! The HTTP API: routes, what goes in and out of them, and every error. It must not know a store, and decides
//! nothing about an account.

pub mod admin;
mod check_password;
mod check_pin;
mod check_pin_or_password;
mod create_otp;
mod create_totp;
mod delete_device;
mod device;
pub mod document;
pub mod documentation;
pub mod error;
mod error_code;
mod error_page;
pub mod faults;
mod html;
mod issued_code;
mod label_device;
mod list_devices;
mod long_poll;
pub mod management;
pub mod members;
pub mod negotiate;
mod node;
pub mod openapi;
mod proof;
mod reference_page;
pub mod request;
mod resource;
pub mod router;
mod sendmail_otp;
mod throttled;
mod update_error;
mod update_pin;
mod verify_otp;
