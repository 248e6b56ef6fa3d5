//! Opens the accounts of a store with the keyring that belongs to it. Must never hand out accounts of a store that was made
//! for something else.

use super::StartError;
use crate::accounts::{Accounts, Keyring, LiveKeyring};
use crate::config::{self, KeyringSource};
use crate::metrics::Metrics;
use crate::store::{self, Migration, Opened, Store, StoreError, claim_property, fence_of};
use einmal_core::Entropy;
use std::sync::Arc;

/// Who may open a store: what was made for trying out has an account that everybody knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    Service,
    Trial,
}

impl Purpose {
    const PROPERTY: &'static str = "purpose";

    const fn name(self) -> &'static str {
        match self {
            Self::Service => "service",
            Self::Trial => "trial",
        }
    }
}

/// Opens store and keyring, and refuses them if they are not each other's or made for something else, or if the store is
/// closed.
pub async fn open_accounts(
    store: &config::Store,
    keyring: &KeyringSource,
    purpose: Purpose,
    entropy: Arc<dyn Entropy>,
) -> Result<Accounts, StartError> {
    let accounts = accounts_of(migration(store), store, keyring, purpose, entropy).await?;
    let store = || store.engine.to_string();
    let fence = fence_of(accounts.store().as_ref()).await;
    match fence.map_err(|error| StartError::Accounts { store: store(), error: error.into() })? {
        None => Ok(accounts),
        Some(fence) => Err(StartError::Closed { store: store(), fence }),
    }
}

fn migration(store: &config::Store) -> Migration {
    if store.migrate { Migration::Apply } else { Migration::Refuse }
}

/// The same of a store that may be closed, for whoever moves accounts; and how it may lose what it acknowledges.
pub async fn open_accounts_to_move(
    store: &config::Store,
    keyring: &KeyringSource,
    purpose: Purpose,
    entropy: Arc<dyn Entropy>,
) -> Result<(Accounts, Vec<String>), StartError> {
    let keyring = open_keyring(keyring)?;
    let metrics = Arc::new(Metrics::default());
    let opened = store::open(&store.engine, migration(store), &metrics.store).await?;
    let Opened { store: opened, doubts, .. } = opened;
    Ok((accounts_in(opened, store, keyring, purpose, entropy, metrics).await?, doubts))
}

/// The same of a store that is left as it is, such as a backup that is only looked at.
pub async fn open_accounts_as_they_are(
    store: &config::Store,
    keyring: &KeyringSource,
    purpose: Purpose,
    entropy: Arc<dyn Entropy>,
) -> Result<Accounts, StartError> {
    accounts_of(Migration::Keep, store, keyring, purpose, entropy).await
}

async fn accounts_of(
    migration: Migration,
    config: &config::Store,
    keyring: &KeyringSource,
    purpose: Purpose,
    entropy: Arc<dyn Entropy>,
) -> Result<Accounts, StartError> {
    // First: no store is made that its keyring cannot open.
    let keyring = open_keyring(keyring)?;
    let metrics = Arc::new(Metrics::default());
    let opened = store::open(&config.engine, migration, &metrics.store).await?;
    if migration == Migration::Keep {
        opened.require_known_schema(&config.engine)?;
    }
    let Opened { store, doubts, .. } = opened;
    if !doubts.is_empty() {
        tracing::warn!(
            store = config.engine.to_string(),
            error = doubts.join("; "),
            "the store may lose what it has acknowledged"
        );
    }
    accounts_in(store, config, keyring, purpose, entropy, metrics).await
}

fn open_keyring(source: &KeyringSource) -> Result<LiveKeyring, StartError> {
    let (place, keyring) = match source {
        KeyringSource::File(file) => (file.path.display().to_string(), LiveKeyring::of_file(file.clone())),
        KeyringSource::Environment { name, value } => {
            (name.clone(), Keyring::parse(value.expose()).map(LiveKeyring::from))
        }
    };
    keyring.map_err(|error| StartError::Keyring { place, error })
}

async fn accounts_in(
    store: Arc<dyn Store>,
    config: &config::Store,
    keyring: LiveKeyring,
    purpose: Purpose,
    entropy: Arc<dyn Entropy>,
    metrics: Arc<Metrics>,
) -> Result<Accounts, StartError> {
    let name = || config.engine.to_string();
    check_purpose(&store, purpose, name).await?;
    let opened = Accounts::open_counted(store, keyring, entropy, metrics).await;
    opened.map_err(|error| StartError::Accounts { store: name(), error })
}

async fn check_purpose(
    store: &Arc<dyn Store>,
    purpose: Purpose,
    name: impl Fn() -> String,
) -> Result<(), StartError> {
    let failed = |error: StoreError| StartError::Accounts { store: name(), error: error.into() };
    let found = claim_property(store.as_ref(), Purpose::PROPERTY, purpose.name().into()).await;
    let found = found.map_err(failed)?;
    if found == purpose.name().as_bytes() {
        return Ok(());
    }
    let found = String::from_utf8_lossy(&found).into_owned();
    Err(StartError::Purpose { store: name(), found, expected: purpose.name() })
}
