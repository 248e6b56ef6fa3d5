//! Reads groups on one connection. Must never take a guard and a vault from two snapshots.

use super::super::batch::settle_all;
use super::super::requests::{Page, Read};
use super::super::{SealedAccount, SealedPart, StoreError};
use super::connect::Connector;
use super::failure::Failure;
use super::open_error::OpenError;
use super::serve::{Worker, deadline};
use super::session::Session;
use super::statements::Reads;
use einmal_core::account::AccountId;
use std::collections::HashMap;
use tokio::time::Instant;
use tokio_postgres::Row;

pub(super) struct Reader {
    session: Session,
    statements: Reads,
    store: String,
}

impl Worker for Reader {
    type Request = Read;

    async fn open(connector: &Connector) -> Result<Self, OpenError> {
        let session = connector.connect().await?;
        let statements = Reads::prepare(&session, deadline()).await;
        let statements = statements.map_err(|failure| OpenError::failed(&connector.name, &failure))?;
        Ok(Self { session, statements, store: connector.name.clone() })
    }

    async fn carry_out(&self, group: &mut Vec<Read>) -> Result<(), Failure> {
        let deadline = deadline();
        self.load(group, deadline).await?;
        for read in group.iter_mut() {
            self.read(read, deadline).await?;
        }
        settle_all(group, None);
        Ok(())
    }

    fn session(&self) -> &Session {
        &self.session
    }

    async fn close(self) {
        self.session.close().await;
    }
}

impl Reader {
    /// What all loads of the group ask for is one statement.
    async fn load(&self, group: &mut [Read], deadline: Instant) -> Result<(), Failure> {
        let mut places: HashMap<&AccountId, usize> = HashMap::new();
        let (mut issuers, mut subjects) = (Vec::new(), Vec::new());
        for id in group.iter().flat_map(loaded) {
            places.entry(id).or_insert_with(|| {
                issuers.push(id.issuer().as_bytes());
                subjects.push(id.subject().as_bytes());
                issuers.len() - 1
            });
        }
        let mut found: Vec<Result<Option<SealedAccount>, Failure>> = Vec::new();
        found.resize_with(issuers.len(), || Ok(None));
        if !issuers.is_empty() {
            let (statement, parameters) = (&self.statements.load, [&issuers as _, &subjects as _]);
            let answer = self.session.ask(deadline, |client| client.query(statement, &parameters));
            for row in answer.await? {
                let place: i64 = row.try_get(6)?;
                let place = place.checked_sub(1).and_then(|place| usize::try_from(place).ok());
                if let Some(found) = place.and_then(|place| found.get_mut(place)) {
                    *found = account(&row).map(Some);
                }
            }
        }
        let of = |id: &AccountId| {
            let found = places.get(id).and_then(|place| found.get(*place)).cloned();
            found.unwrap_or(Ok(None)).map_err(|failure| failure.of_store(&self.store))
        };
        let answers: Vec<Result<Vec<_>, StoreError>> =
            group.iter().map(|read| loaded(read).iter().map(of).collect()).collect();
        for (read, answer) in group.iter_mut().zip(answers) {
            if let Read::Load(pending) = read {
                pending.outcome = Some(answer);
            }
        }
        Ok(())
    }

    async fn read(&self, read: &mut Read, deadline: Instant) -> Result<(), Failure> {
        let statements = &self.statements;
        match read {
            Read::Load(_) => {}
            Read::Scan(pending) => {
                let (statement, after) = (&statements.scan, &statements.scan_after);
                let rows = self.page(&pending.input, statement, after, deadline).await?;
                let page: Result<Page, Failure> =
                    rows.iter().map(|row| Ok((id(row, 6)?, account(row)?))).collect();
                pending.outcome = Some(page.map_err(|failure| failure.of_store(&self.store)));
            }
            Read::Ids(pending) => {
                let (statement, after) = (&statements.ids, &statements.ids_after);
                let rows = self.page(&pending.input, statement, after, deadline).await?;
                let page: Result<Vec<_>, Failure> = rows.iter().map(|row| id(row, 0)).collect();
                pending.outcome = Some(page.map_err(|failure| failure.of_store(&self.store)));
            }
            Read::Property(pending) => {
                let (statement, name) = (&statements.property, [&pending.input.as_bytes() as _]);
                let row = self.session.ask(deadline, |client| client.query_opt(statement, &name)).await?;
                pending.outcome = Some(Ok(row.map(|row| row.try_get(0)).transpose()?));
            }
        }
        Ok(())
    }

    async fn page(
        &self,
        (from, limit): &(Option<AccountId>, usize),
        statement: &tokio_postgres::Statement,
        after: &tokio_postgres::Statement,
        deadline: Instant,
    ) -> Result<Vec<Row>, Failure> {
        let limit = i64::try_from(*limit).unwrap_or(i64::MAX);
        let (issuer, subject) =
            from.as_ref().map(|id| (id.issuer().as_bytes(), id.subject().as_bytes())).unzip();
        let (first, all) = ([&limit as _], [&limit as _, &issuer as _, &subject as _]);
        let question = if from.is_none() { (statement, &first[..]) } else { (after, &all[..]) };
        self.session.ask(deadline, |client| client.query(question.0, question.1)).await
    }
}

fn loaded(read: &Read) -> &[AccountId] {
    match read {
        Read::Load(pending) => &pending.input,
        _ => &[],
    }
}

/// A damaged row fails whoever asked for it and not the whole group: whoever may ask for one would otherwise keep
/// everybody from their accounts.
fn damaged(error: impl std::fmt::Display) -> Failure {
    Failure::Damaged(error.to_string())
}

fn id(row: &Row, first: usize) -> Result<AccountId, Failure> {
    let text = |column: usize| {
        let bytes: &[u8] = row.try_get(column).map_err(damaged)?;
        std::str::from_utf8(bytes).map_err(damaged)
    };
    Ok(AccountId::new(text(first)?, text(first + 1)?))
}

fn account(row: &Row) -> Result<SealedAccount, Failure> {
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
