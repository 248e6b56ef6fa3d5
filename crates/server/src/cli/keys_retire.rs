//! `einmal keys retire`: the last step of a rotation. Must never take out a key that something needs.

use super::account::with_accounts;
use super::keyring_file::{KEEP_A_COPY, change_failed, parse_key_id, unchangeable};
use super::keys_list::needs;
use super::{ConfigFile, Failure, complain, refused, say};
use crate::accounts::{Accounts, KeyringFile, LiveKeyring, Role};
use crate::config::KeyringSource;
use crate::store::KeyId;
use clap::Args;
use std::time::Duration;

/// Take a key out of the keyring, when nothing in the store needs it any more
///
/// Refuses the key that seals, and one that any row or the store's check value still needs (exit code 1): run
/// `einmal keys reseal` first. Waits for some seconds until every running server must have noticed that another key
/// seals, and counts before and after. Without the key, older copies and backups of the store cannot be opened: keep a
/// copy of the old keyring for as long as you keep those.
#[derive(Args)]
pub(super) struct RetireCommand {
    /// Id of the key, 8 hex digits, as `einmal keys list` shows it
    #[arg(value_name = "ID")]
    id: String,
    #[command(flatten)]
    config: ConfigFile,
}

/// What a server needs for a look at the file and for the writes that are under way.
const MARGIN: Duration = Duration::from_secs(1);

impl RetireCommand {
    pub(super) fn run(&self) -> Result<(), Failure> {
        self.config.open()?;
        let id = parse_key_id(&self.id)?;
        with_accounts(&self.config, async |config, accounts| match &config.keyring {
            KeyringSource::File(file) => retire(id, file, accounts).await,
            KeyringSource::Environment { name, .. } => Err(unchangeable(name)),
        })
    }
}

async fn retire(id: KeyId, file: &KeyringFile, accounts: &Accounts) -> Result<(), Failure> {
    let keyring = accounts.keyring().current();
    match keyring.keys().find(|(known, _)| *known == id) {
        Some((_, Role::Seals)) => {
            return Err(refused(format_args!("the key {id:08x} seals; promote another one first")));
        }
        Some(_) => {}
        None => return Err(refused(format_args!("there is no key {id:08x} in the keyring"))),
    }
    refuse_while_needed(id, accounts).await?;
    // A server that has not noticed the promotion makes new accounts under the old key. An account that was
    // resealed it does not: it has seen the new key there.
    let wait = LiveKeyring::INTERVAL + MARGIN;
    complain(format_args!("waiting {} s until every server has noticed which key seals", wait.as_secs()));
    tokio::time::sleep(wait).await;
    refuse_while_needed(id, accounts).await?;

    let retired = file.retire(id).map_err(|error| change_failed(file, &error))?;
    // A server that stood still all the time may have written in the last moment.
    if let Err(needed) = refuse_while_needed(id, accounts).await {
        file.put_back(retired).map_err(|error| change_failed(file, &error))?;
        return Err(needed);
    }
    say(format_args!("took {id:08x} out of the keyring"))?;
    complain("older copies and backups of the store cannot be opened without it");
    complain(KEEP_A_COPY);
    Ok(())
}

async fn refuse_while_needed(id: KeyId, accounts: &Accounts) -> Result<(), Failure> {
    let key_use = accounts.key_use().await.map_err(refused)?;
    if !key_use.needs(id) {
        return Ok(());
    }
    let needed = needs(id, &key_use);
    Err(refused(format_args!("the key {id:08x} is needed: {needed}; run `einmal keys reseal`")))
}
