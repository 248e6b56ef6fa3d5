//! `einmal openapi`: the description of the API, for generators of clients and for documentation.

use super::{Failure, refused, say};
use crate::api::openapi;

pub(super) fn run() -> Result<(), Failure> {
    say(openapi::document().map_err(refused)?)
}
