//! The keyring's file: who may read it, and how it changes. Must never leave half of one, nor lose a key that another
//! command has just added.

use super::text::{KeyringText, Line};
use super::{Keyring, KeyringError};
use crate::store::KeyId;
use einmal_core::{Entropy, EntropyError};
use rustix::process::{getegid, getgroups};
use std::fs::{self, File, Metadata};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;
use zeroize::Zeroizing;

/// Where it is, and who may read it beside its owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyringFile {
    pub path: PathBuf,
    /// One of the process's own groups may: so are secrets mounted that belong to root.
    pub group_readable: bool,
}

/// Why the file is as it was.
#[derive(Debug, thiserror::Error)]
pub enum KeyringChangeError {
    #[error(transparent)]
    Keyring(#[from] KeyringError),
    #[error("cannot be replaced: {0}")]
    Replace(io::Error),
    #[error("there is no new key to promote; `einmal keys rotate` adds one")]
    NothingNew,
    #[error("the key {0:08x} seals; promote another one first")]
    Seals(KeyId),
    #[error("there is no key {0:08x} in it")]
    Unknown(KeyId),
    #[error(transparent)]
    Entropy(#[from] EntropyError),
}

/// Which key seals now, and which one did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Promotion {
    pub from: KeyId,
    pub to: KeyId,
}

/// A key that was taken out, for as long as it may have to be put back.
pub struct RetiredKey(Line);

impl KeyringFile {
    /// One that nobody but its owner may read.
    pub fn private(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), group_readable: false }
    }

    pub fn read(&self) -> Result<Keyring, KeyringError> {
        let file = File::open(&self.path)?;
        // Of what was opened: the file at the path may be another one by now.
        self.check_readers(&file.metadata()?)?;
        Keyring::parse(&Zeroizing::new(io::read_to_string(file)?))
    }

    fn check_readers(&self, metadata: &Metadata) -> Result<(), KeyringError> {
        let mode = metadata.permissions().mode() & 0o7777;
        if !self.group_readable && mode & 0o077 != 0 {
            return Err(KeyringError::Exposed(mode));
        }
        if mode & 0o037 != 0 {
            return Err(KeyringError::ExposedToOthers(mode));
        }
        let group = metadata.gid();
        let is_ours = getegid().as_raw() == group
            || getgroups().map_err(io::Error::from)?.iter().any(|ours| ours.as_raw() == group);
        if mode & 0o040 == 0 || is_ours { Ok(()) } else { Err(KeyringError::ForeignGroup(group)) }
    }

    /// Makes a file with one key, readable by its owner only. Never over one that exists, and never half of one:
    /// that would be taken for a broken keyring at the next start.
    pub fn create(&self, entropy: &dyn Entropy) -> io::Result<()> {
        let text = Keyring::generate(entropy).map_err(io::Error::other)?;
        if fs::symlink_metadata(&self.path).is_ok() {
            return Err(ErrorKind::AlreadyExists.into());
        }
        let directory = directory_of(&self.path);
        let mut new = new_file(directory)?;
        new.write_all(text.as_bytes())?;
        new.as_file().sync_all()?;
        new.persist_noclobber(&self.path).map_err(|failed| failed.error)?;
        File::open(directory)?.sync_all()
    }

    /// Adds a key that opens what will be sealed with it once it is promoted.
    pub fn rotate(&self, entropy: &dyn Entropy) -> Result<KeyId, KeyringChangeError> {
        self.change(|text| {
            let mut line = Line::generate(entropy)?;
            // One in four thousand million times for each key that is there.
            while text.find(line.id).is_some() {
                line = Line::generate(entropy)?;
            }
            let id = line.id;
            text.add_new(line);
            Ok(id)
        })
    }

    /// Lets the key that was added last seal.
    pub fn promote(&self) -> Result<Promotion, KeyringChangeError> {
        self.change(|text| {
            let from = text.first().map(|line| line.id);
            let newest = text.keys().skip(1).filter(|line| line.is_new).last().cloned();
            let (Some(from), Some(newest)) = (from, newest) else {
                return Err(KeyringChangeError::NothingNew);
            };
            let promotion = Promotion { from, to: newest.id };
            text.promote(newest);
            Ok(promotion)
        })
    }

    /// Takes a key out. Whoever calls this knows that nothing needs it.
    pub fn retire(&self, id: KeyId) -> Result<RetiredKey, KeyringChangeError> {
        self.change(|text| {
            let line = text.find(id).cloned().ok_or(KeyringChangeError::Unknown(id))?;
            if text.first().is_some_and(|first| first.id == id) {
                return Err(KeyringChangeError::Seals(id));
            }
            text.remove(id);
            Ok(RetiredKey(line))
        })
    }

    /// As an old key, behind all others.
    pub fn put_back(&self, key: RetiredKey) -> Result<(), KeyringChangeError> {
        self.change(|text| {
            if text.find(key.0.id).is_none() {
                text.add_old(key.0);
            }
            Ok(())
        })
    }

    /// Replaces the file by a changed one, or leaves it alone. One at a time.
    fn change<T>(
        &self,
        change: impl FnOnce(&mut KeyringText) -> Result<T, KeyringChangeError>,
    ) -> Result<T, KeyringChangeError> {
        // What a link points to is replaced, and not the link.
        let path = self.path.canonicalize().map_err(KeyringError::Unreadable)?;
        let file = lock(&path).map_err(KeyringError::Unreadable)?;
        let metadata = file.metadata().map_err(KeyringError::Unreadable)?;
        self.check_readers(&metadata)?;
        let text = Zeroizing::new(io::read_to_string(&file).map_err(KeyringError::Unreadable)?);
        let mut text = KeyringText::parse(&text)?;
        let changed = change(&mut text)?;
        replace(&path, &metadata, &text.to_text()).map_err(KeyringChangeError::Replace)?;
        Ok(changed)
    }
}

/// The file at the path, locked against others who would change it. The lock is on the file that they replace: who
/// waited for it may hold one that is no longer there, and looks again.
fn lock(path: &Path) -> io::Result<File> {
    loop {
        let file = File::open(path)?;
        file.lock()?;
        let (locked, now) = (file.metadata()?, fs::metadata(path)?);
        if (locked.dev(), locked.ino()) == (now.dev(), now.ino()) {
            return Ok(file);
        }
    }
}

/// Puts a whole new file, with the old one's mode and owner, in the place of the old one.
fn replace(path: &Path, old: &Metadata, text: &str) -> io::Result<()> {
    let directory = directory_of(path);
    let mut new = new_file(directory)?;
    new.write_all(text.as_bytes())?;
    let made = new.as_file().metadata()?;
    if (made.uid(), made.gid()) != (old.uid(), old.gid()) {
        fchown(new.as_file(), Some(old.uid()), Some(old.gid()))?;
    }
    new.as_file().set_permissions(old.permissions())?;
    new.as_file().sync_all()?;
    new.persist(path).map_err(|failed| failed.error)?;
    File::open(directory)?.sync_all()
}

/// Readable by its owner alone from the beginning, and removed unless it gets to its place.
fn new_file(directory: &Path) -> io::Result<NamedTempFile> {
    tempfile::Builder::new().prefix(".einmal-keys-").tempfile_in(directory)
}

fn directory_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests;
