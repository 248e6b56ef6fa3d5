//! What a simulated world has been put through.

use std::fmt;
use std::ops::AddAssign;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Figures {
    /// Attempts, without the repeats of one request.
    pub(crate) attempts: u64,
    pub(crate) accepted: u64,
    pub(crate) refused: u64,
    /// Not looked at.
    pub(crate) throttled: u64,
    pub(crate) unknown: u64,
    /// Codes that were tried again after one had been accepted.
    pub(crate) repeated: u64,
    pub(crate) conflicts: u64,
    pub(crate) refused_groups: u64,
    pub(crate) late_writes: u64,
    pub(crate) given_up: u64,
    pub(crate) unheard: u64,
    pub(crate) failovers: u64,
    /// Writes that no server has any more; none of them was acknowledged.
    pub(crate) lost_writes: u64,
    pub(crate) crashes: u64,
    pub(crate) leaps: u64,
}

impl Figures {
    /// What went wrong, all together.
    pub(crate) fn faults(&self) -> u64 {
        let of_the_store = self.refused_groups + self.late_writes + self.given_up + self.unheard;
        of_the_store + self.failovers + self.crashes + self.leaps
    }
}

impl AddAssign for Figures {
    fn add_assign(&mut self, other: Self) {
        self.attempts += other.attempts;
        self.accepted += other.accepted;
        self.refused += other.refused;
        self.throttled += other.throttled;
        self.unknown += other.unknown;
        self.repeated += other.repeated;
        self.conflicts += other.conflicts;
        self.refused_groups += other.refused_groups;
        self.late_writes += other.late_writes;
        self.given_up += other.given_up;
        self.unheard += other.unheard;
        self.failovers += other.failovers;
        self.lost_writes += other.lost_writes;
        self.crashes += other.crashes;
        self.leaps += other.leaps;
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} attempts ({} accepted, {} refused, {} throttled, {} unknown, {} of a code that had been accepted), {} lost rounds; {} faults: \
             {} groups refused, {} writes late, {} given up, {} commits unheard of, {} failovers with {} writes lost, \
             {} crashes, {} leaps",
            self.attempts,
            self.accepted,
            self.refused,
            self.throttled,
            self.unknown,
            self.repeated,
            self.conflicts,
            self.faults(),
            self.refused_groups,
            self.late_writes,
            self.given_up,
            self.unheard,
            self.failovers,
            self.lost_writes,
            self.crashes,
            self.leaps,
        )
    }
}
