//! Reading accounts: any number by one statement, both parts of each, and damage that is of one account alone.

use super::super::{SealedAccount, SealedPart};
use super::failure::Failure;
use super::session::Session;
use einmal_core::account::AccountId;
use tokio::time::Instant;
use tokio_postgres::{Row, Statement};

/// What is there of each, in the order of `ids`; a damaged account is a failure of its own.
pub(super) async fn load(
    session: &Session,
    statement: &Statement,
    ids: &[&AccountId],
    deadline: Instant,
) -> Result<Vec<Result<Option<SealedAccount>, Failure>>, Failure> {
    let mut found = Vec::new();
    found.resize_with(ids.len(), || Ok(None));
    if ids.is_empty() {
        return Ok(found);
    }
    let (issuers, subjects) = keys(ids);
    let parameters = [&issuers as _, &subjects as _];
    for row in session.ask(deadline, |client| client.query(statement, &parameters)).await? {
        let place: i64 = row.try_get(6)?;
        let place = place.checked_sub(1).and_then(|place| usize::try_from(place).ok());
        if let Some(found) = place.and_then(|place| found.get_mut(place)) {
            *found = account(&row).map(Some);
        }
    }
    Ok(found)
}

/// As statements take them: two arrays.
pub(super) fn keys<'a>(ids: &[&'a AccountId]) -> (Vec<&'a [u8]>, Vec<&'a [u8]>) {
    ids.iter().map(|id| (id.issuer().as_bytes(), id.subject().as_bytes())).unzip()
}

/// A damaged row fails whoever asked for it and not the whole group: whoever may ask for one would otherwise keep
/// everybody from their accounts.
pub(super) fn damaged(error: impl std::fmt::Display) -> Failure {
    Failure::Damaged(error.to_string())
}

pub(super) fn account(row: &Row) -> Result<SealedAccount, Failure> {
    if row.try_get::<_, Option<i64>>(3).map_err(damaged)?.is_none() {
        return Err(damaged("a guard without a vault"));
    }
    Ok(SealedAccount { guard: part(row, 0)?, vault: part(row, 3)? })
}

fn part(row: &Row, first: usize) -> Result<SealedPart, Failure> {
    let version: i64 = row.try_get(first).map_err(damaged)?;
    let key_id: i64 = row.try_get(first + 1).map_err(damaged)?;
    let sealed: &[u8] = row.try_get(first + 2).map_err(damaged)?;
    let key_id = u32::try_from(key_id).map_err(|_| damaged(format_args!("{key_id} is no key id")))?;
    Ok(SealedPart { version: version.cast_unsigned(), key_id, sealed: sealed.to_vec() })
}
