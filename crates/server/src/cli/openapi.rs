//! `einmal openapi`: the description of the API, for generators of clients and for documentation.

use super::{Failure, refused, say};
use crate::api::openapi;
use clap::Args;

/// Print the OpenAPI 3.1 document of the API
///
/// It is made from the operations of this very version, and needs no configuration.
#[derive(Args)]
pub(super) struct OpenapiCommand {}

impl OpenapiCommand {
    pub(super) fn run(&self) -> Result<(), Failure> {
        say(openapi::document().map_err(refused)?)
    }
}
