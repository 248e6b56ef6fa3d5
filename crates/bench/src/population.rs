//! Who has accounts: subjects and secrets by number, and stores with the first so many of them, made once and kept.
//! No step may be handed out twice, or a right code would be a used one.

use crate::progress;
use crate::settings::{self, Engine};
use anyhow::{Context, Result, bail};
use aws_lc_rs::digest::{SHA256, digest};
use data_encoding::{BASE32_NOPAD, HEXLOWER};
use einmal::accounts::{Accounts, IssuerNames, Keyring, Provisioned, Reading, read_record};
use einmal::entropy::SystemEntropy;
use einmal::run::{self, Purpose};
use einmal::store::SwapOutcome;
use einmal_core::Timestamp;
use einmal_core::otp::{Algorithm, Secret, Totp};
use einmal_core::policy::Policy;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use uuid::Uuid;

/// The first second of a step, and where every store's time begins. Tokens are good from then on for ten years.
pub const EPOCH_SECONDS: u64 = 1_800_000_000;
pub const STEP_SECONDS: u64 = 30;
/// The PIN of the accounts that create codes.
pub const PIN: &str = "8299";
/// Accounts that have a PIN, too.
pub const CREATORS: u64 = 64;
/// Steps set aside for one run; it ends before it needs more.
pub const STEPS_PER_RUN: u64 = 2_000;
/// Accounts that are committed together.
const GROUP: usize = 1_000;

/// Their order has nothing to do with that of their numbers, as with real issuers.
pub fn subject(number: u64) -> Uuid {
    let hash = digest(&SHA256, &number.to_be_bytes());
    let mut bytes = [0; 16];
    bytes.iter_mut().zip(hash.as_ref()).for_each(|(to, from)| *to = *from);
    uuid::Builder::from_random_bytes(bytes).into_uuid()
}

fn secret(number: u64) -> Vec<u8> {
    let mut input = b"secret".to_vec();
    input.extend_from_slice(&number.to_be_bytes());
    digest(&SHA256, &input).as_ref().iter().take(20).copied().collect()
}

pub fn secret_base32(number: u64) -> String {
    BASE32_NOPAD.encode(&secret(number))
}

pub fn secret_hex(number: u64) -> String {
    HEXLOWER.encode(&secret(number))
}

pub fn totp(number: u64) -> Result<Totp> {
    Ok(Totp::new(Secret::from_bytes(secret(number))?, Algorithm::Sha1, 6, STEP_SECONDS)?)
}

/// The account that is guessed at, behind the ordinary ones.
pub fn hot_account(accounts: u64) -> u64 {
    accounts
}

pub fn creator(accounts: u64, number: u64) -> u64 {
    accounts + 1 + number % CREATORS
}

/// A store with accounts, numbered from 0.
pub struct Population {
    pub directory: PathBuf,
    pub engine: Engine,
    pub accounts: u64,
}

#[derive(Serialize, Deserialize)]
struct State {
    accounts: u64,
    next_step: u64,
}

impl Population {
    /// Opens one in `directory`, or makes it, which takes some ten seconds for a million accounts.
    pub fn open(directory: PathBuf, engine: Engine, accounts: u64) -> Result<Self> {
        let population = Self { directory, engine, accounts };
        if population.state().is_ok_and(|state| state.accounts == accounts) {
            // It may have been made by a build that knows more engines.
            settings::read(&settings::write(&population.directory, &population.engine, "", "warn")?)?;
            return Ok(population);
        }
        if population.directory.exists() {
            fs::remove_dir_all(&population.directory)?;
        }
        fs::create_dir_all(&population.directory)?;
        write_keyring(&population.directory.join("einmal.keys"))?;
        population.fill().with_context(|| format!("{} accounts on {}", accounts, population.engine))?;
        population.save(&State { accounts, next_step: EPOCH_SECONDS / STEP_SECONDS })?;
        Ok(population)
    }

    /// The first of [`STEPS_PER_RUN`] steps that nobody else gets, whatever becomes of the run.
    pub fn reserve_steps(&self) -> Result<u64> {
        let state = self.state()?;
        self.save(&State { next_step: state.next_step + STEPS_PER_RUN, ..state })?;
        Ok(state.next_step + 3)
    }

    /// Its files, if the engine has any here.
    pub fn files(&self) -> Vec<PathBuf> {
        let files = ["einmal.db", "einmal.db-wal"].map(|name| self.directory.join(name));
        files.into_iter().filter(|file| file.exists()).collect()
    }

    fn state(&self) -> Result<State> {
        Ok(serde_json::from_slice(&fs::read(self.directory.join("state.json"))?)?)
    }

    fn save(&self, state: &State) -> Result<()> {
        let (path, next) = (self.directory.join("state.json"), self.directory.join("state.next"));
        fs::write(&next, serde_json::to_vec(state)?)?;
        Ok(fs::rename(next, path)?)
    }

    fn fill(&self) -> Result<()> {
        let config = settings::read(&settings::write(&self.directory, &self.engine, "", "warn")?)?;
        let mut numbers: Vec<_> =
            (0..self.accounts).map(|number| (*subject(number).as_bytes(), number)).collect();
        // In the store's own order, so that a store of ten million takes minutes and not hours.
        numbers.sort_unstable();
        let special = self.accounts..=self.accounts + CREATORS;
        let runtime = tokio::runtime::Runtime::new()?;
        runtime.block_on(async {
            let (store, keyring) = (&config.store, &config.keyring);
            let accounts =
                run::open_accounts(store, keyring, Purpose::Service, Arc::new(SystemEntropy)).await?;
            let pin = |number| (number > self.accounts).then_some(PIN);
            let records: Vec<_> = special.map(|number| record(number, pin(number))).collect();
            insert(&accounts, &records).await?;
            for (group, numbers) in (1_u64..).zip(numbers.chunks(GROUP)) {
                let records: Vec<_> = numbers.iter().map(|(_, number)| record(*number, None)).collect();
                insert(&accounts, &records).await?;
                if group.is_multiple_of(100) {
                    progress::tell(format_args!("{} of {} accounts", group * GROUP as u64, self.accounts));
                }
            }
            Ok(())
        })
    }
}

fn record(number: u64, pin: Option<&str>) -> String {
    let mut record = json!({
        "id": subject(number).to_string(), "deviceTotps": [{ "secret": secret_base32(number) }],
    });
    if let (Some(pin), Some(record)) = (pin, record.as_object_mut()) {
        record.insert("pin".to_owned(), json!(pin));
    }
    record.to_string()
}

/// An ordinary account, as it is before anybody asked about it.
pub fn provisioned(number: u64) -> Result<Provisioned> {
    read(&record(number, None))
}

/// As an import does.
fn read(record: &str) -> Result<Provisioned> {
    let (issuers, policy) = (IssuerNames(vec!["main".into()]), Policy::default());
    let now = Timestamp::from_seconds(EPOCH_SECONDS);
    Ok(read_record(record, &Reading { issuers: &issuers, policy: &policy, entropy: &SystemEntropy, now })?)
}

async fn insert(accounts: &Accounts, records: &[String]) -> Result<()> {
    let provisioned = records.iter().map(|record| read(record)).collect::<Result<Vec<_>>>()?;
    let outcomes = accounts.insert(provisioned.iter().map(|one| (&one.id, &one.account))).await?;
    if outcomes.iter().any(|outcome| *outcome != SwapOutcome::Swapped) {
        bail!("an account was there already");
    }
    Ok(())
}

fn write_keyring(path: &Path) -> Result<()> {
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    let keyring = Keyring::generate(&SystemEntropy).map_err(|error| anyhow::anyhow!("{error}"))?;
    Ok(file.write_all(keyring.as_bytes())?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_step_is_handed_out_twice_also_if_a_run_dies() {
        let directory = tempfile::tempdir().unwrap();
        let engine = Engine::Sqlite;
        let population = Population { directory: directory.path().into(), engine, accounts: 1 };
        population.save(&State { accounts: 1, next_step: 100 }).unwrap();
        let first = population.reserve_steps().unwrap();
        let second = population.reserve_steps().unwrap();
        assert!(first >= 100 && second >= first + STEPS_PER_RUN);
    }

    #[test]
    fn a_population_is_made_once_and_then_found() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("store");
        Population::open(path.clone(), Engine::Sqlite, 3).unwrap();
        let keyring = fs::read(path.join("einmal.keys")).unwrap();
        Population::open(path.clone(), Engine::Sqlite, 3).unwrap();
        assert_eq!(fs::read(path.join("einmal.keys")).unwrap(), keyring);
    }
}
