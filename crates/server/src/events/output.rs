//! Where lines go: a file that others may take away, or standard output, beside the log. A line is there whole or not at
//! all, as far as this process can tell.

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use std::fmt::{self, Display};
use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
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
    Stdout,
    File(PathBuf, File),
}

impl Sink {
    pub(super) fn open(output: &Output) -> io::Result<Self> {
        match output {
            Output::Stdout => Ok(Self::Stdout),
            Output::File(path) => Ok(Self::File(path.clone(), open_file(path)?)),
        }
    }

    /// If it fails, the old one stays in use.
    pub(super) fn reopen(&mut self) -> io::Result<()> {
        if let Self::File(path, file) = self {
            *file = open_file(path)?;
        }
        Ok(())
    }

    /// How many bytes were written, and why it was not all of them.
    pub(super) fn write(&mut self, lines: &[u8]) -> (usize, io::Result<()>) {
        match self {
            Self::Stdout => write_lines(&mut io::stdout().lock(), lines),
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

/// The lock is held for all of them, so that no line of the log comes between; each is one write.
fn write_lines(writer: &mut impl Write, lines: &[u8]) -> (usize, io::Result<()>) {
    let mut written = 0;
    for line in lines.split_inclusive(|byte| *byte == b'\n') {
        if let Err(error) = writer.write_all(line).and_then(|()| writer.flush()) {
            return (written, Err(error));
        }
        written += line.len();
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
