//! `einmal completions`: scripts that let shells complete its commands. Made from the command line itself, so that
//! they never name what is not there.

use super::{Failure, command, say};
use clap::Args;
use clap_complete::Shell;

/// Print a script that lets a shell complete commands and options
///
/// For bash put it into `/etc/bash_completion.d/einmal`, for zsh into a file `_einmal` in a directory of `fpath`, for
/// fish into `~/.config/fish/completions/einmal.fish`.
#[derive(Args)]
pub(super) struct CompletionsCommand {
    /// Shell that is to read it
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

impl CompletionsCommand {
    pub(super) fn run(&self) -> Result<(), Failure> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut command(), "einmal", &mut script);
        say(String::from_utf8_lossy(&script).trim_end())
    }
}
