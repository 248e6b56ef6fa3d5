//! Reading an account: both parts of it at once, and damage that is of one account alone.

use super::super::{SealedAccount, SealedPart, StoreError};
use super::link::Link;
use einmal_core::account::AccountId;
use rusqlite::types::{Type, ValueRef};
use rusqlite::{Connection, Error, ErrorCode, Row, Statement, params};

// Joined from the left: a guard without its vault is damage and not an absent account.
pub(super) const COLUMNS: &str =
    "SELECT guard.version, guard.key_id, guard.sealed, vault.version, vault.key_id, vault.sealed,
    guard.issuer, guard.subject
    FROM guard LEFT JOIN vault ON vault.issuer = guard.issuer AND vault.subject = guard.subject";

/// Prepared on one connection.
pub(super) struct Load<'a>(Statement<'a>);

impl<'a> Load<'a> {
    pub(super) fn prepare(connection: &'a Connection) -> rusqlite::Result<Self> {
        let sql = format!("{COLUMNS} WHERE guard.issuer = ?1 AND guard.subject = ?2");
        connection.prepare(&sql).map(Self)
    }

    pub(super) fn one(&mut self, id: &AccountId) -> rusqlite::Result<Option<SealedAccount>> {
        let mut rows = self.0.query(params![id.issuer(), id.subject()])?;
        rows.next()?.map(account).transpose()
    }
}

/// A damaged row fails whoever asked for it and not the whole group: whoever may ask for one would otherwise
/// keep everybody from their accounts. So does a damaged page on the way to it; others may not come by there, and whoever
/// does is told the same. What SQLite could not read from the disk it calls damaged, too.
pub(super) fn alone<T>(link: &Link, answer: rusqlite::Result<T>) -> rusqlite::Result<Result<T, StoreError>> {
    match answer {
        Err(error) if is_damage(&error) || !Link::is_of_connection(&error) => Ok(Err(link.failure(&error))),
        answer => answer.map(Ok),
    }
}

/// A read that meets it leaves its connection as it was. In its transaction SQLite lets others read, and nobody write.
pub(super) fn is_damage(error: &Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::DatabaseCorrupt)
}

pub(super) fn account(row: &Row<'_>) -> rusqlite::Result<SealedAccount> {
    if row.get_ref(3)? == ValueRef::Null {
        return Err(Error::FromSqlConversionFailure(3, Type::Null, "a guard without a vault".into()));
    }
    Ok(SealedAccount { guard: part(row, 0)?, vault: part(row, 3)? })
}

fn part(row: &Row<'_>, first: usize) -> rusqlite::Result<SealedPart> {
    let version: i64 = row.get(first)?;
    Ok(SealedPart {
        version: version.cast_unsigned(),
        key_id: row.get(first + 1)?,
        sealed: row.get(first + 2)?,
    })
}
