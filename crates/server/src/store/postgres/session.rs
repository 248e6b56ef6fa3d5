//! A connection, and the waits on it. Must never wait without a deadline, never ask the server to cancel anything (it
//! could be a commit that waits for a standby, which would then be answered as if it had been replicated), and never
//! overlook a warning.

use super::failure::Failure;
use std::future::{Future, poll_fn};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_postgres::error::{DbError, Severity};
use tokio_postgres::tls::TlsStream;
use tokio_postgres::types::ToSql;
use tokio_postgres::{AsyncMessage, Client, Connection, Error, Socket};

/// For a good-bye: a server that finds its clients gone without one writes that to its log.
const GOODBYE: Duration = Duration::from_millis(500);

const WAITS: &str =
    "SELECT count(*) > 0 FROM pg_catalog.pg_stat_activity WHERE pid = $1 AND wait_event = 'SyncRep'";

/// Dropping it closes the connection at once, whatever is going on on it.
pub(super) struct Session {
    /// The server's process at the other end.
    pub(super) backend: i32,
    client: Option<Client>,
    said: Arc<Said>,
    driver: JoinHandle<()>,
}

/// What the server said without being asked.
#[derive(Default)]
struct Said(Mutex<Unasked>);

#[derive(Default)]
struct Unasked {
    /// The last warning, until somebody has taken it.
    warning: Option<String>,
    end: Option<String>,
}

impl Session {
    /// Needs a running runtime.
    pub(super) fn new<S>(client: Client, connection: Connection<Socket, S>) -> Self
    where
        S: TlsStream + Unpin + Send + 'static,
    {
        let said = Arc::new(Said::default());
        let driver = tokio::spawn(drive(connection, Arc::clone(&said)));
        Self { backend: 0, client: Some(client), said, driver }
    }

    pub(super) fn is_closed(&self) -> bool {
        self.client.as_ref().is_none_or(Client::is_closed)
    }

    /// Waits for an answer until `deadline`. After a failure that does not leave the connection it must be
    /// dropped.
    pub(super) async fn ask<'a, T, F>(
        &'a self,
        deadline: Instant,
        question: impl FnOnce(&'a Client) -> F,
    ) -> Result<T, Failure>
    where
        F: Future<Output = Result<T, Error>>,
    {
        let gone = || Failure::Lost(self.said.end().unwrap_or_else(|| "the connection is closed".to_owned()));
        let client = self.client.as_ref().ok_or_else(gone)?;
        let patience = deadline.duration_since(Instant::now());
        match timeout_at(deadline, question(client)).await {
            Err(_) => Err(Failure::deadline(patience)),
            Ok(Err(error)) if error.is_closed() => Err(gone()),
            Ok(answer) => Ok(answer?),
        }
    }

    /// Whether a process of the server still waits for a standby, with a commit that was given up on.
    pub(super) async fn sees_waiting(&self, backend: i32, deadline: Instant) -> Result<bool, Failure> {
        let parameters: [&(dyn ToSql + Sync); 1] = [&backend];
        let row = self.ask(deadline, |client| client.query_one(WAITS, &parameters)).await?;
        Ok(row.try_get(0)?)
    }

    /// The same of what commits: it is an answer only if the server did not warn of anything meanwhile.
    ///
    /// The commit of a statement comes after its rows, so `question` must wait for more than these: all ways of
    /// `Client` to ask end when the server is ready for the next question, and a warning is on the way before that.
    pub(super) async fn commit<'a, T, F>(
        &'a self,
        deadline: Instant,
        question: impl FnOnce(&'a Client) -> F,
    ) -> Result<T, Failure>
    where
        F: Future<Output = Result<T, Error>>,
    {
        self.said.take_warning();
        let answer = self.ask(deadline, question).await?;
        match self.said.take_warning() {
            None => Ok(answer),
            Some(warning) => Err(Failure::Warned(warning)),
        }
    }

    /// Ends it as the protocol wants it, if that takes no time.
    pub(super) async fn close(mut self) {
        self.client = None;
        let _ = timeout(GOODBYE, &mut self.driver).await;
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl Said {
    fn with<T>(&self, change: impl FnOnce(&mut Unasked) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn take_warning(&self) -> Option<String> {
        self.with(|unasked| unasked.warning.take())
    }

    fn end(&self) -> Option<String> {
        self.with(|unasked| unasked.end.clone())
    }
}

/// A notice is noted before what comes after it is passed on.
async fn drive<S>(mut connection: Connection<Socket, S>, said: Arc<Said>)
where
    S: TlsStream + Unpin,
{
    while let Some(message) = poll_fn(|context| connection.poll_message(context)).await {
        match message {
            Ok(AsyncMessage::Notice(notice)) if !is_harmless(&notice) => {
                let text = format!("{}: {}", notice.severity(), notice.message());
                said.with(|unasked| unasked.warning = Some(text));
            }
            Ok(_) => {}
            Err(error) => {
                said.with(|unasked| unasked.end = Some(Failure::from(error).to_string()));
                return;
            }
        }
    }
}

fn is_harmless(notice: &DbError) -> bool {
    match notice.parsed_severity() {
        Some(severity) => {
            matches!(severity, Severity::Notice | Severity::Debug | Severity::Info | Severity::Log)
        }
        // In the server's language, from before PostgreSQL 9.6 or something that is like it.
        None => matches!(notice.severity(), "NOTICE" | "DEBUG" | "INFO" | "LOG"),
    }
}
