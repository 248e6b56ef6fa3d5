//! What a disk may hold after a cut: everything that was synced, and of the rest whatever it pleases. Must never keep less
//! than a disk owes.

use super::records::{Contents, Event, Kept};
use crate::harness::seed::Seed;
use std::collections::BTreeMap;

/// What can go at once into a sector, and what a disk with large sectors can write.
const SECTOR: usize = 512;
const LARGE_SECTOR: usize = 4_096;

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
