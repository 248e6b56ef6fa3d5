//! `einmal keys rotate`: the first two steps from one key to the next, adding and promoting.

use super::keyring_file::{KEEP_A_COPY, change_failed, keyring_file};
use super::{ConfigFile, Failure, complain, say};
use crate::entropy::SystemEntropy;
use clap::Args;

/// Add a new key to the keyring, or let the one that was added last seal
///
/// From an old key to a new one it takes four commands, all of them beside running servers:
///
/// 1. `einmal keys rotate` adds a key. It seals nothing yet, so that every server can know it first.
///
/// 2. `einmal keys rotate --promote` lets the new key seal what is written from now on. The old one goes on opening
///    what it has sealed.
///
/// 3. `einmal keys reseal` rewrites what the old key has sealed.
///
/// 4. `einmal keys retire ID` takes the old key out, when nothing needs it any more.
///
/// Running servers on this file notice each change within 5 seconds, or when they meet a key that they do not know. If
/// servers have copies of the file, bring each change to all of them before the next command.
#[derive(Args)]
pub(super) struct RotateCommand {
    /// Let the new key seal, instead of adding one
    #[arg(long)]
    promote: bool,
    #[command(flatten)]
    config: ConfigFile,
}

impl RotateCommand {
    pub(super) fn run(&self) -> Result<(), Failure> {
        let file = keyring_file(&self.config)?;
        let failed = |error| change_failed(&file, &error);
        if self.promote {
            let promotion = file.promote().map_err(failed)?;
            say(format_args!("{:08x} seals from now on, {:08x} only opens", promotion.to, promotion.from))?;
            complain("next: `einmal keys reseal`, which rewrites what the old key has sealed");
        } else {
            let id = file.rotate(&SystemEntropy).map_err(failed)?;
            say(format_args!("added {id:08x}, which only opens until it is promoted"))?;
            complain("next, when every server has this keyring: `einmal keys rotate --promote`");
        }
        complain(KEEP_A_COPY);
        Ok(())
    }
}
