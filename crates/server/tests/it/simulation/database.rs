//! A database with a standby, as the engines of a simulated world talk to it: what it has acknowledged it keeps, and what it has
//! not it may lose. It promises what a store has to promise (`store/mod.rs`) and not a bit more, except where a lapse is asked for.

use super::figures::Figures;
use einmal::store::{Expected, SealedAccount, Swap, SwapOutcome};
use einmal_core::account::AccountId;
use std::collections::{BTreeMap, VecDeque};

/// A fault that no store may have. Each of them lets a code be accepted twice, or forgets a count, and must be found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lapse {
    /// A write is acknowledged before the standby has it.
    AnswersBeforeTheStandby,
    /// A primary that has been deposed goes on acknowledging.
    DeposedAnswers,
    /// A swap looks at no version.
    LooksAtNoVersion,
    /// A conflict is told as a swap.
    ConflictIsToldAsSwapped,
    /// Whether a write of unknown outcome has happened is found out by reading.
    ReadsBack,
    /// Not the store's, but the loop's: what is told again is not committed again.
    RepeatsWithoutACommit,
}

type Rows = BTreeMap<AccountId, SealedAccount>;

/// A primary, or one that was it, with the standby that it waits for.
#[derive(Default)]
struct Server {
    rows: Rows,
    standby: Rows,
    /// What the standby does not have yet.
    unreplicated: VecDeque<Swap>,
    written: u64,
    replicated: u64,
}

#[derive(Default)]
pub(crate) struct Database {
    /// The last one is the primary, and all before it are deposed. They can still be talked to.
    servers: Vec<Server>,
    pub(crate) property: Option<Vec<u8>>,
    lapse: Option<Lapse>,
    pub(crate) figures: Figures,
}

/// How far a server is with a write.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Progress {
    Acknowledged,
    Waits,
    /// It never will be.
    Deposed,
}

impl Database {
    pub(crate) fn new(lapse: Option<Lapse>) -> Self {
        Self { servers: vec![Server::default()], lapse, ..Self::default() }
    }

    pub(crate) fn has(&self, lapse: Lapse) -> bool {
        self.lapse == Some(lapse)
    }

    pub(crate) fn primary(&self) -> usize {
        self.servers.len() - 1
    }

    /// What a server has, acknowledged or not, or what its standby has.
    pub(crate) fn load(&self, server: usize, id: &AccountId, from_standby: bool) -> Option<SealedAccount> {
        let server = &self.servers[server];
        let rows = if from_standby { &server.standby } else { &server.rows };
        rows.get(id).cloned()
    }

    /// Each swap on its own, and the place in the log that is to be waited for.
    pub(crate) fn swap(&mut self, server: usize, swaps: &[Swap]) -> (Vec<SwapOutcome>, u64) {
        let (is_blind, is_lying) =
            (self.has(Lapse::LooksAtNoVersion), self.has(Lapse::ConflictIsToldAsSwapped));
        let server = &mut self.servers[server];
        let mut swap_one = |swap: &Swap| {
            let is_expected = match (swap.expected, server.rows.get(&swap.id)) {
                (Expected::Absent, found) => found.is_none(),
                (Expected::Version(version), Some(found)) => is_blind || found.guard.version == version,
                (Expected::Version(_), None) => false,
            };
            if is_expected {
                put(&mut server.rows, swap);
                server.unreplicated.push_back(swap.clone());
                server.written += 1;
            }
            if is_expected || is_lying { SwapOutcome::Swapped } else { SwapOutcome::Conflict }
        };
        (swaps.iter().map(&mut swap_one).collect(), server.written)
    }

    /// The standby takes over up to so many writes, and the primary learns of it.
    pub(crate) fn replicate(&mut self, server: usize, most: usize) {
        if server != self.primary() {
            return;
        }
        let server = &mut self.servers[server];
        let count = most.min(server.unreplicated.len());
        for swap in server.unreplicated.drain(..count) {
            put(&mut server.standby, &swap);
            server.replicated += 1;
        }
    }

    pub(crate) fn progress(&self, server: usize, place: u64) -> Progress {
        let is_primary = server == self.primary() || self.has(Lapse::DeposedAnswers);
        let is_there = self.servers[server].replicated >= place
            || self.has(Lapse::AnswersBeforeTheStandby)
            || server != self.primary() && self.has(Lapse::DeposedAnswers);
        match (is_primary, is_there) {
            (true, true) => Progress::Acknowledged,
            (true, false) => Progress::Waits,
            (false, _) => Progress::Deposed,
        }
    }

    /// Whether a server has now what each of these has written. Only who settles by reading asks so.
    pub(crate) fn has_all(&self, server: usize, swaps: &[Swap]) -> bool {
        let rows = &self.servers[server].rows;
        swaps.iter().all(|swap| rows.get(&swap.id).is_some_and(|row| row.guard.version == swap.guard.version))
    }

    /// Whether the primary has written what would be lost with it.
    pub(crate) fn may_lose(&self) -> bool {
        !self.servers[self.primary()].unreplicated.is_empty()
    }

    /// The standby becomes the primary, and what it does not have is lost.
    pub(crate) fn fail_over(&mut self) {
        let deposed = &self.servers[self.primary()];
        self.figures.failovers += 1;
        self.figures.lost_writes += deposed.unreplicated.len() as u64;
        let rows = deposed.standby.clone();
        self.servers.push(Server { standby: rows.clone(), rows, ..Server::default() });
    }
}

/// Guard and vault together.
fn put(rows: &mut Rows, swap: &Swap) {
    let vault = swap.vault.clone().or_else(|| rows.get(&swap.id).map(|row| row.vault.clone()));
    let row = SealedAccount { guard: swap.guard.clone(), vault: vault.unwrap() };
    rows.insert(swap.id.clone(), row);
}
