//! The suite on PostgreSQL, and what only a server can go through.

mod commits;
mod locks;
mod opening;
mod outages;
mod raw;
mod rows;
mod tls;

use super::Place;
use crate::harness::postgres::{Database, PostgresServer, read_url};
use einmal::config::Postgres;
use einmal::metrics::Metrics;
use einmal::store::postgres::{OpenError, PostgresStore};
use einmal::store::{Migration, Store};
use std::sync::Arc;
use tokio::runtime::Handle;
use tokio::task::block_in_place;

/// A database of its own on a server that all share.
struct PostgresPlace(Database);

impl PostgresPlace {
    fn new() -> Option<Self> {
        Some(Self(PostgresServer::shared()?.database()))
    }
}

impl Place for PostgresPlace {
    fn open(&self) -> Arc<dyn Store> {
        Arc::new(open_url(&self.0.url, "").unwrap_or_else(|error| panic!("{error}")))
    }

    fn open_behind_fence(&self) -> Arc<dyn Store> {
        behind_fence(&self.0)
    }
}

/// A server that a test may do everything to.
struct OwnServer {
    server: PostgresServer,
    database: Database,
}

impl OwnServer {
    /// With lines added to its configuration.
    fn start(settings: &str) -> Option<Self> {
        let server = PostgresServer::start(settings)?;
        let database = server.database();
        Some(Self { server, database })
    }
}

impl Place for OwnServer {
    fn open(&self) -> Arc<dyn Store> {
        Arc::new(open_url(&self.database.url, "").unwrap_or_else(|error| panic!("{error}")))
    }

    fn open_behind_fence(&self) -> Arc<dyn Store> {
        behind_fence(&self.database)
    }
}

/// With further lines of `[store]`.
fn open_url(url: &str, lines: &str) -> Result<PostgresStore, OpenError> {
    open_with(&read_url(url, lines), Migration::Apply)
}

/// Needs a runtime of several threads.
fn open_with(server: &Postgres, migration: Migration) -> Result<PostgresStore, OpenError> {
    let metrics = Metrics::default();
    let opening = PostgresStore::open(server, migration, &metrics.store);
    block_in_place(|| Handle::current().block_on(opening))
}

fn behind_fence(database: &Database) -> Arc<dyn Store> {
    let (server, metrics) = (database.settings(), Metrics::default());
    let opening = PostgresStore::open_behind_fence(&server, Migration::Apply, &metrics.store);
    Arc::new(block_in_place(|| Handle::current().block_on(opening)).unwrap_or_else(|error| panic!("{error}")))
}

super::suite!(PostgresPlace::new());
