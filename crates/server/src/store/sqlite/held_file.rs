//! A descriptor of our own for the database file, to have it written to the disk beside the writer. Must never be closed while
//! this process has the file open in any other way: closing one descriptor gives up all locks of the process on the file
//! (POSIX, fcntl), and another process could then take the log of a database in use for a left one.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};

/// Device and inode.
type FileId = (u64, u64);

/// Each with how many hold it.
type Held = HashMap<FileId, (Arc<File>, usize)>;

/// Of all stores of this process: one for each file.
static HELD: LazyLock<Mutex<Held>> = LazyLock::new(Mutex::default);

/// To be opened with its store, and to be dropped after all of its connections.
pub(super) struct HeldFile {
    id: FileId,
    /// `None` only while it is dropped.
    file: Option<Arc<File>>,
}

impl HeldFile {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        // Held all the while: nobody may close the last one of a file between a look at it and its opening.
        let mut held = lock();
        let metadata = path.metadata()?;
        let id = (metadata.dev(), metadata.ino());
        let file = match held.entry(id) {
            Entry::Occupied(mut entry) => {
                let (file, holders) = entry.get_mut();
                *holders += 1;
                Arc::clone(file)
            }
            Entry::Vacant(entry) => {
                let file = Arc::new(File::open(path)?);
                entry.insert((Arc::clone(&file), 1));
                file
            }
        };
        Ok(Self { id, file: Some(file) })
    }

    /// Returns when what has been written to the file, by whomever, is on the disk.
    pub(super) fn sync(&self) -> io::Result<()> {
        self.file.as_ref().map_or(Ok(()), |file| file.sync_data())
    }
}

impl Drop for HeldFile {
    fn drop(&mut self) {
        let mut held = lock();
        // Before the lock is given up, or it would be closed under somebody who opens the file then.
        self.file = None;
        if let Entry::Occupied(mut entry) = held.entry(self.id) {
            let (_, holders) = entry.get_mut();
            *holders -= 1;
            if *holders == 0 {
                entry.remove();
            }
        }
    }
}

fn lock() -> MutexGuard<'static, Held> {
    HELD.lock().unwrap_or_else(PoisonError::into_inner)
}
