//! `einmal config print`: what is in force. Never a secret.

use super::{ConfigFile, Failure, say};
use clap::Args;

/// Print the configuration that is in force, with the origin of each value and without secrets
///
/// As TOML: the file, environment variables over it, and defaults. Passwords and parameters of URLs are masked; in all
/// other lines it can be read back. A configuration that is not right is refused as `config check` does: exit code 2.
#[derive(Args)]
pub(super) struct PrintCommand {
    #[command(flatten)]
    config: ConfigFile,
}

impl PrintCommand {
    pub(super) fn run(&self) -> Result<(), Failure> {
        let printed = self.config.open()?.print()?;
        say(printed.trim_end())
    }
}
