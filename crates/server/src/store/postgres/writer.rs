//! Writes groups on one connection. Must never report a write before the server has acknowledged its commit without a
//! warning, and never find out by reading what became of one that failed.

use super::super::attempt::PendingAttempt;
use super::super::batch::settle_all;
use super::super::requests::Write;
use super::super::{Swap, SwapOutcome};
use super::connect::{Connector, EXPECTED};
use super::failure::Failure;
use super::load::load;
use super::open_error::OpenError;
use super::rounds::{Columns, Placed, rounds};
use super::serve::{Worker, deadline};
use super::session::Session;
use super::statements::Writes;
use einmal_core::account::AccountId;
use tokio::time::Instant;
use tokio_postgres::Statement;
use tokio_postgres::types::ToSql;

/// How often a statement is repeated that others were in the way of.
const MOST_COLLISIONS: u32 = 5;

pub(super) struct Writer {
    session: Session,
    statements: Writes,
    store: String,
}

type Parameters<'a> = [&'a (dyn ToSql + Sync)];

/// What a group can have, in the order in which it is carried out: one kind after the other, so that all of a kind is
/// one statement. Whoever is in a group has not been answered yet, so that any order between them is right.
const KINDS: [fn(&Write) -> bool; 5] = [
    |write| matches!(write, Write::Attempt(_)),
    |write| matches!(write, Write::Swap(_)),
    |write| matches!(write, Write::Delete(_)),
    |write| matches!(write, Write::Property(_)),
    |write| matches!(write, Write::Probe(_)),
];

impl Worker for Writer {
    type Request = Write;

    async fn open(connector: &Connector) -> Result<Self, OpenError> {
        let session = connector.connect().await?;
        let statements = Writes::prepare(&session, connector.pass(), deadline()).await;
        let statements = statements.map_err(|failure| OpenError::failed(&connector.name, &failure))?;
        Ok(Self { session, statements, store: connector.name.clone() })
    }

    /// What is left in the group after a failure was not carried out, or may not have been.
    async fn carry_out(&self, group: &mut Vec<Write>) -> Result<(), Failure> {
        let deadline = deadline();
        for is_of_kind in KINDS {
            let mut part: Vec<_> = group.extract_if(.., |write| is_of_kind(write)).collect();
            let carried_out = self.write(&mut part, deadline).await;
            let failure = carried_out.as_ref().err().map(|failure| failure.of_store(&self.store));
            settle_all(&mut part, failure.as_ref());
            carried_out?;
        }
        Ok(())
    }

    fn session(&self) -> &Session {
        &self.session
    }

    async fn close(self) {
        self.session.close().await;
    }
}

impl Writer {
    /// Writes of one kind.
    async fn write(&self, part: &mut [Write], deadline: Instant) -> Result<(), Failure> {
        match part.first() {
            None => Ok(()),
            Some(Write::Attempt(_)) => self.attempt(part, deadline).await,
            Some(Write::Swap(_)) => self.swap(part, deadline).await,
            Some(Write::Delete(_)) => self.delete(part, deadline).await,
            Some(Write::Property(_) | Write::Probe(_)) => {
                for write in part {
                    self.set_property(write, deadline).await?;
                }
                Ok(())
            }
        }
    }

    /// All are loaded by one statement, and what they decide on is written by another: the second one looks again whether
    /// what the first one saw is still there.
    async fn attempt(&self, part: &mut [Write], deadline: Instant) -> Result<(), Failure> {
        let mut attempts: Vec<_> = part.iter_mut().filter_map(attempted).collect();
        let ids: Vec<_> = attempts.iter().filter_map(|pending| pending.id()).collect();
        let stored = load(&self.session, &self.statements.load, &ids, deadline).await?;
        let (mut swaps, mut writers) = (Vec::new(), Vec::new());
        for (pending, stored) in attempts.iter_mut().zip(stored) {
            match stored {
                Err(damaged) => pending.outcome = Some(Err(damaged.of_store(&self.store))),
                Ok(stored) => {
                    if let Some(swap) = pending.decide(stored) {
                        swaps.push(swap);
                        writers.push(pending);
                    }
                }
            }
        }
        let outcomes = self.swap_all(swaps.iter().collect(), deadline).await?;
        for (pending, outcome) in writers.into_iter().zip(outcomes) {
            pending.outcome = Some(Ok(Some(outcome)));
        }
        Ok(())
    }

    async fn swap(&self, part: &mut [Write], deadline: Instant) -> Result<(), Failure> {
        let outcomes = self.swap_all(part.iter().flat_map(swaps_of).collect(), deadline).await?;
        let mut outcomes = outcomes.into_iter();
        for write in part {
            if let Write::Swap(pending) = write {
                pending.outcome = Some(Ok(outcomes.by_ref().take(pending.input.len()).collect()));
            }
        }
        Ok(())
    }

    async fn swap_all(&self, swaps: Vec<&Swap>, deadline: Instant) -> Result<Vec<SwapOutcome>, Failure> {
        let mut outcomes = vec![SwapOutcome::Conflict; swaps.len()];
        for round in rounds(swaps.into_iter()) {
            for (list, is_birth) in [(&round.births, true), (&round.turns, false)] {
                if list.is_empty() {
                    continue;
                }
                for winner in self.swap_round(list, is_birth, deadline).await? {
                    if let Some(outcome) = outcomes.get_mut(winner) {
                        *outcome = SwapOutcome::Swapped;
                    }
                }
            }
        }
        Ok(outcomes)
    }

    /// The places of those that were swapped.
    async fn swap_round(
        &self,
        list: &[Placed<'_>],
        is_birth: bool,
        deadline: Instant,
    ) -> Result<Vec<usize>, Failure> {
        let Columns { issuers, subjects, expected, guard, vault, has_vault } = Columns::of(list);
        let statements = &self.statements;
        let won = if is_birth {
            let parameters: &Parameters<'_> = &[
                &issuers,
                &subjects,
                &guard.versions,
                &guard.key_ids,
                &guard.sealed,
                &vault.versions,
                &vault.key_ids,
                &vault.sealed,
            ];
            self.places(&statements.birth, parameters, deadline).await?
        } else if has_vault {
            let parameters: &Parameters<'_> = &[
                &issuers,
                &subjects,
                &expected,
                &guard.versions,
                &guard.key_ids,
                &guard.sealed,
                &vault.versions,
                &vault.key_ids,
                &vault.sealed,
            ];
            self.places(&statements.turn_both, parameters, deadline).await?
        } else {
            let parameters: &Parameters<'_> =
                &[&issuers, &subjects, &expected, &guard.versions, &guard.key_ids, &guard.sealed];
            self.places(&statements.turn_guards, parameters, deadline).await?
        };
        Ok(won.into_iter().filter_map(|place| list.get(place)).map(|placed| placed.place).collect())
    }

    async fn delete(&self, part: &mut [Write], deadline: Instant) -> Result<(), Failure> {
        let mut ids: Vec<AccountId> = part.iter().filter_map(deleted).cloned().collect();
        ids.sort_unstable();
        ids.dedup();
        let issuers: Vec<_> = ids.iter().map(|id| id.issuer().as_bytes()).collect();
        let subjects: Vec<_> = ids.iter().map(|id| id.subject().as_bytes()).collect();
        let places = self.places(&self.statements.delete, &[&issuers, &subjects], deadline).await?;
        let mut gone: Vec<_> = places.into_iter().filter_map(|place| ids.get(place)).collect();
        gone.sort_unstable();
        for write in part {
            if let Write::Delete(pending) = write {
                // Of two who delete one account the first one has.
                let found = gone.binary_search(&&pending.input);
                pending.outcome = Some(Ok(found.map(|place| gone.remove(place)).is_ok()));
            }
        }
        Ok(())
    }

    async fn set_property(&self, write: &mut Write, deadline: Instant) -> Result<(), Failure> {
        let statements = &self.statements;
        match write {
            Write::Property(pending) => {
                let (name, expected, value) = &pending.input;
                let name = name.as_bytes();
                let changed = match expected {
                    None => self.places(&statements.insert_property, &[&name, value], deadline).await?,
                    Some(expected) => {
                        self.places(&statements.update_property, &[&name, value, expected], deadline).await?
                    }
                };
                let outcome = if changed.is_empty() { SwapOutcome::Conflict } else { SwapOutcome::Swapped };
                pending.outcome = Some(Ok(outcome));
            }
            Write::Probe(pending) => {
                self.places(&statements.probe, &[], deadline).await?;
                pending.outcome = Some(Ok(()));
            }
            Write::Attempt(_) | Write::Swap(_) | Write::Delete(_) => {}
        }
        Ok(())
    }

    /// Runs a statement, and returns what it says that it has done, counted from 0, once that is committed.
    async fn places(
        &self,
        statement: &Statement,
        parameters: &Parameters<'_>,
        deadline: Instant,
    ) -> Result<Vec<usize>, Failure> {
        let mut collisions = 0;
        let row = loop {
            match self.session.commit(deadline, |client| client.query_one(statement, parameters)).await {
                Err(failure) if failure.is_collision() && collisions < MOST_COLLISIONS => collisions += 1,
                answer => break answer?,
            }
        };
        let settings: &str = row.try_get(1)?;
        if settings != EXPECTED {
            return Err(Failure::Unsettled(settings.to_owned()));
        }
        let places: Option<Vec<i64>> = row.try_get(0)?;
        let places = places.unwrap_or_default().into_iter();
        Ok(places.filter_map(|place| usize::try_from(place.checked_sub(1)?).ok()).collect())
    }
}

fn attempted(write: &mut Write) -> Option<&mut PendingAttempt> {
    match write {
        Write::Attempt(pending) => Some(pending),
        _ => None,
    }
}

fn swaps_of(write: &Write) -> &[Swap] {
    match write {
        Write::Swap(pending) => &pending.input,
        _ => &[],
    }
}

fn deleted(write: &Write) -> Option<&AccountId> {
    match write {
        Write::Delete(pending) => Some(&pending.input),
        _ => None,
    }
}
