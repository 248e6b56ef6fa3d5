//! What runs share: keys and tokens of the issuer, stores with accounts, and the directory where all that is kept.

use crate::issuer;
use crate::population::{Population, creator, hot_account};
use crate::postgres::PostgresServer;
use crate::requests::totps;
use crate::settings::Engine;
use crate::tokens::{SigningAlgorithm, SigningKey, TokenPool, VERIFY_SCOPE};
use anyhow::{Context, Result};
use einmal_core::otp::Totp;
use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// How much of everything.
#[derive(Clone, Copy, Debug)]
pub struct Scale {
    pub rounds: usize,
    pub seconds: f64,
    /// Tokens that are there to be brought once.
    pub fresh_tokens: u64,
    /// Accounts whose tokens are brought again and again: fewer than the server remembers.
    pub seen_accounts: u64,
    /// No store has more.
    pub most_accounts: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Backend {
    Sqlite,
    Postgres,
}

pub struct Workbench {
    pub directory: PathBuf,
    pub scale: Scale,
    /// Where the issuer's keys are.
    pub key_set: String,
    /// A program and its arguments that servers are started with.
    pub profiler: Vec<String>,
    keys: HashMap<&'static str, SigningKey>,
    pools: HashMap<(&'static str, u64), Arc<TokenPool>>,
    totps: Arc<Vec<Totp>>,
    postgres: Option<PostgresServer>,
    /// How many accounts have been asked about in this run at each service that takes no clock.
    pub used_at_peer: HashMap<&'static str, u64>,
}

/// Accounts on 64 connections, none on two of them.
fn whole_rounds(accounts: u64) -> u64 {
    accounts - accounts % 64
}

impl Workbench {
    pub fn open(directory: &Path, scale: Scale) -> Result<Self> {
        fs::create_dir_all(directory)?;
        let directory = directory.canonicalize()?;
        let key = |algorithm: SigningAlgorithm| {
            Ok((algorithm.name(), SigningKey::open(&directory.join("keys"), algorithm)?))
        };
        let keys = SigningAlgorithm::ALL.into_iter().map(key).collect::<Result<HashMap<_, _>>>()?;
        let jwks: Vec<_> = keys.values().map(SigningKey::jwk).collect::<Result<_>>()?;
        let key_set = issuer::serve(&jwks)?;
        Ok(Self {
            directory,
            scale,
            key_set,
            profiler: Vec::new(),
            keys,
            pools: HashMap::new(),
            totps: Arc::default(),
            postgres: None,
            used_at_peer: HashMap::new(),
        })
    }

    fn key(&self, algorithm: SigningAlgorithm) -> Result<&SigningKey> {
        self.keys.get(algorithm.name()).context("a key for each algorithm")
    }

    /// Tokens to be brought once, and how many accounts they belong to.
    pub fn fresh(&mut self, algorithm: SigningAlgorithm, accounts: u64) -> Result<(Arc<TokenPool>, u64)> {
        let count = self.scale.fresh_tokens;
        let active = whole_rounds(accounts.min(count));
        if let Some(pool) = self.pools.get(&(algorithm.name(), active)) {
            return Ok((Arc::clone(pool), active));
        }
        let pool = TokenPool::open(&self.directory.join("tokens"), self.key(algorithm)?, active, count)?;
        let pool = Arc::new(pool);
        self.pools.insert((algorithm.name(), active), Arc::clone(&pool));
        Ok((pool, active))
    }

    /// One token for each of some accounts.
    pub fn seen(&mut self, algorithm: SigningAlgorithm, accounts: u64) -> Result<(Arc<TokenPool>, u64)> {
        let (pool, active) = self.fresh(algorithm, accounts)?;
        Ok((pool, whole_rounds(active.min(self.scale.seen_accounts))))
    }

    /// Of the accounts from 0 on, at least so many.
    pub fn totps(&mut self, accounts: u64) -> Result<Arc<Vec<Totp>>> {
        if (self.totps.len() as u64) < accounts {
            self.totps = totps(accounts)?;
        }
        Ok(Arc::clone(&self.totps))
    }

    /// Of the account that is guessed at, in a population of so many.
    pub fn token_of_hot_account(&self, accounts: u64) -> Result<String> {
        self.key(SigningAlgorithm::EdDsa)?.token(hot_account(accounts), 0, VERIFY_SCOPE)
    }

    pub fn token_of_creator(&self, accounts: u64, number: u64) -> Result<String> {
        self.key(SigningAlgorithm::EdDsa)?.token(creator(accounts, number), 0, "user:otp:create")
    }

    pub fn population(&mut self, backend: Backend, accounts: u64) -> Result<Population> {
        match backend {
            Backend::Sqlite => {
                Population::open(self.directory.join(format!("sqlite-{accounts}")), Engine::Sqlite, accounts)
            }
            Backend::Postgres => {
                let directory = self.directory.join(format!("postgres-{accounts}"));
                let url = self.postgres()?.database(&format!("einmal_{accounts}"), directory.exists())?;
                Population::open(directory, Engine::Postgres(url), accounts)
            }
        }
    }

    pub fn postgres(&mut self) -> Result<&PostgresServer> {
        if self.postgres.is_none() {
            self.postgres = Some(PostgresServer::start(&self.directory.join("postgres"))?);
        }
        self.postgres.as_ref().context("a server that has been started")
    }

    /// If it was needed.
    pub fn postgres_version(&self) -> Option<String> {
        self.postgres.as_ref()?.version().ok()
    }
}
