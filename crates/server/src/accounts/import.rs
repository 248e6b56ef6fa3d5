//! Bringing accounts in, many at a time: each is taken whole or refused, and what exists is left alone unless it is
//! to be replaced. Safe beside a running service. A rehearsal says the same and must write nothing.

mod lines;
mod source;

pub use lines::Lines;
pub use source::Source;
pub(super) use source::{Entry, Group, Origins};

use super::put::Put;
use super::record::{IssuerNames, Provisioned, Reading};
use super::{Accounts, UpdateError};
use crate::store::SwapOutcome;
use einmal_core::account::AccountId;
use einmal_core::policy::Policy;
use einmal_core::{Entropy, Timestamp};
use source::Understood;
use std::collections::HashSet;
use std::io;
use std::thread;
use tokio::task::JoinSet;

/// Replacements under way at once, each a loop of its own.
const PARALLEL_REPLACEMENTS: usize = 64;

pub struct Import<'a> {
    pub target: Target<'a>,
    pub issuers: &'a IssuerNames,
    pub policy: &'a Policy,
    pub entropy: &'a dyn Entropy,
    pub now: Timestamp,
    /// Overwrite what exists, but keep last steps, waits and budgets of unchanged secrets.
    pub replace: bool,
}

#[derive(Clone, Copy)]
pub enum Target<'a> {
    Store(&'a Accounts),
    /// Writes nothing, and compares with what is there; `None` where there is no store yet.
    Rehearsal(Option<&'a Accounts>),
}

/// What became of the accounts.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Report {
    pub imported: u64,
    pub replaced: u64,
    /// Existed, and were left alone.
    pub skipped: u64,
    pub refused: u64,
}

/// Something to tell the operator while the import goes on.
pub enum Notice {
    Refused {
        place: String,
        reason: String,
    },
    Warning {
        place: String,
        text: String,
    },
    /// So many bytes have been read and committed.
    Progress {
        bytes: u64,
    },
}

/// The import stopped; everything before `place` is in or was refused.
#[derive(Debug, thiserror::Error)]
#[error("stopped at {place}: {cause}")]
pub struct ImportError {
    pub place: String,
    pub cause: ImportFault,
}

#[derive(Debug, thiserror::Error)]
pub enum ImportFault {
    #[error("the input cannot be read: {0}")]
    Input(#[from] io::Error),
    #[error(transparent)]
    Update(#[from] UpdateError),
}

impl Import<'_> {
    pub async fn run(
        &self,
        mut source: impl Source,
        mut tell: impl FnMut(Notice),
    ) -> Result<Report, ImportError> {
        let (mut report, mut rehearsed) = (Report::default(), HashSet::new());
        loop {
            let place = source.place();
            let stopped = |cause: ImportFault| ImportError { place: place.clone(), cause };
            let group = source.next_group().map_err(|error| stopped(error.into()))?;
            let Some(Group { entries, bytes }) = group else { return Ok(report) };
            let accepted =
                self.understand(entries, &mut report, &mut tell).map_err(|error| stopped(error.into()))?;
            let done = match self.target {
                Target::Store(accounts) => self.commit(accounts, accepted, &mut report).await,
                Target::Rehearsal(accounts) => {
                    self.rehearse(accounts, accepted, &mut rehearsed, &mut report).await
                }
            };
            done.map_err(|error| stopped(error.into()))?;
            tell(Notice::Progress { bytes });
        }
    }

    /// Reads the records on all cores, for hashing a clear PIN takes thousands of times longer than the rest.
    fn understand(
        &self,
        mut entries: Vec<Entry>,
        report: &mut Report,
        tell: &mut impl FnMut(Notice),
    ) -> Result<Vec<Provisioned>, UpdateError> {
        let reading =
            Reading { issuers: self.issuers, policy: self.policy, entropy: self.entropy, now: self.now };
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let part = entries.len().div_ceil(cores).max(1);
        let parts: Result<Vec<_>, _> = thread::scope(|scope| {
            let workers: Vec<_> = entries
                .chunks_mut(part)
                .map(|part| {
                    scope.spawn(|| part.iter_mut().map(|entry| entry.read(&reading)).collect::<Vec<_>>())
                })
                .collect();
            workers.into_iter().map(thread::ScopedJoinHandle::join).collect()
        });
        let mut accepted = Vec::new();
        for Understood { place, warnings, result } in
            parts.map_err(|_| UpdateError::Panicked)?.into_iter().flatten()
        {
            match result {
                Ok(provisioned) => {
                    let warnings =
                        warnings.into_iter().map(|text| Notice::Warning { place: place.clone(), text });
                    warnings.for_each(&mut *tell);
                    accepted.push(provisioned);
                }
                Err(reason) => {
                    report.refused += 1;
                    tell(Notice::Refused { place, reason });
                }
            }
        }
        Ok(accepted)
    }

    async fn commit(
        &self,
        accounts: &Accounts,
        group: Vec<Provisioned>,
        report: &mut Report,
    ) -> Result<(), UpdateError> {
        let outcomes = accounts.insert(group.iter().map(|one| (&one.id, &one.account))).await?;
        let mut replacements = JoinSet::new();
        let mut under_way = HashSet::new();
        for (outcome, provisioned) in outcomes.into_iter().zip(group) {
            match outcome {
                SwapOutcome::Swapped => report.imported += 1,
                SwapOutcome::Conflict if self.replace => {
                    // Of several lines for one account the last one counts, so no two of them run at once.
                    if under_way.len() >= PARALLEL_REPLACEMENTS || under_way.contains(&provisioned.id) {
                        report.replaced += finish(&mut replacements).await?;
                        under_way.clear();
                    }
                    under_way.insert(provisioned.id.clone());
                    let (accounts, now) = (accounts.clone(), self.now);
                    replacements.spawn(async move { accounts.put(provisioned, now).await });
                }
                SwapOutcome::Conflict => report.skipped += 1,
            }
        }
        report.replaced += finish(&mut replacements).await?;
        Ok(())
    }

    /// Counts what `commit` would have done; `rehearsed` are those that would be there by now.
    async fn rehearse(
        &self,
        accounts: Option<&Accounts>,
        group: Vec<Provisioned>,
        rehearsed: &mut HashSet<AccountId>,
        report: &mut Report,
    ) -> Result<(), UpdateError> {
        for Provisioned { id, .. } in group {
            let exists = rehearsed.contains(&id)
                || match accounts {
                    Some(accounts) => accounts.read(&id).await?.is_some(),
                    None => false,
                };
            match (exists, self.replace) {
                (false, _) => report.imported += 1,
                (true, true) => report.replaced += 1,
                (true, false) => report.skipped += 1,
            }
            rehearsed.insert(id);
        }
        Ok(())
    }
}

/// How many there were.
async fn finish(replacements: &mut JoinSet<Result<Put, UpdateError>>) -> Result<u64, UpdateError> {
    let mut count = 0;
    while let Some(finished) = replacements.join_next().await {
        finished.map_err(|_| UpdateError::Panicked)??;
        count += 1;
    }
    Ok(count)
}
