//! Makes connections: to the first of the hosts that takes writes, with the settings that promises rest on. Must never
//! hand out one that lacks them.

use super::super::Fence;
use super::durability;
use super::failure::{Failure, chain};
use super::fence;
use super::open_error::OpenError;
use super::session::Session;
use super::tls::Tls;
use crate::config::{Postgres, PostgresHost, PostgresPlace};
use std::time::Duration;
use tokio::time::{Instant, timeout};
use tokio_postgres::config::{SslMode, TargetSessionAttrs};
use tokio_postgres::{Config, SimpleQueryMessage};

/// For one host, from its name to the first answer. With several of them one that is gone must not use up the patience
/// of those who wait.
const HOST_DEADLINE: Duration = Duration::from_secs(2);

/// A peer that has gone silently is found out within some 20 s, also by a connection that nobody uses.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(10);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(3);
const KEEPALIVE_RETRIES: u32 = 3;

/// What every connection sets, whatever the server, the role or the database has.
///
/// - A commit is acknowledged when it is on the disk, and on that of the standbys if there are synchronous ones.
/// - A warning must reach us: that a commit was not waited for is said in one.
/// - A lock that somebody holds forever is given up on by the server before this side drops the connection.
/// - A transaction whose client has stopped in the middle of it gives its locks up. Only a migration has more than one statement.
/// - Conditions are looked at again on the newest row, which is what READ COMMITTED does; stricter levels fail instead.
const SETTINGS: &str = "SET synchronous_commit = on; SET client_min_messages = warning; \
    SET lock_timeout = '1s'; SET idle_in_transaction_session_timeout = '15s'; \
    SET default_transaction_isolation = 'read committed'";

/// The two of them that a promise rests on, as the server answers them: beside each write, too.
pub(super) const SETTLED: &str =
    "current_setting('synchronous_commit') || ' ' || current_setting('client_min_messages')";
pub(super) const EXPECTED: &str = "on warning";

/// The accounts of a batch are found by the primary key also where the planner knows the table as an empty one. Not all
/// engines that speak the protocol have it, and it is about speed alone.
const HINTS: &str = "SET enable_seqscan = off";

pub(super) struct Connector {
    server: Postgres,
    tls: Tls,
    /// As messages name the store.
    pub(super) name: String,
    pass: Option<Fence>,
}

impl Connector {
    pub(super) fn new(server: &Postgres, pass: Option<Fence>) -> Result<Self, OpenError> {
        let name = server.to_string();
        Ok(Self { tls: Tls::new(&server.tls)?, name, server: server.clone(), pass })
    }

    pub(super) fn connections(&self) -> usize {
        self.server.connections
    }

    /// The fence behind which it writes.
    pub(super) fn pass(&self) -> Option<&Fence> {
        self.pass.as_ref()
    }

    pub(super) fn requires_synchronous(&self) -> bool {
        self.server.require_synchronous
    }

    /// For batches.
    pub(super) async fn connect(&self) -> Result<Session, OpenError> {
        let session = self.connect_plainly().await?;
        if self.server.require_synchronous {
            let doubts = durability::doubts(&session, true).await;
            let doubts = doubts.map_err(|failure| OpenError::failed(&self.name, &failure))?;
            if !doubts.is_empty() {
                return Err(OpenError::NotSynchronous {
                    store: self.name.clone(),
                    reasons: doubts.join("; "),
                });
            }
        }
        let hinted = session.ask(soon(), |client| client.batch_execute(HINTS)).await;
        match hinted {
            Ok(()) | Err(Failure::Refused { .. }) => Ok(session),
            Err(failure) => Err(OpenError::failed(&self.name, &failure)),
        }
    }

    /// For whatever may read whole tables.
    pub(super) async fn connect_plainly(&self) -> Result<Session, OpenError> {
        let mut reasons = Vec::new();
        for host in &self.server.hosts {
            let connected = timeout(HOST_DEADLINE, self.connect_to(host)).await;
            match connected.unwrap_or_else(|_| Err(Failure::deadline(HOST_DEADLINE))) {
                Ok(session) => return Ok(session),
                Err(failure) => reasons.push(format!("{host}: {failure}")),
            }
        }
        Err(OpenError::Unreachable { store: self.name.clone(), reason: reasons.join("; ") })
    }

    async fn connect_to(&self, host: &PostgresHost) -> Result<Session, Failure> {
        let connected = self.config(host).connect(self.tls.connector.clone()).await;
        let (client, connection) = connected.map_err(|error| match error.as_db_error() {
            Some(_) => Failure::from(error),
            None => Failure::Lost(chain(&error)),
        })?;
        let mut session = Session::new(client, connection);
        session.ask(soon(), |client| client.batch_execute(SETTINGS)).await?;
        if let Some(fence) = &self.pass {
            let pass = fence::pass(fence);
            session.ask(soon(), |client| client.batch_execute(&pass)).await?;
        }
        let question = format!("SELECT {SETTLED}, pg_backend_pid()");
        let answer = session.ask(soon(), |client| client.simple_query(&question)).await?;
        let row = answer.iter().find_map(|message| match message {
            SimpleQueryMessage::Row(row) => Some(row),
            _ => None,
        });
        let value = |column| row.and_then(|row| row.try_get(column).ok().flatten()).unwrap_or_default();
        if value(0) != EXPECTED {
            return Err(Failure::Unsettled(value(0).to_owned()));
        }
        session.backend = value(1).parse().unwrap_or_default();
        Ok(session)
    }

    fn config(&self, host: &PostgresHost) -> Config {
        let mut config = Config::new();
        config
            .user(&self.server.user)
            .dbname(&self.server.database)
            .application_name(&self.server.application_name)
            .port(host.port)
            // Of a name with several addresses each is asked, for one may be a standby's.
            .target_session_attrs(TargetSessionAttrs::ReadWrite)
            .keepalives_idle(KEEPALIVE_IDLE)
            .keepalives_interval(KEEPALIVE_INTERVAL)
            .keepalives_retries(KEEPALIVE_RETRIES)
            .tcp_user_timeout(KEEPALIVE_IDLE);
        match &host.place {
            PostgresPlace::Network(name) => config.host(name).ssl_mode(self.tls.mode),
            // There is no TLS on these, as with libpq.
            PostgresPlace::Socket(directory) => config.host_path(directory).ssl_mode(SslMode::Disable),
        };
        if let Some(password) = &self.server.password {
            config.password(password.expose());
        }
        if let Some(options) = &self.server.options {
            config.options(options);
        }
        config
    }
}

fn soon() -> Instant {
    Instant::now() + HOST_DEADLINE
}
