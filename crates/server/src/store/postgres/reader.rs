//! Reads groups on one connection. Must never take a guard and a vault from two snapshots.

use super::super::batch::settle_all;
use super::super::requests::{Page, Read};
use super::connect::Connector;
use super::failure::Failure;
use super::load::{account, damaged, load};
use super::open_error::OpenError;
use super::serve::{Worker, deadline};
use super::session::Session;
use super::statements::Reads;
use einmal_core::account::AccountId;
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
        let ids: Vec<_> = group.iter().flat_map(loaded).collect();
        let found = load(&self.session, &self.statements.load, &ids, deadline).await?;
        let mut found = found.into_iter().map(|found| found.map_err(|failure| failure.of_store(&self.store)));
        for read in group {
            if let Read::Load(pending) = read {
                pending.outcome = Some(found.by_ref().take(pending.input.len()).collect());
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

fn id(row: &Row, first: usize) -> Result<AccountId, Failure> {
    let text = |column: usize| {
        let bytes: &[u8] = row.try_get(column).map_err(damaged)?;
        std::str::from_utf8(bytes).map_err(damaged)
    };
    Ok(AccountId::new(text(first)?, text(first + 1)?))
}
