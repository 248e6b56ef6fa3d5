//! Bringing accounts in, many at a time and in constant memory: a line is taken whole or refused, and what
//! exists is left alone unless it is to be replaced. Safe beside a running service.

use super::put::Put;
use super::record::{IssuerNames, Provisioned, Reading, RecordError, read_record};
use super::{Accounts, UpdateError};
use crate::store::SwapOutcome;
use einmal_core::policy::Policy;
use einmal_core::{Entropy, Timestamp};
use std::collections::HashSet;
use std::io::{self, BufRead};
use std::thread;
use tokio::task::JoinSet;
use zeroize::Zeroizing;

/// Lines that are read, hashed and committed together.
const GROUP_LINES: usize = 1_000;
/// Fewer, if they are long.
const GROUP_BYTES: u64 = 16 * 1024 * 1024;
/// A line is one account; longer ones are refused without being kept.
const MAX_LINE_BYTES: usize = 1024 * 1024;
/// Replacements under way at once, each a loop of its own.
const PARALLEL_REPLACEMENTS: usize = 64;

pub struct Import<'a> {
    pub accounts: &'a Accounts,
    pub issuers: &'a IssuerNames,
    pub policy: &'a Policy,
    pub entropy: &'a dyn Entropy,
    pub now: Timestamp,
    /// Overwrite what exists, but keep last steps, waits and budgets of unchanged secrets.
    pub replace: bool,
}

/// What became of the lines.
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
        line: u64,
        error: RecordError,
    },
    Warning {
        line: u64,
        text: String,
    },
    /// So many bytes have been read and committed.
    Progress {
        bytes: u64,
    },
}

/// The import stopped; every line before `line` is in or was refused.
#[derive(Debug, thiserror::Error)]
#[error("stopped at line {line}: {cause}")]
pub struct ImportError {
    pub line: u64,
    pub cause: ImportFault,
}

#[derive(Debug, thiserror::Error)]
pub enum ImportFault {
    #[error("the input cannot be read: {0}")]
    Input(#[from] io::Error),
    #[error(transparent)]
    Update(#[from] UpdateError),
}

struct Line {
    number: u64,
    text: Result<String, RecordError>,
}

impl Import<'_> {
    pub async fn run(
        &self,
        mut input: impl BufRead,
        mut tell: impl FnMut(Notice),
    ) -> Result<Report, ImportError> {
        let mut report = Report::default();
        let (mut number, mut bytes) = (0, 0);
        loop {
            let first = number + 1;
            let stopped = |cause: ImportFault| ImportError { line: first, cause };
            let lines =
                read_group(&mut input, &mut number, &mut bytes).map_err(|error| stopped(error.into()))?;
            if lines.is_empty() {
                return Ok(report);
            }
            let accepted =
                self.understand(lines, &mut report, &mut tell).map_err(|error| stopped(error.into()))?;
            self.commit(accepted, &mut report).await.map_err(|error| stopped(error.into()))?;
            tell(Notice::Progress { bytes });
        }
    }

    /// Reads the lines on all cores, for hashing a clear PIN takes thousands of times longer than the rest.
    fn understand(
        &self,
        mut lines: Vec<Line>,
        report: &mut Report,
        tell: &mut impl FnMut(Notice),
    ) -> Result<Vec<Provisioned>, UpdateError> {
        let reading =
            Reading { issuers: self.issuers, policy: self.policy, entropy: self.entropy, now: self.now };
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let part_lines = lines.len().div_ceil(cores);
        let parts: Result<Vec<_>, _> = thread::scope(|scope| {
            let workers: Vec<_> = lines
                .chunks_mut(part_lines)
                .map(|part| {
                    scope.spawn(|| part.iter_mut().map(|line| line.read(&reading)).collect::<Vec<_>>())
                })
                .collect();
            workers.into_iter().map(thread::ScopedJoinHandle::join).collect()
        });
        let mut accepted = Vec::new();
        for (line, result) in parts.map_err(|_| UpdateError::Panicked)?.into_iter().flatten() {
            match result {
                Ok(provisioned) => {
                    for text in &provisioned.warnings {
                        tell(Notice::Warning { line, text: text.clone() });
                    }
                    accepted.push(provisioned);
                }
                Err(error) => {
                    report.refused += 1;
                    tell(Notice::Refused { line, error });
                }
            }
        }
        Ok(accepted)
    }

    async fn commit(&self, group: Vec<Provisioned>, report: &mut Report) -> Result<(), UpdateError> {
        let outcomes = self.accounts.insert(group.iter().map(|one| (&one.id, &one.account))).await?;
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
                    let accounts = self.accounts.clone();
                    replacements.spawn(async move { accounts.put(provisioned).await });
                }
                SwapOutcome::Conflict => report.skipped += 1,
            }
        }
        report.replaced += finish(&mut replacements).await?;
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

impl Line {
    /// Its number, and what it says. The text is used up: it may hold secrets.
    fn read(&mut self, reading: &Reading) -> (u64, Result<Provisioned, RecordError>) {
        let text = std::mem::replace(&mut self.text, Ok(String::new())).map(Zeroizing::new);
        (self.number, text.and_then(|text| read_record(text.trim_end(), reading)))
    }
}

/// Empty at the end of the input. Blank lines are counted and nothing else.
fn read_group(input: &mut impl BufRead, number: &mut u64, bytes: &mut u64) -> io::Result<Vec<Line>> {
    let mut lines = Vec::new();
    let end = bytes.saturating_add(GROUP_BYTES);
    while lines.is_empty() || lines.len() < GROUP_LINES && *bytes < end {
        let Some((text, length)) = read_bounded_line(input)? else { break };
        *number += 1;
        *bytes += length;
        if !text.as_ref().is_ok_and(|text| text.trim().is_empty()) {
            lines.push(Line { number: *number, text });
        }
    }
    Ok(lines)
}

type BoundedLine = (Result<String, RecordError>, u64);

/// The next line and how many bytes it took. Of one that is too long no more is kept than the bound.
fn read_bounded_line(input: &mut impl BufRead) -> io::Result<Option<BoundedLine>> {
    let mut line = Vec::new();
    let mut length = 0;
    loop {
        let available = input.fill_buf()?;
        if available.is_empty() {
            break;
        }
        let end = available.iter().position(|byte| *byte == b'\n');
        let taken = end.map_or(available.len(), |end| end + 1);
        if line.len() <= MAX_LINE_BYTES {
            line.extend_from_slice(available.get(..taken).unwrap_or_default());
        }
        input.consume(taken);
        length += taken as u64;
        if end.is_some() {
            break;
        }
    }
    let text = if line.len() > MAX_LINE_BYTES {
        Err(RecordError::TooLong(MAX_LINE_BYTES))
    } else {
        String::from_utf8(line).map_err(|_| RecordError::NotUtf8)
    };
    Ok((length > 0).then_some((text, length)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lines_are_not_all_in_memory_at_once() {
        let input = "x".repeat(MAX_LINE_BYTES - 2) + "\n";
        let input = input.repeat(40);
        let (mut input, mut number, mut bytes, mut groups) = (input.as_bytes(), 0, 0, Vec::new());
        loop {
            let lines = read_group(&mut input, &mut number, &mut bytes).unwrap();
            if lines.is_empty() {
                break;
            }
            groups.push(lines.len());
        }
        assert_eq!(groups, [17, 17, 6]);
    }

    #[test]
    fn blank_lines_are_not_the_end_however_many() {
        let input = (" ".repeat(MAX_LINE_BYTES - 2) + "\n").repeat(18) + "{}\n";
        let (mut input, mut number, mut bytes) = (input.as_bytes(), 0, 0);
        let lines = read_group(&mut input, &mut number, &mut bytes).unwrap();
        assert_eq!((lines.len(), number), (1, 19));
    }
}
