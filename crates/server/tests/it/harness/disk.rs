//! A disk under the program that the power can leave and that can fail (`power/disk.c`), and what it may hold after a
//! cut: everything that was synced, and of the rest whatever the disk pleases. Must never keep less than a disk owes.

use super::program::PROGRAM;
use super::seed::Seed;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use tempfile::TempDir;

/// Words of the page that is shared with the program; in the order of `struct control`.
const CALLS: u64 = 0;
const FAIL_FROM: u64 = 1;
const FAIL_UNTIL: u64 = 2;
const ERROR: u64 = 3;
const FAILED: u64 = 4;
const DIE_AT: u64 = 5;
const READS: u64 = 6;
const CLOCK: u64 = 7;
const WORDS: u64 = 8;

/// Of the log.
const INDEX: &str = "einmal.db-shm";

/// What can go at once into a sector, and what a disk with large sectors can write.
const SECTOR: usize = 512;
const LARGE_SECTOR: usize = 4_096;

/// How a call fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// EIO
    Broken,
    /// ENOSPC
    Full,
    /// A write takes half of what it was given. Other calls do not fail.
    Short,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kept {
    Database,
    Log,
    Journal,
}

impl Kept {
    const ALL: [Self; 3] = [Self::Database, Self::Log, Self::Journal];

    fn name(self) -> &'static str {
        match self {
            Self::Database => "einmal.db",
            Self::Log => "einmal.db-wal",
            Self::Journal => "einmal.db-journal",
        }
    }

    fn numbered(number: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|file| *file as u32 + 1 == number)
    }
}

/// One line of the records. The directory is no file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    Write { file: Kept, offset: usize, data: Vec<u8> },
    Truncate { file: Kept, length: usize },
    SyncBegun { file: Option<Kept>, sync: u64 },
    Synced { file: Option<Kept>, sync: u64 },
    SyncFailed { file: Option<Kept> },
    Created { file: Kept },
    Removed { file: Kept },
}

/// What is in the files; one that is not there is not in it.
pub(crate) type Contents = BTreeMap<Kept, Vec<u8>>;

pub(crate) struct Disk {
    /// Of the database.
    directory: PathBuf,
    own: TempDir,
    control: File,
}

impl Disk {
    /// Under the database in this directory.
    pub(crate) fn under(directory: &Path) -> Self {
        let own = tempfile::tempdir().unwrap();
        let path = own.path().join("control");
        let control = File::options().read(true).write(true).create_new(true).open(path).unwrap();
        control.set_len(WORDS * 8).unwrap();
        Self { directory: directory.canonicalize().unwrap(), own, control }
    }

    /// The store of the command is on this disk, and its clock is shifted as this one says.
    pub(crate) fn run_on(&self, command: &mut Command) {
        self.load_into(command);
        command.env("EINMAL__STORE__URL", format!("sqlite:{}", self.directory.join("einmal.db").display()));
    }

    /// For the clock alone, where the store is elsewhere.
    pub(crate) fn load_into(&self, command: &mut Command) {
        command.env("LD_PRELOAD", library()).env("EINMAL_DISK_DIRECTORY", &self.directory);
        command.env("EINMAL_DISK_CONTROL", self.own.path().join("control"));
        command.env("EINMAL_DISK_RECORDS", self.records());
    }

    fn records(&self) -> PathBuf {
        self.own.path().join("records")
    }

    fn read(&self, word: u64) -> u64 {
        let mut bytes = [0; 8];
        self.control.read_exact_at(&mut bytes, word * 8).unwrap();
        u64::from_ne_bytes(bytes)
    }

    fn write(&self, word: u64, value: u64) {
        self.control.write_all_at(&value.to_ne_bytes(), word * 8).unwrap();
    }

    /// Calls so far.
    pub(crate) fn calls(&self) -> u64 {
        self.read(CALLS)
    }

    /// Calls that were made to fail so far.
    pub(crate) fn failed(&self) -> u64 {
        self.read(FAILED)
    }

    /// Reads are calls, too.
    pub(crate) fn count_reads(&self) {
        self.write(READS, 1);
    }

    /// From the `first` next call on so many fail. 1 is the very next one.
    pub(crate) fn fail(&self, first: u64, count: u64, failure: Failure) {
        let error = match failure {
            Failure::Broken => 5,
            Failure::Full => 28,
            Failure::Short => 10_000,
        };
        self.heal();
        self.write(ERROR, error);
        let from = self.calls() + first;
        self.write(FAIL_UNTIL, from.saturating_add(count));
        self.write(FAIL_FROM, from);
    }

    pub(crate) fn heal(&self) {
        self.write(FAIL_FROM, 0);
    }

    /// The program ends before the `next` call from now on is made.
    pub(crate) fn cut_power_at(&self, next: u64) {
        self.write(DIE_AT, self.calls() + next);
    }

    /// The program's clock is so many seconds off.
    pub(crate) fn shift_clock(&self, seconds: i64) {
        self.write(CLOCK, seconds.cast_unsigned());
    }

    /// What is in the files now.
    pub(crate) fn contents(&self) -> Contents {
        let content = |file: Kept| Some((file, fs::read(self.directory.join(file.name())).ok()?));
        Kept::ALL.into_iter().filter_map(content).collect()
    }

    /// As if there had never been a database.
    pub(crate) fn remove_all(&self) {
        for name in Kept::ALL.map(Kept::name).into_iter().chain([INDEX]) {
            remove(&self.directory.join(name));
        }
    }

    /// To be called when the program has gone: leaves in the directory what a disk may have kept that held `before`
    /// when the program began, and is ready for another run. What that is.
    pub(crate) fn settle(&self, before: Contents, seed: &mut Seed) -> Settled {
        let records = fs::read(self.records()).unwrap_or_default();
        let settled = after_a_cut(before, &read_events(&records), seed);
        for file in Kept::ALL {
            let path = self.directory.join(file.name());
            match settled.contents.get(&file) {
                Some(content) => fs::write(path, content).unwrap(),
                None => remove(&path),
            }
        }
        // The index of the log is memory that a file lends its name: it may be there or not, as it was or not.
        let index = self.directory.join(INDEX);
        match seed.below(3) {
            0 => remove(&index),
            1 => {}
            _ => {
                let length = fs::metadata(&index).map_or(0, |metadata| metadata.len());
                let garbage: Vec<_> = (0..length).map(|_| seed.byte()).collect();
                fs::write(&index, garbage).unwrap();
            }
        }
        self.write(DIE_AT, 0);
        self.heal();
        remove(&self.records());
        settled
    }
}

fn remove(path: &Path) {
    if path.exists() {
        fs::remove_file(path).unwrap();
    }
}

/// Compiled once for all tests; a C compiler is there, SQLite needs one.
fn library() -> &'static Path {
    static LIBRARY: OnceLock<(TempDir, PathBuf)> = OnceLock::new();
    let (_, path) = LIBRARY.get_or_init(|| {
        let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let library = directory.path().join("disk.so");
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/power/disk.c");
        let mut compiler = Command::new("cc");
        compiler.args(["-O1", "-Wall", "-Wextra", "-shared", "-fPIC", "-pthread", "-o"]);
        let output = compiler.arg(&library).arg(source).output().expect("a C compiler");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        // It must be the libc that it was compiled for.
        let loaded = Command::new(PROGRAM).arg("--version").env("LD_PRELOAD", &library).output().unwrap();
        assert!(loaded.status.success() && loaded.stderr.is_empty(), "{loaded:?}");
        (directory, library)
    });
    path
}

/// A record that was not written to its end is of a call that was not made.
fn read_events(mut records: &[u8]) -> Vec<Event> {
    const HEAD: usize = 32;
    let mut events = Vec::new();
    while let Some((head, rest)) = records.split_at_checked(HEAD) {
        let short = |at: usize| u32::from_ne_bytes(head[at..at + 4].try_into().unwrap());
        let long = |at: usize| u64::from_ne_bytes(head[at..at + 8].try_into().unwrap());
        let (kind, file, sync) = (short(0), Kept::numbered(short(4)), long(24));
        let (offset, length) = (usize::try_from(long(8)).unwrap(), usize::try_from(long(16)).unwrap());
        records = rest;
        events.push(match (kind, file) {
            (1, Some(file)) => {
                let Some((data, rest)) = rest.split_at_checked(length) else { break };
                records = rest;
                Event::Write { file, offset, data: data.to_vec() }
            }
            (2, Some(file)) => Event::Truncate { file, length: offset },
            (3, file) => Event::SyncBegun { file, sync },
            (4, file) => Event::Synced { file, sync },
            (5, file) => Event::SyncFailed { file },
            (6, Some(file)) => Event::Created { file },
            (7, Some(file)) => Event::Removed { file },
            other => panic!("no such record: {other:?}"),
        });
    }
    events
}

pub(crate) struct Settled {
    pub(crate) contents: Contents,
    /// Writes that were synced, not synced and kept whole, and not kept whole.
    pub(crate) synced: usize,
    pub(crate) kept: usize,
    pub(crate) lost: usize,
}

/// What a disk may do with what was not synced.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mood {
    LoseAll,
    KeepAll,
    /// Each write is kept or lost.
    Writes,
    /// Each sector of this size is.
    Sectors(usize),
    /// What came first is kept, then one write is torn, and the rest is lost.
    Prefix(usize),
}

#[derive(Default)]
struct Pending {
    /// With their places in the records.
    changes: Vec<(usize, Event)>,
    /// Whether the directory may not have its name yet.
    is_new: bool,
    /// It may come back.
    removed: Option<Vec<u8>>,
}

/// From what was on the disk and what was done since: what may be on it when the power comes back.
pub(crate) fn after_a_cut(mut disk: Contents, events: &[Event], seed: &mut Seed) -> Settled {
    let mut pending: BTreeMap<Kept, Pending> = BTreeMap::new();
    let mut begun: BTreeMap<u64, usize> = BTreeMap::new();
    let mut synced = 0;
    for (place, event) in events.iter().enumerate() {
        match event {
            Event::Write { file, .. } | Event::Truncate { file, .. } => {
                pending.entry(*file).or_default().changes.push((place, event.clone()));
            }
            Event::SyncBegun { sync, .. } => {
                begun.insert(*sync, place);
            }
            Event::Synced { file: Some(file), sync } => {
                let changes = &mut pending.entry(*file).or_default().changes;
                let covered = changes.partition_point(|(place, _)| *place < begun[sync]);
                for (_, change) in changes.drain(..covered) {
                    synced += usize::from(matches!(change, Event::Write { .. }));
                    apply(&mut disk, &change, |_| true);
                }
            }
            Event::Synced { file: None, .. } => {
                for file in pending.values_mut() {
                    (file.is_new, file.removed) = (false, None);
                }
            }
            Event::SyncFailed { file: Some(file) } => {
                // The system may have given up on what it could not write, and a later sync says nothing of that.
                let changes = &mut pending.entry(*file).or_default().changes;
                if seed.below(2) == 0 {
                    changes.retain(|_| seed.below(2) == 0);
                }
            }
            Event::SyncFailed { file: None } => {}
            Event::Created { file } => {
                disk.entry(*file).or_default();
                let pending = pending.entry(*file).or_default();
                (pending.changes, pending.is_new) = (Vec::new(), true);
            }
            Event::Removed { file } => {
                let removed = disk.remove(file);
                *pending.entry(*file).or_default() = Pending { removed, ..Pending::default() };
            }
        }
    }
    settle_pending(disk, pending, synced, seed)
}

fn settle_pending(
    mut disk: Contents,
    pending: BTreeMap<Kept, Pending>,
    synced: usize,
    seed: &mut Seed,
) -> Settled {
    let mood = match seed.below(8) {
        0 => Mood::LoseAll,
        1 => Mood::KeepAll,
        2 => Mood::Writes,
        3 | 4 => Mood::Sectors(SECTOR),
        5 => Mood::Sectors(LARGE_SECTOR),
        _ => {
            let writes = pending.values().map(|pending| pending.changes.len()).sum::<usize>();
            Mood::Prefix(seed.below(writes as u64 + 1).try_into().unwrap())
        }
    };
    let (mut kept, mut lost, mut number) = (0, 0, 0);
    for (file, pending) in pending {
        for (_, change) in &pending.changes {
            let is_whole = seed.below(2) == 0;
            let mut parts_lost = 0;
            let size = if let Mood::Sectors(size) = mood { size } else { SECTOR };
            let mut fate = |_: usize| {
                let is_kept = match mood {
                    Mood::LoseAll => false,
                    Mood::KeepAll => true,
                    Mood::Writes => is_whole,
                    Mood::Sectors(_) => seed.below(2) == 0,
                    Mood::Prefix(length) if number == length => seed.below(2) == 0,
                    Mood::Prefix(length) => number < length,
                };
                parts_lost += usize::from(!is_kept);
                is_kept
            };
            apply_sectors(&mut disk, change, size, &mut fate);
            *(if parts_lost == 0 { &mut kept } else { &mut lost }) += 1;
            number += 1;
        }
        if pending.is_new && seed.below(4) == 0 {
            disk.remove(&file);
        }
        if let Some(content) = pending.removed
            && !disk.contains_key(&file)
            && seed.below(2) == 0
        {
            disk.insert(file, content);
        }
    }
    Settled { contents: disk, synced, kept, lost }
}

fn apply(disk: &mut Contents, change: &Event, mut fate: impl FnMut(usize) -> bool) {
    apply_sectors(disk, change, usize::MAX, &mut fate);
}

/// Each part of a write that is in a sector of its own has its own fate.
fn apply_sectors(disk: &mut Contents, change: &Event, size: usize, fate: &mut impl FnMut(usize) -> bool) {
    match change {
        Event::Truncate { file, length } => {
            if fate(0) {
                disk.entry(*file).or_default().resize(*length, 0);
            }
        }
        Event::Write { file, offset, data } => {
            let content = disk.entry(*file).or_default();
            let mut at = 0;
            while at < data.len() {
                let place = offset + at;
                let end = (size - place % size).saturating_add(at).min(data.len());
                if fate(place) {
                    if content.len() < offset + end {
                        content.resize(offset + end, 0);
                    }
                    content[place..offset + end].copy_from_slice(&data[at..end]);
                }
                at = end;
            }
        }
        other => panic!("no change: {other:?}"),
    }
}
