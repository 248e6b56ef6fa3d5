//! Opens the store that the configuration names, whichever engine that is.

use super::postgres::{self, PostgresStore};
use super::sqlite::{self, SqliteStore};
use super::{Migration, Schema, Store};
use crate::config::Engine;
use crate::metrics::StoreMetrics;
use std::sync::Arc;

/// Why a store cannot be used, in words for whoever has to put it right.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error(transparent)]
    Sqlite(#[from] sqlite::OpenError),
    #[error(transparent)]
    Postgres(#[from] postgres::OpenError),
}

/// A store, and what its opening has found.
pub struct Opened {
    pub store: Arc<dyn Store>,
    pub schema: Schema,
    /// How the engine may lose what it has acknowledged, in words for the operator.
    pub doubts: Vec<String>,
}

pub async fn open(
    engine: &Engine,
    migration: Migration,
    metrics: &StoreMetrics,
) -> Result<Opened, OpenError> {
    Ok(match engine {
        Engine::Sqlite(path) => SqliteStore::open_counted(path, migration, metrics)?.into(),
        Engine::Postgres(server) => PostgresStore::open(server, migration, metrics).await?.into(),
    })
}

impl From<SqliteStore> for Opened {
    fn from(store: SqliteStore) -> Self {
        Self { schema: store.schema(), doubts: Vec::new(), store: Arc::new(store) }
    }
}

impl From<PostgresStore> for Opened {
    fn from(store: PostgresStore) -> Self {
        Self { schema: store.schema(), doubts: store.doubts().to_vec(), store: Arc::new(store) }
    }
}

/// The same, for whoever closes stores to others.
pub async fn open_behind_fence(
    engine: &Engine,
    migration: Migration,
    metrics: &StoreMetrics,
) -> Result<Opened, OpenError> {
    Ok(match engine {
        Engine::Sqlite(path) => SqliteStore::open_behind_fence(path, migration, metrics)?.into(),
        Engine::Postgres(server) => {
            PostgresStore::open_behind_fence(server, migration, metrics).await?.into()
        }
    })
}

/// Whether there is a store, of any schema: for work that must not begin with making one.
pub async fn is_there(engine: &Engine, metrics: &StoreMetrics) -> Result<bool, OpenError> {
    match engine {
        Engine::Sqlite(path) => Ok(path.exists()),
        Engine::Postgres(_) => Ok(open(engine, Migration::Keep, metrics).await?.schema.found > 0),
    }
}

impl Opened {
    /// Refuses a schema that is behind, of a store that was opened as it is.
    pub fn require_known_schema(&self, engine: &Engine) -> Result<(), OpenError> {
        let Schema { found, known } = self.schema;
        if found == known {
            return Ok(());
        }
        Err(match engine {
            Engine::Sqlite(path) => sqlite::OpenError::Behind { path: path.clone(), found, known }.into(),
            Engine::Postgres(server) => {
                postgres::OpenError::Behind { store: server.to_string(), found, known }.into()
            }
        })
    }
}
