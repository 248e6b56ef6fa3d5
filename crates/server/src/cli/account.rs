//! The account that a command is about, and the accounts of the configured store.

use super::{ConfigFile, Failure, refused};
use crate::accounts::Accounts;
use crate::config::{self, Administration, KeyringSource};
use crate::entropy::SystemEntropy;
use crate::run::StartError;
use crate::{process, run};
use clap::Args;
use einmal_core::Entropy;
use einmal_core::account::AccountId;
use std::sync::Arc;

/// One account.
#[derive(Args)]
pub(super) struct AccountChoice {
    /// Subject of the account's tokens
    pub(super) id: String,
    /// Name of its issuer, if there are several
    #[arg(long, value_name = "NAME")]
    pub(super) issuer: Option<String>,
}

impl AccountChoice {
    pub(super) fn resolve(&self, config: &Administration) -> Result<AccountId, Failure> {
        let known = config.issuer_names.join(", ");
        let issuer = match (&self.issuer, config.issuer_names.as_slice()) {
            (Some(name), names) if names.contains(name) => name,
            (Some(name), _) => {
                return Err(Failure::Usage(format!(
                    "--issuer {name:?} is not configured, expected one of {known}"
                )));
            }
            (None, [only]) => only,
            (None, _) => return Err(Failure::Usage(format!("--issuer is missing, expected one of {known}"))),
        };
        Ok(AccountId::new(issuer.as_str(), self.id.as_str()))
    }

    /// What is said where there is none.
    pub(super) fn absent(&self) -> Failure {
        Failure::Refused(format!("there is no account {:?}", self.id))
    }
}

/// Runs `work` on the accounts of the configured store.
pub(super) fn with_accounts<T>(
    config: &ConfigFile,
    work: impl AsyncFnOnce(&Administration, &Accounts) -> Result<T, Failure>,
) -> Result<T, Failure> {
    with_accounts_of(config, run::open_accounts, work)
}

/// The same, opened in another way.
pub(super) fn with_accounts_of<T>(
    config: &ConfigFile,
    open: impl AsyncFnOnce(
        &config::Store,
        &KeyringSource,
        run::Purpose,
        Arc<dyn Entropy>,
    ) -> Result<Accounts, StartError>,
    work: impl AsyncFnOnce(&Administration, &Accounts) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let config = config.open()?.administration()?;
    // Secrets pass through, of an import even in clear.
    process::harden();
    let runtime = tokio::runtime::Runtime::new().map_err(refused)?;
    runtime.block_on(async {
        let opened =
            open(&config.store, &config.keyring, run::Purpose::Service, Arc::new(SystemEntropy)).await;
        work(&config, &opened.map_err(refused)?).await
    })
}
