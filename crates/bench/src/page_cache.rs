//! Makes files cold: the kernel forgets what it has read of them.

use anyhow::Result;
use rustix::fs::{Advice, fadvise};
use std::fs::File;
use std::path::PathBuf;

/// These files alone: the rest of the machine is not ours. Nobody may have them open.
pub fn drop_files(files: &[PathBuf]) -> Result<()> {
    for file in files {
        let file = File::open(file)?;
        // Only what is on the disk can be forgotten.
        file.sync_all()?;
        fadvise(file, 0, None, Advice::DontNeed)?;
    }
    Ok(())
}
