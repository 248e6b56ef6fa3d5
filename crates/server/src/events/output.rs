//! Where lines go: a file that others may take away, or standard output, beside the log. A line is there whole or not at
//! all, as far as this process can tell.

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use std::fmt::{self, Display};
use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    Stdout,
    File(PathBuf),
}

impl Display for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stdout => f.write_str("standard output"),
            Self::File(path) => path.display().fmt(f),
        }
    }
}

/// One that is open.
pub(super) enum Sink {
    /// Shared with the log, whose lines go through a buffer that does not tell how much of one was written.
    Stdout(File),
    File(PathBuf, File),
}

impl Sink {
    pub(super) fn open(output: &Output) -> io::Result<Self> {
        match output {
            Output::Stdout => Ok(Self::Stdout(io::stdout().as_fd().try_clone_to_owned()?.into())),
            Output::File(path) => Ok(Self::File(path.clone(), open_file(path)?)),
        }
    }

    /// Whether it is another one now. If it fails, the old one stays in use.
    pub(super) fn reopen(&mut self) -> io::Result<bool> {
        let Self::File(path, file) = self else { return Ok(false) };
        let next = open_file(path)?;
        let (old, new) = (file.metadata()?, next.metadata()?);
        *file = next;
        Ok((old.dev(), old.ino()) != (new.dev(), new.ino()))
    }

    /// How many bytes were written, and why it was not all of them.
    pub(super) fn write(&mut self, lines: &[u8]) -> (usize, io::Result<()>) {
        match self {
            Self::Stdout(stdout) => write_lines(stdout, lines),
            Self::File(_, file) => write_all(file, lines),
        }
    }
}

/// Behind what is there. A pipe that nobody reads is refused, and not waited for.
fn open_file(path: &Path) -> io::Result<File> {
    let flags = i32::try_from(OFlags::NONBLOCK.bits()).unwrap_or_default();
    let file = OpenOptions::new().append(true).create(true).mode(0o600).custom_flags(flags).open(path)?;
    fcntl_setfl(&file, fcntl_getfl(&file)? - OFlags::NONBLOCK)?;
    Ok(file)
}

/// Each is one write, under the lock of the log: none comes into the middle of another one, and the log need not wait for
/// more than one.
fn write_lines(stdout: &mut File, lines: &[u8]) -> (usize, io::Result<()>) {
    let mut written = 0;
    for line in lines.split_inclusive(|byte| *byte == b'\n') {
        let mut log = io::stdout().lock();
        let (length, outcome) = match log.flush() {
            Ok(()) => write_all(stdout, line),
            Err(error) => (0, Err(error)),
        };
        written += length;
        if outcome.is_err() {
            return (written, outcome);
        }
    }
    (written, Ok(()))
}

/// As [`Write::write_all`], and tells how far it came.
fn write_all(writer: &mut impl Write, bytes: &[u8]) -> (usize, io::Result<()>) {
    let mut written = 0;
    while let Some(rest @ [_, ..]) = bytes.get(written..) {
        match writer.write(rest) {
            Ok(0) => return (written, Err(ErrorKind::WriteZero.into())),
            Ok(length) => written += length,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return (written, Err(error)),
        }
    }
    (written, Ok(()))
}
