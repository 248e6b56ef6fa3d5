//! `einmal keys list`: which keys there are, and what needs them. Shows ids and never a key.

use super::account::with_accounts;
use super::{ConfigFile, Failure, refused, say};
use crate::accounts::{KeyUse, Role};
use crate::store::KeyId;
use clap::Args;
use std::collections::BTreeSet;

/// List the keys of the keyring, and how much of the store each of them has sealed
///
/// An account is two rows: its guard with counters and last steps, and its vault with secrets. Whatever a key has sealed
/// is lost without it. Exit code 1 if there are rows whose key is not in the keyring.
#[derive(Args)]
pub(super) struct ListCommand {
    #[command(flatten)]
    config: ConfigFile,
}

impl ListCommand {
    pub(super) fn run(&self) -> Result<(), Failure> {
        with_accounts(&self.config, async |_, accounts| {
            let key_use = accounts.key_use().await.map_err(refused)?;
            // After the count: whatever was sealed meanwhile, its key was in the file.
            let keyring = accounts.keyring().current();
            let mut missing: BTreeSet<KeyId> = key_use.rows.keys().copied().collect();
            for (id, role) in keyring.keys() {
                missing.remove(&id);
                say(line(id, name(role), &key_use))?;
            }
            for id in &missing {
                say(line(*id, "NOT IN THE KEYRING", &key_use))?;
            }
            if key_use.unreadable > 0 {
                say(format_args!("accounts that cannot be read at all: {}", key_use.unreadable))?;
            }
            if missing.is_empty() {
                return Ok(());
            }
            Err(refused("there are rows whose key is not in the keyring"))
        })
    }
}

fn name(role: Role) -> &'static str {
    match role {
        Role::Seals => "seals",
        Role::New => "only opens, not promoted yet",
        Role::Old => "only opens",
    }
}

fn line(id: KeyId, role: &str, key_use: &KeyUse) -> String {
    format!("{id:08x}: {role}; {}", needs(id, key_use))
}

/// What needs the key, in words.
pub(super) fn needs(id: KeyId, key_use: &KeyUse) -> String {
    let rows = key_use.rows_of(id);
    let check_value = if key_use.check_value == id { ", the store's check value" } else { "" };
    format!("guards {}, vaults {}{check_value}", rows.guards, rows.vaults)
}
