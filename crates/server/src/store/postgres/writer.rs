//! Writes groups on one connection. Must never report a write before the server has acknowledged its commit without a
//! warning, never find out by reading what became of one that failed, and never let an account that somebody else holds
//! cost others their answers.

use super::super::attempt::PendingAttempt;
use super::super::batch::settle_all;
use super::super::requests::Write;
use super::super::{StoreError, Swap, SwapOutcome};
use super::connect::{Connector, EXPECTED};
use super::failure::Failure;
use super::load::{keys, load};
use super::open_error::OpenError;
use super::patience::Patience;
use super::rounds::{Columns, Placed, rounds};
use super::serve::{Worker, deadline};
use super::session::Session;
use super::statements::Writes;
use einmal_core::account::AccountId;
use tokio_postgres::ToStatement;
use tokio_postgres::types::ToSql;

/// How often a statement is repeated that others were in the way of.
const MOST_COLLISIONS: u32 = 5;

pub(super) struct Writer {
    session: Session,
    statements: Writes,
    pub(super) store: String,
}

type Parameters<'a> = [&'a (dyn ToSql + Sync)];
type Swapped = Result<SwapOutcome, StoreError>;

/// What a group can have, in the order in which it is carried out: one kind after the other, so that all of a kind is
/// one statement. Whoever is in a group has not been answered yet, so that any order between them is right. A probe wants
/// no account, and does not wait for those that somebody holds.
const KINDS: [fn(&Write) -> bool; 5] = [
    |write| matches!(write, Write::Probe(_)),
    |write| matches!(write, Write::Attempt(_)),
    |write| matches!(write, Write::Swap(_)),
    |write| matches!(write, Write::Delete(_)),
    |write| matches!(write, Write::Property(_)),
];

impl Worker for Writer {
    type Request = Write;

    async fn open(connector: &Connector) -> Result<Self, OpenError> {
        let session = connector.connect().await?;
        let statements = Writes::prepare(&session, connector.pass(), deadline()).await;
        let statements = statements.map_err(|failure| OpenError::failed(&connector.name, &failure))?;
        Ok(Self { session, statements, store: connector.name.clone() })
    }

    /// What is left in the group after a failure was not carried out, or may not have been. A lost wait is one of its own
    /// kind alone.
    async fn carry_out(&self, group: &mut Vec<Write>) -> Result<(), Failure> {
        let mut patience = Patience::until(deadline());
        let mut lost = Ok(());
        for is_of_kind in KINDS {
            let mut part: Vec<_> = group.extract_if(.., |write| is_of_kind(write)).collect();
            let carried_out = self.write(&mut part, &mut patience).await;
            let failure = carried_out.as_ref().err().map(|failure| failure.of_store(&self.store));
            settle_all(&mut part, failure.as_ref());
            match carried_out {
                Err(failure) if failure.is_lost_wait() => lost = Err(failure),
                carried_out => carried_out?,
            }
        }
        lost
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
    async fn write(&self, part: &mut [Write], patience: &mut Patience) -> Result<(), Failure> {
        match part.first() {
            None => Ok(()),
            Some(Write::Attempt(_)) => self.attempt(part, patience).await,
            Some(Write::Swap(_)) => self.swap(part, patience).await,
            Some(Write::Delete(_)) => self.delete(part, patience).await,
            Some(Write::Property(_) | Write::Probe(_)) => {
                for write in part {
                    self.set_property(write, patience).await?;
                }
                Ok(())
            }
        }
    }

    /// All are loaded by one statement, and what they decide on is written by another: the second one looks again whether
    /// what the first one saw is still there.
    async fn attempt(&self, part: &mut [Write], patience: &mut Patience) -> Result<(), Failure> {
        let attempts = part.iter_mut().filter_map(attempted);
        // What is loaded is given out by its place: one that has ended has none.
        let mut attempts: Vec<_> = attempts.filter(|pending| pending.id().is_some()).collect();
        let ids: Vec<_> = attempts.iter().filter_map(|pending| pending.id()).collect();
        let stored = load(&self.session, &self.statements.load, &ids, patience.deadline).await;
        let stored = stored.inspect_err(|failure| patience.note(failure))?;
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
        let outcomes = self.swap_all(swaps.iter().collect(), patience).await?;
        for (pending, outcome) in writers.into_iter().zip(outcomes) {
            pending.outcome = Some(outcome.map(Some));
        }
        Ok(())
    }

    async fn swap(&self, part: &mut [Write], patience: &mut Patience) -> Result<(), Failure> {
        let outcomes = self.swap_all(part.iter().flat_map(swaps_of).collect(), patience).await?;
        let mut outcomes = outcomes.into_iter();
        for write in part {
            if let Write::Swap(pending) = write {
                let outcomes: Vec<_> = outcomes.by_ref().take(pending.input.len()).collect();
                pending.outcome = Some(outcomes.into_iter().collect());
            }
        }
        Ok(())
    }

    async fn swap_all(&self, swaps: Vec<&Swap>, patience: &mut Patience) -> Result<Vec<Swapped>, Failure> {
        let mut outcomes = vec![Ok(SwapOutcome::Conflict); swaps.len()];
        for round in rounds(swaps.into_iter()) {
            for (list, is_birth) in [(round.births, true), (round.turns, false)] {
                self.swap_list(list, is_birth, &mut outcomes, patience).await?;
            }
        }
        Ok(outcomes)
    }

    /// Those of accounts that somebody else holds fail alone, and the others are asked for again: a statement that lost a
    /// wait has written nothing.
    async fn swap_list(
        &self,
        mut list: Vec<Placed<'_>>,
        is_birth: bool,
        outcomes: &mut [Swapped],
        patience: &mut Patience,
    ) -> Result<(), Failure> {
        let mut put = |place: usize, outcome| {
            if let Some(found) = outcomes.get_mut(place) {
                *found = outcome;
            }
        };
        loop {
            list.retain(|placed| {
                let refusal = patience.refusal(&placed.swap.id);
                refusal.inspect(|failure| put(placed.place, Err(failure.of_store(&self.store)))).is_none()
            });
            if list.is_empty() {
                return Ok(());
            }
            match self.swap_round(&list, is_birth, patience).await {
                Ok(winners) => {
                    for place in winners {
                        put(place, Ok(SwapOutcome::Swapped));
                    }
                    return Ok(());
                }
                Err(failure) => {
                    let ids: Vec<_> = list.iter().map(|placed| &placed.swap.id).collect();
                    self.give_up_held(&ids, failure, patience).await?;
                }
            }
        }
    }

    /// The places of those that were swapped.
    async fn swap_round(
        &self,
        list: &[Placed<'_>],
        is_birth: bool,
        patience: &mut Patience,
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
            self.places(&statements.birth, parameters, patience).await?
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
            self.places(&statements.turn_both, parameters, patience).await?
        } else {
            let parameters: &Parameters<'_> =
                &[&issuers, &subjects, &expected, &guard.versions, &guard.key_ids, &guard.sealed];
            self.places(&statements.turn_guards, parameters, patience).await?
        };
        Ok(won.into_iter().filter_map(|place| list.get(place)).map(|placed| placed.place).collect())
    }

    async fn delete(&self, part: &mut [Write], patience: &mut Patience) -> Result<(), Failure> {
        let wanted: Vec<AccountId> = part.iter().filter_map(deleted).cloned().collect();
        let mut ids: Vec<_> = wanted.iter().collect();
        ids.sort_unstable();
        ids.dedup();
        let mut gone = loop {
            ids.retain(|id| patience.refusal(id).is_none());
            if ids.is_empty() {
                break Vec::new();
            }
            let (issuers, subjects) = keys(&ids);
            match self.places(&self.statements.delete, &[&issuers, &subjects], patience).await {
                Ok(places) => {
                    break places.into_iter().filter_map(|place| ids.get(place).copied()).collect::<Vec<_>>();
                }
                Err(failure) => self.give_up_held(&ids, failure, patience).await?,
            }
        };
        gone.sort_unstable();
        for write in part {
            if let Write::Delete(pending) = write {
                pending.outcome = Some(match patience.refusal(&pending.input) {
                    Some(failure) => Err(failure.of_store(&self.store)),
                    // Of two who delete one account the first one has.
                    None => Ok(gone.binary_search(&&pending.input).map(|place| gone.remove(place)).is_ok()),
                });
            }
        }
        Ok(())
    }

    async fn set_property(&self, write: &mut Write, patience: &mut Patience) -> Result<(), Failure> {
        let statements = &self.statements;
        match write {
            Write::Property(pending) => {
                let (name, expected, value) = &pending.input;
                let name = name.as_bytes();
                let changed = match expected {
                    None => self.places(&statements.insert_property, &[&name, value], patience).await,
                    Some(expected) => {
                        self.places(&statements.update_property, &[&name, value, expected], patience).await
                    }
                };
                pending.outcome = Some(self.alone(changed)?.map(|changed| match changed.first() {
                    None => SwapOutcome::Conflict,
                    Some(_) => SwapOutcome::Swapped,
                }));
            }
            Write::Probe(pending) => {
                let probed = self.places(&statements.probe, &[], patience).await;
                pending.outcome = Some(self.alone(probed)?.map(drop));
            }
            Write::Attempt(_) | Write::Swap(_) | Write::Delete(_) => {}
        }
        Ok(())
    }

    /// Runs a statement, and returns what it says that it has done, counted from 0, once that is committed.
    pub(super) async fn places(
        &self,
        statement: &(impl ToStatement + ?Sized),
        parameters: &Parameters<'_>,
        patience: &mut Patience,
    ) -> Result<Vec<usize>, Failure> {
        patience.allows_more()?;
        let mut collisions = 0;
        let row = loop {
            let answer =
                self.session.commit(patience.deadline, |client| client.query_one(statement, parameters));
            match answer.await {
                Err(failure) if failure.is_collision() && collisions < MOST_COLLISIONS => collisions += 1,
                answer => break answer.inspect_err(|failure| patience.note(failure))?,
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
