//! The one thread that writes: what has queued up becomes one transaction. Must never answer before the
//! commit has returned, and never find out by reading what became of one that failed.

use super::super::attempt::PendingAttempt;
use super::super::batch::{Queue, settle_all};
use super::super::requests::Write;
use super::super::{Expected, SealedPart, StoreError, Swap, SwapOutcome};
use super::checkpoint::LogWatch;
use super::fence::{self, Pass};
use super::link::Link;
use super::load::{Load, alone, is_damage};
use einmal_core::account::AccountId;
use rusqlite::{Error, Statement, ffi, params};

/// Commits groups on one connection until there are no more, or something fails.
pub(super) fn session(
    mut link: Link,
    pass: &Pass,
    log: &mut LogWatch,
    queue: &mut Queue<Write>,
    group: &mut Vec<Write>,
) -> Result<(), StoreError> {
    if let Err(error) = log.watch(&mut link.connection) {
        return Err(link.failure(&error));
    }
    let failed = |error| link.failure(&error);
    pass.declare(&link.connection).map_err(failed)?;
    let mut statements = Statements::prepare(&link).map_err(failed)?;
    loop {
        link.check_in_place()?;
        match statements.commit(group, pass) {
            // The connection is as good as before.
            Err(error) if fence::has_refused(&error) => settle_all(group, Some(&link.failure(&error))),
            committed => committed.map_err(failed)?,
        }
        // Once more: the commit may have waited for seconds, and must not be answered for a file that has gone.
        link.check_in_place()?;
        settle_all(group, None);
        log.after_commit(&link.connection).map_err(failed)?;
        if !queue.next_group_blocking(group) {
            return Ok(());
        }
    }
}

/// What a group has been through that was begun once more.
#[derive(Default)]
struct SoFar {
    /// Of the first so many, attempts have decided.
    decided: usize,
    damaged: Vec<(AccountId, StoreError)>,
}

struct Statements<'a> {
    link: &'a Link,
    begin: Statement<'a>,
    commit: Statement<'a>,
    rollback: Statement<'a>,
    load: Load<'a>,
    insert_guard: Statement<'a>,
    update_guard: Statement<'a>,
    put_vault: Statement<'a>,
    delete_guard: Statement<'a>,
    delete_vault: Statement<'a>,
    insert_property: Statement<'a>,
    update_property: Statement<'a>,
    probe: Statement<'a>,
}

impl<'a> Statements<'a> {
    fn prepare(link: &'a Link) -> rusqlite::Result<Self> {
        let prepare = |sql| link.connection.prepare(sql);
        Ok(Self {
            link,
            begin: prepare("BEGIN IMMEDIATE")?,
            commit: prepare("COMMIT")?,
            rollback: prepare("ROLLBACK")?,
            load: Load::prepare(&link.connection)?,
            insert_guard: prepare(
                "INSERT INTO guard (issuer, subject, version, key_id, sealed) VALUES (?1, ?2, ?3, ?4, ?5)
                 ON CONFLICT DO NOTHING",
            )?,
            update_guard: prepare(
                "UPDATE guard SET version = ?3, key_id = ?4, sealed = ?5
                 WHERE issuer = ?1 AND subject = ?2 AND version = ?6",
            )?,
            put_vault: prepare(
                "INSERT INTO vault (issuer, subject, version, key_id, sealed) VALUES (?1, ?2, ?3, ?4, ?5)
                 ON CONFLICT DO UPDATE SET version = excluded.version, key_id = excluded.key_id, sealed = excluded.sealed",
            )?,
            delete_guard: prepare("DELETE FROM guard WHERE issuer = ?1 AND subject = ?2")?,
            delete_vault: prepare("DELETE FROM vault WHERE issuer = ?1 AND subject = ?2")?,
            insert_property: prepare(
                "INSERT INTO property (name, value) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
            )?,
            update_property: prepare("UPDATE property SET value = ?2 WHERE name = ?1 AND value = ?3")?,
            // The value changes each time: SQLite writes no page, and so syncs nothing, for a row that stays as it was.
            probe: prepare(
                "INSERT INTO property (name, value) VALUES ('probe', x'00')
                 ON CONFLICT DO UPDATE SET value = CASE value WHEN x'00' THEN x'01' ELSE x'00' END",
            )?,
        })
    }

    fn commit(&mut self, group: &mut [Write], pass: &Pass) -> rusqlite::Result<()> {
        let mut so_far = SoFar::default();
        loop {
            self.begin.execute(())?;
            let is_let_in = pass.is_let_in(&self.link.connection);
            let written = is_let_in.and_then(|()| self.write_all(group, &mut so_far));
            let ended = written.and_then(|is_whole| {
                let end = if is_whole { &mut self.commit } else { &mut self.rollback };
                end.execute(()).map(|_| is_whole)
            });
            match ended {
                Ok(true) => return Ok(()),
                Ok(false) => {}
                Err(error) => {
                    // Some errors have rolled back already; what matters is that the lock is given up.
                    let _ = self.rollback.execute(());
                    return Err(error);
                }
            }
        }
    }

    /// `false` where an attempt has met damage: it has its answer, and SQLite takes no more writes in this transaction. What
    /// came before it is to be written once more in another one.
    fn write_all(&mut self, group: &mut [Write], so_far: &mut SoFar) -> rusqlite::Result<bool> {
        for (place, write) in group.iter_mut().enumerate() {
            match write {
                Write::Attempt(pending) if place < so_far.decided => self.repeat(pending)?,
                Write::Attempt(pending) => {
                    so_far.decided = place + 1;
                    if !self.attempt(pending, &mut so_far.damaged)? {
                        return Ok(false);
                    }
                }
                write => self.write(write)?,
            }
        }
        Ok(true)
    }

    fn write(&mut self, write: &mut Write) -> rusqlite::Result<()> {
        match write {
            Write::Attempt(_) => {}
            Write::Swap(pending) => {
                let outcomes: rusqlite::Result<_> =
                    pending.input.iter().map(|swap| self.swap(swap)).collect();
                pending.outcome = Some(Ok(outcomes?));
            }
            Write::Delete(pending) => {
                pending.outcome = Some(Ok(self.delete(&pending.input)?));
            }
            Write::Property(pending) => {
                let (name, expected, value) = &pending.input;
                let changed = match expected {
                    None => self.insert_property.execute(params![name, value])?,
                    Some(expected) => self.update_property.execute(params![name, value, expected])?,
                };
                let outcome = if changed == 1 { SwapOutcome::Swapped } else { SwapOutcome::Conflict };
                pending.outcome = Some(Ok(outcome));
            }
            Write::Probe(pending) => {
                self.probe.execute(())?;
                pending.outcome = Some(Ok(()));
            }
        }
        Ok(())
    }

    /// What it sees is what the group has written so far, all of which comes about or nothing of it. `false` where it has
    /// met damage, which it adds to what is known.
    fn attempt(
        &mut self,
        pending: &mut PendingAttempt,
        damaged: &mut Vec<(AccountId, StoreError)>,
    ) -> rusqlite::Result<bool> {
        let Some(id) = pending.id() else { return Ok(true) };
        if let Some((_, error)) = damaged.iter().find(|(damaged, _)| damaged == id) {
            pending.outcome = Some(Err(error.clone()));
            return Ok(true);
        }
        let loaded = self.load.one(id);
        let is_damage = loaded.as_ref().is_err_and(is_damage);
        match alone(self.link, loaded)? {
            Err(error) => {
                if is_damage {
                    damaged.push((id.clone(), error.clone()));
                }
                pending.outcome = Some(Err(error));
            }
            Ok(stored) => {
                if let Some(swap) = pending.decide(stored) {
                    pending.outcome = Some(Ok(Some(self.swap(&swap)?)));
                    pending.swap = Some(swap);
                }
            }
        }
        Ok(!is_damage)
    }

    /// Writes what it has decided on once more. Should that go otherwise, because another process was in between, others in
    /// its group may have seen what never came about: then it comes to nothing.
    fn repeat(&mut self, pending: &PendingAttempt) -> rusqlite::Result<()> {
        let Some(swap) = &pending.swap else { return Ok(()) };
        let outcome = self.swap(swap)?;
        if matches!(pending.outcome, Some(Ok(Some(first))) if first == outcome) {
            return Ok(());
        }
        let reason = "another process wrote while a damaged account was left out".to_owned();
        Err(Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_BUSY), Some(reason)))
    }

    fn swap(&mut self, swap: &Swap) -> rusqlite::Result<SwapOutcome> {
        let (issuer, subject) = (swap.id.issuer(), swap.id.subject());
        let SealedPart { version, key_id, sealed } = &swap.guard;
        let version = version.cast_signed();
        let changed = match swap.expected {
            Expected::Absent => {
                self.insert_guard.execute(params![issuer, subject, version, key_id, sealed])?
            }
            Expected::Version(expected) => self.update_guard.execute(params![
                issuer,
                subject,
                version,
                key_id,
                sealed,
                expected.cast_signed()
            ])?,
        };
        if changed != 1 {
            return Ok(SwapOutcome::Conflict);
        }
        if let Some(SealedPart { version, key_id, sealed }) = &swap.vault {
            self.put_vault.execute(params![issuer, subject, version.cast_signed(), key_id, sealed])?;
        }
        Ok(SwapOutcome::Swapped)
    }

    fn delete(&mut self, id: &AccountId) -> rusqlite::Result<bool> {
        let (issuer, subject) = (id.issuer(), id.subject());
        let guards = self.delete_guard.execute(params![issuer, subject])?;
        let vaults = self.delete_vault.execute(params![issuer, subject])?;
        Ok(guards + vaults > 0)
    }
}
