//! The one thread that reads: what has queued up is answered from one snapshot. Must never take a guard and
//! a vault from two, and never hold the snapshot while it waits.

use super::super::StoreError;
use super::super::batch::{Queue, settle_all};
use super::super::requests::{Page, Read};
use super::gate::Gate;
use super::link::Link;
use super::load::{COLUMNS, Load, account, alone};
use einmal_core::account::AccountId;
use rusqlite::{Connection, Row, Rows, Statement, params};

/// Answers groups on one connection until there are no more, or something fails.
pub(super) fn session(
    link: &Link,
    gate: &Gate,
    queue: &mut Queue<Read>,
    group: &mut Vec<Read>,
) -> Result<(), StoreError> {
    let failed = |error| link.failure(&error);
    let mut statements = Statements::prepare(&link.connection).map_err(failed)?;
    loop {
        link.check_in_place()?;
        let inside = gate.enter();
        statements.read(link, group).map_err(failed)?;
        drop(inside);
        settle_all(group, None);
        if !queue.next_group_blocking(group) {
            return Ok(());
        }
    }
}

struct Statements<'a> {
    begin: Statement<'a>,
    end: Statement<'a>,
    load: Load<'a>,
    scan: Statement<'a>,
    scan_after: Statement<'a>,
    ids: Statement<'a>,
    ids_after: Statement<'a>,
    property: Statement<'a>,
}

impl<'a> Statements<'a> {
    fn prepare(connection: &'a Connection) -> rusqlite::Result<Self> {
        let ids = "SELECT guard.issuer, guard.subject FROM guard";
        let after = "WHERE (guard.issuer, guard.subject) > (?2, ?3)";
        let order = "ORDER BY guard.issuer, guard.subject LIMIT ?1";
        Ok(Self {
            begin: connection.prepare("BEGIN")?,
            // There is nothing to commit, and whoever has met damage would not be let.
            end: connection.prepare("ROLLBACK")?,
            load: Load::prepare(connection)?,
            scan: connection.prepare(&format!("{COLUMNS} {order}"))?,
            scan_after: connection.prepare(&format!("{COLUMNS} {after} {order}"))?,
            ids: connection.prepare(&format!("{ids} {order}"))?,
            ids_after: connection.prepare(&format!("{ids} {after} {order}"))?,
            property: connection.prepare("SELECT value FROM property WHERE name = ?1")?,
        })
    }

    fn read(&mut self, link: &Link, group: &mut [Read]) -> rusqlite::Result<()> {
        // The snapshot is taken by the first SELECT: after everybody in the group had asked.
        self.begin.execute(())?;
        for read in group {
            match read {
                Read::Load(pending) => {
                    let accounts = pending.input.iter().map(|id| self.load.one(id)).collect();
                    pending.outcome = Some(alone(link, accounts)?);
                }
                Read::Scan(pending) => {
                    let (after, limit) = &pending.input;
                    pending.outcome = Some(alone(link, self.scan(after.as_ref(), *limit))?);
                }
                Read::Ids(pending) => {
                    let (after, limit) = &pending.input;
                    pending.outcome = Some(alone(link, self.ids(after.as_ref(), *limit))?);
                }
                Read::Property(pending) => {
                    pending.outcome = Some(alone(link, self.property(pending.input))?);
                }
            }
        }
        self.end.execute(())?;
        Ok(())
    }

    fn property(&mut self, name: &str) -> rusqlite::Result<Option<Vec<u8>>> {
        let mut rows = self.property.query(params![name])?;
        rows.next()?.map(|row| row.get(0)).transpose()
    }

    fn scan(&mut self, after: Option<&AccountId>, limit: usize) -> rusqlite::Result<Page> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        match after {
            None => page(self.scan.query(params![limit])?),
            Some(id) => page(self.scan_after.query(params![limit, id.issuer(), id.subject()])?),
        }
    }

    fn ids(&mut self, after: Option<&AccountId>, limit: usize) -> rusqlite::Result<Vec<AccountId>> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows = match after {
            None => self.ids.query(params![limit])?,
            Some(id) => self.ids_after.query(params![limit, id.issuer(), id.subject()])?,
        };
        rows.mapped(|row| id(row, 0)).collect()
    }
}

fn id(row: &Row<'_>, first: usize) -> rusqlite::Result<AccountId> {
    Ok(AccountId::new(row.get_ref(first)?.as_str()?, row.get_ref(first + 1)?.as_str()?))
}

fn page(mut rows: Rows<'_>) -> rusqlite::Result<Page> {
    let mut page = Page::new();
    while let Some(row) = rows.next()? {
        page.push((id(row, 6)?, account(row)?));
    }
    Ok(page)
}
