//! The disk that loses power is judged itself: it keeps what was synced, and loses what it may.

use crate::harness::disk::{Contents, Event, Kept, after_a_cut};
use crate::harness::seed::Seed;
use std::collections::BTreeSet;

fn write(offset: usize, byte: u8) -> Event {
    Event::Write { file: Kept::Log, offset, data: vec![byte; 1_024] }
}

fn sync(sync: u64) -> [Event; 2] {
    let file = Some(Kept::Log);
    [Event::SyncBegun { file, sync }, Event::Synced { file, sync }]
}

/// All that may be in the log over many seeds.
fn logs(events: &[Event]) -> BTreeSet<Option<Vec<u8>>> {
    let before = Contents::from([(Kept::Log, vec![0; 2_048])]);
    let cut = |seed| after_a_cut(before.clone(), events, &mut Seed::new(seed)).contents;
    (0..400).map(|seed| cut(seed).get(&Kept::Log).cloned()).collect()
}

#[test]
fn what_was_synced_is_always_there() {
    let [begun, done] = sync(1);
    let expected = Some([vec![1; 1_024], vec![0; 1_024]].concat());
    assert_eq!(logs(&[write(0, 1), begun, done]), BTreeSet::from([expected]));
}

#[test]
fn what_was_not_synced_may_be_there_or_not_or_in_part() {
    let logs = logs(&[write(0, 1)]);
    let halves: BTreeSet<_> = logs.iter().flatten().map(|log| (log[0], log[600], log[1_024])).collect();
    assert_eq!(halves, BTreeSet::from([(0, 0, 0), (1, 1, 0), (0, 1, 0), (1, 0, 0)]));
}

#[test]
fn what_is_written_while_a_sync_lasts_or_before_one_that_failed_is_not_covered() {
    let [begun, done] = sync(1);
    assert!(logs(&[begun.clone(), write(0, 1), done.clone()]).len() > 1);
    // The system said once that it could not, and forgot it.
    let failed = Event::SyncFailed { file: Some(Kept::Log) };
    let after = logs(&[write(0, 1), failed, begun, done]);
    assert_eq!(after.len(), 2, "all of it or none");
}

#[test]
fn a_later_write_may_be_there_without_an_earlier_one() {
    let logs = logs(&[write(0, 1), write(1_024, 2)]);
    assert!(logs.contains(&Some([vec![0; 1_024], vec![2; 1_024]].concat())));
    assert!(logs.contains(&Some([vec![1; 1_024], vec![0; 1_024]].concat())));
}

#[test]
fn a_name_is_kept_when_its_directory_was_synced() {
    let made = [Event::Created { file: Kept::Journal }];
    let directory = [Event::SyncBegun { file: None, sync: 7 }, Event::Synced { file: None, sync: 7 }];
    let is_there = |events: &[Event]| -> BTreeSet<bool> {
        let cut = |seed| after_a_cut(Contents::new(), events, &mut Seed::new(seed)).contents;
        (0..100).map(|seed| cut(seed).contains_key(&Kept::Journal)).collect()
    };
    assert_eq!(is_there(&made), BTreeSet::from([false, true]));
    assert_eq!(is_there(&[&made[..], &directory].concat()), BTreeSet::from([true]));
    let removed = [&made[..], &directory, &[Event::Removed { file: Kept::Journal }]].concat();
    assert_eq!(is_there(&removed), BTreeSet::from([false, true]));
    assert_eq!(is_there(&[&removed[..], &directory].concat()), BTreeSet::from([false]));
}
