//! `einmal config check`: whether `serve` would take the configuration. Opens neither store nor network.

use super::{ConfigFile, Failure, say};
use clap::Args;

/// Check the configuration and report everything that is wrong
///
/// Names the place of each fault and what was expected. Neither the store nor the keyring nor any issuer is
/// contacted.
#[derive(Args)]
pub(super) struct CheckCommand {
    #[command(flatten)]
    config: ConfigFile,
}

impl CheckCommand {
    pub(super) fn run(&self) -> Result<(), Failure> {
        self.config.open()?.service()?;
        say("the configuration is fine")
    }
}
