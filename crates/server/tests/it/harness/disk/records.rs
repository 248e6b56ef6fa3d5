//! What the program did to its files, as the disk has written it down.

use std::collections::BTreeMap;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kept {
    Database,
    Log,
    Journal,
}

impl Kept {
    pub(super) const ALL: [Self; 3] = [Self::Database, Self::Log, Self::Journal];

    pub(super) fn name(self) -> &'static str {
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

/// A record that was not written to its end is of a call that was not made.
pub(super) fn read_events(mut records: &[u8]) -> Vec<Event> {
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
