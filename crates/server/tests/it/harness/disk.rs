//! A disk under the program that the power can leave and that can fail (`power/disk.c`).

mod cut;
mod records;

pub(crate) use cut::after_a_cut;
pub(crate) use records::{Contents, Event, Kept};

use super::program::PROGRAM;
use super::seed::Seed;
use cut::Settled;
use records::read_events;
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
