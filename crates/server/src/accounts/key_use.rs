//! Which keys the store needs, by counting. Opens nothing: what is damaged needs its key as well, for as long as it
//! is there.

use super::access::{Accounts, CHECK_VALUE};
use super::seal::{SealError, check_value_key};
use super::update::UpdateError;
use crate::store::KeyId;
use std::collections::BTreeMap;

/// What each key sealed, among all that is in the store.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyUse {
    pub rows: BTreeMap<KeyId, RowCount>,
    /// The one that sealed the store's check value.
    pub check_value: KeyId,
    /// Accounts that cannot be read at all, and so need no key.
    pub unreadable: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RowCount {
    pub guards: u64,
    pub vaults: u64,
}

impl KeyUse {
    pub fn rows_of(&self, id: KeyId) -> RowCount {
        self.rows.get(&id).copied().unwrap_or_default()
    }

    /// Whether anything could not be opened any more without this key.
    pub fn needs(&self, id: KeyId) -> bool {
        self.rows_of(id) != RowCount::default() || self.check_value == id
    }
}

impl Accounts {
    pub async fn key_use(&self) -> Result<KeyUse, UpdateError> {
        // Missing only if somebody took it out: then there is nothing that a key can be said to be needed for.
        let value = self.store().property(CHECK_VALUE).await?.ok_or(SealError::DoesNotOpen)?;
        let mut key_use = KeyUse { check_value: check_value_key(&value)?, ..KeyUse::default() };
        let mut after = None;
        loop {
            let page = self.rows(after).await?;
            for (_, row) in &page {
                match row {
                    Ok(Some(stored)) => {
                        key_use.rows.entry(stored.guard.key_id).or_default().guards += 1;
                        key_use.rows.entry(stored.vault.key_id).or_default().vaults += 1;
                    }
                    Ok(None) => {}
                    Err(_) => key_use.unreadable += 1,
                }
            }
            after = match page.into_iter().last() {
                Some((id, _)) => Some(id),
                None => return Ok(key_use),
            };
        }
    }
}
