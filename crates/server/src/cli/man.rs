//! `einmal man`: manual pages, one for each command. Made from the command line itself; no page is written by hand.

use super::{Failure, command, refused, say};
use clap::Args;
use clap_mangen::Man;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Write manual pages, one for each command
///
/// `man -l DIRECTORY/einmal-serve.1` shows one; in `/usr/local/share/man/man1` all of them are found by their names.
#[derive(Args)]
pub(super) struct ManCommand {
    /// Where they are written; made if it is not there, and pages in it are overwritten
    #[arg(value_name = "DIRECTORY")]
    directory: PathBuf,
}

impl ManCommand {
    pub(super) fn run(&self) -> Result<(), Failure> {
        let failed = |error| refused(format_args!("{}: {error}", self.directory.display()));
        fs::create_dir_all(&self.directory).map_err(failed)?;
        // Without the command `help`, whose pages would be each page once more.
        let mut whole = command().disable_help_subcommand(true);
        whole.build();
        let pages = write(&whole, &self.directory).map_err(failed)?;
        say(format_args!("{pages} pages"))
    }
}

/// Its page and those of all commands below it; how many that were.
fn write(command: &clap::Command, directory: &Path) -> io::Result<usize> {
    let version = concat!("einmal ", env!("CARGO_PKG_VERSION"));
    Man::new(command.clone()).source(version).manual("einmal").generate_to(directory)?;
    command.get_subcommands().try_fold(1, |pages, inner| Ok(pages + write(inner, directory)?))
}
