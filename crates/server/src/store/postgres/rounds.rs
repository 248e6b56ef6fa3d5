//! Deals the swaps of a group out over statements. Must never put two of one account into one statement, which would see
//! one of them only, and must keep their order.

use super::super::{Expected, SealedPart, Swap};
use einmal_core::account::AccountId;
use std::collections::HashMap;

/// Swaps of different accounts, each list in the order of its keys: the order in which rows are locked.
#[derive(Default)]
pub(super) struct Round<'a> {
    /// Those that make an account.
    pub(super) births: Vec<Placed<'a>>,
    /// Those that replace a version.
    pub(super) turns: Vec<Placed<'a>>,
}

/// A swap and where it stands among all of its group.
#[derive(Clone, Copy)]
pub(super) struct Placed<'a> {
    pub(super) place: usize,
    pub(super) swap: &'a Swap,
}

/// A later swap of an account is in a later round.
pub(super) fn rounds<'a>(swaps: impl Iterator<Item = &'a Swap>) -> Vec<Round<'a>> {
    let mut rounds: Vec<Round<'a>> = Vec::new();
    let mut earlier: HashMap<&AccountId, usize> = HashMap::new();
    for (place, swap) in swaps.enumerate() {
        let number = earlier.entry(&swap.id).or_default();
        if *number == rounds.len() {
            rounds.push(Round::default());
        }
        if let Some(round) = rounds.get_mut(*number) {
            let list = match swap.expected {
                Expected::Absent => &mut round.births,
                Expected::Version(_) => &mut round.turns,
            };
            list.push(Placed { place, swap });
        }
        *number += 1;
    }
    for round in &mut rounds {
        round.births.sort_unstable_by(by_key);
        round.turns.sort_unstable_by(by_key);
    }
    rounds
}

fn by_key(one: &Placed<'_>, other: &Placed<'_>) -> std::cmp::Ordering {
    one.swap.id.cmp(&other.swap.id)
}

/// The swaps of a statement as the arrays that it takes.
#[derive(Default)]
pub(super) struct Columns<'a> {
    pub(super) issuers: Vec<&'a [u8]>,
    pub(super) subjects: Vec<&'a [u8]>,
    pub(super) expected: Vec<i64>,
    pub(super) guard: Parts<'a>,
    pub(super) vault: Parts<'a>,
    /// Whether any of them has one.
    pub(super) has_vault: bool,
}

/// One sealed part of each; null where there is none.
#[derive(Default)]
pub(super) struct Parts<'a> {
    pub(super) versions: Vec<Option<i64>>,
    pub(super) key_ids: Vec<Option<i64>>,
    pub(super) sealed: Vec<Option<&'a [u8]>>,
}

impl<'a> Columns<'a> {
    pub(super) fn of(list: &[Placed<'a>]) -> Self {
        let mut columns = Self::default();
        for Placed { swap, .. } in list {
            columns.issuers.push(swap.id.issuer().as_bytes());
            columns.subjects.push(swap.id.subject().as_bytes());
            columns.expected.push(match swap.expected {
                Expected::Version(version) => version.cast_signed(),
                Expected::Absent => 0,
            });
            columns.guard.push(Some(&swap.guard));
            columns.vault.push(swap.vault.as_ref());
            columns.has_vault |= swap.vault.is_some();
        }
        columns
    }
}

impl<'a> Parts<'a> {
    fn push(&mut self, part: Option<&'a SealedPart>) {
        self.versions.push(part.map(|part| part.version.cast_signed()));
        self.key_ids.push(part.map(|part| i64::from(part.key_id)));
        self.sealed.push(part.map(|part| part.sealed.as_slice()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn swap(subject: &str, expected: Expected) -> Swap {
        let guard = SealedPart { version: 1, key_id: 1, sealed: Vec::new() };
        Swap { id: AccountId::new("main", subject), expected, guard, vault: None }
    }

    fn places(list: &[Placed<'_>]) -> Vec<usize> {
        list.iter().map(|placed| placed.place).collect()
    }

    #[test]
    fn no_round_has_two_swaps_of_one_account_and_a_later_one_is_in_a_later_round() {
        let (born, turned) = (Expected::Absent, Expected::Version(1));
        let swaps = [
            swap("b", turned),
            swap("a", born),
            swap("b", turned),
            swap("a", turned),
            swap("c", turned),
            swap("b", born),
        ];
        let rounds = rounds(swaps.iter());
        let found: Vec<_> =
            rounds.iter().map(|round| (places(&round.births), places(&round.turns))).collect();
        assert_eq!(found, [(vec![1], vec![0, 4]), (vec![], vec![3, 2]), (vec![5], vec![])]);
    }

    #[test]
    fn within_a_round_accounts_are_in_the_order_of_their_keys() {
        let swaps: Vec<_> =
            ["b", "", "a", "\u{e9}", "B", "ab"].map(|name| swap(name, Expected::Absent)).into();
        let rounds = rounds(swaps.iter());
        let names: Vec<_> = rounds[0].births.iter().map(|placed| placed.swap.id.subject()).collect();
        assert_eq!(names, ["", "B", "a", "ab", "b", "\u{e9}"]);
    }
}
