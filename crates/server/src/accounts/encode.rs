//! An account as bytes: the *guard*, written by every attempt and therefore small, and the *vault*, written
//! when something is issued or enrolled. Only this file knows which member is in which.
//!
//! The first byte is the version of the encoding. A struct of a version never changes: a new member means a
//! new version and a translation from the old one.

#[cfg(test)]
mod tests;

use super::seal::SealError;
use crate::store::Version;
use einmal_core::Timestamp;
use einmal_core::account::{Account, CodeState, Credential, IssuedCode, Progress, StoredHash, Throttle};
use einmal_core::otp::{Algorithm, Code, Secret, Totp};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

const ENCODING: u8 = 1;

pub(super) struct Encoded {
    pub(super) guard: Zeroizing<Vec<u8>>,
    pub(super) vault: Zeroizing<Vec<u8>>,
}

pub(super) fn encode_vault(account: &Account) -> Result<Zeroizing<Vec<u8>>, SealError> {
    to_bytes(&Vault::of(account))
}

pub(super) fn encode_guard(account: &Account, vault: Version) -> Result<Zeroizing<Vec<u8>>, SealError> {
    to_bytes(&Guard::of(account, vault))
}

/// The account, and the version of the vault that the guard was written for.
pub(super) fn decode(encoded: &Encoded) -> Result<(Account, Version), SealError> {
    let guard: Guard = from_bytes(&encoded.guard)?;
    let vault: Vault = from_bytes(&encoded.vault)?;
    let version = Version::from_be_bytes(guard.vault);
    let mut account = vault.into_account()?;
    guard.apply_to(&mut account).ok_or(SealError::Encoding)?;
    Ok((account, version))
}

fn to_bytes<T: Serialize>(value: &T) -> Result<Zeroizing<Vec<u8>>, SealError> {
    // All the room at once: a buffer that moves while it grows would leave copies of secrets behind.
    let size = postcard::experimental::serialized_size(value).map_err(|_| SealError::Encoding)?;
    let mut bytes = Vec::with_capacity(1 + size);
    bytes.push(ENCODING);
    postcard::to_extend(value, bytes).map(Zeroizing::new).map_err(|_| SealError::Encoding)
}

fn from_bytes<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, SealError> {
    match bytes.split_first() {
        Some((&ENCODING, rest)) => match postcard::take_from_bytes(rest) {
            Ok((value, [])) => Ok(value),
            _ => Err(SealError::Encoding),
        },
        Some((&newer, _)) => Err(SealError::NewerEncoding(newer)),
        None => Err(SealError::Encoding),
    }
}

#[derive(Serialize, Deserialize)]
struct Guard {
    vault: [u8; 8],
    otp: GuardThrottle,
    pin: GuardThrottle,
    password: GuardThrottle,
    /// In the order of the vault: devices, then authenticators.
    credentials: Vec<GuardProgress>,
    account_code: Option<GuardCode>,
    login_code: Option<GuardCode>,
}

#[derive(Serialize, Deserialize)]
struct GuardThrottle {
    failures: u32,
    waits_until: Option<u64>,
}

#[derive(Serialize, Deserialize)]
struct GuardProgress {
    last_step: Option<u64>,
    drift: i8,
    guess_units: u64,
    failures: u32,
    last_used_at: Option<u64>,
}

#[derive(Serialize, Deserialize)]
struct GuardCode {
    state: u8,
    failures: u32,
}

impl Guard {
    fn of(account: &Account, vault: Version) -> Self {
        Self {
            vault: vault.to_be_bytes(),
            otp: GuardThrottle::of(&account.otp_throttle),
            pin: GuardThrottle::of(&account.pin_throttle),
            password: GuardThrottle::of(&account.password_throttle),
            credentials: account
                .credentials()
                .map(|(_, credential)| GuardProgress::of(&credential.progress))
                .collect(),
            account_code: account.account_code.as_ref().map(GuardCode::of),
            login_code: account.login_code.as_ref().map(GuardCode::of),
        }
    }

    /// `None` if guard and vault do not fit each other.
    fn apply_to(self, account: &mut Account) -> Option<()> {
        account.otp_throttle = self.otp.into_throttle();
        account.pin_throttle = self.pin.into_throttle();
        account.password_throttle = self.password.into_throttle();
        let mut progress = self.credentials.into_iter();
        for (_, credential) in account.credentials_mut() {
            credential.progress = progress.next()?.into_progress();
        }
        apply_code(self.account_code, account.account_code.as_mut())?;
        apply_code(self.login_code, account.login_code.as_mut())?;
        progress.next().is_none().then_some(())
    }
}

fn apply_code(guard: Option<GuardCode>, issued: Option<&mut IssuedCode>) -> Option<()> {
    match (guard, issued) {
        (None, None) => Some(()),
        (Some(guard), Some(issued)) => {
            issued.state = match guard.state {
                0 => CodeState::Live,
                1 => CodeState::Spent,
                2 => CodeState::Dead,
                _ => return None,
            };
            issued.failures = guard.failures;
            Some(())
        }
        _ => None,
    }
}

impl GuardThrottle {
    fn of(throttle: &Throttle) -> Self {
        Self { failures: throttle.failures, waits_until: throttle.waits_until.map(Timestamp::seconds) }
    }

    fn into_throttle(self) -> Throttle {
        Throttle { failures: self.failures, waits_until: self.waits_until.map(Timestamp::from_seconds) }
    }
}

impl GuardProgress {
    fn of(progress: &Progress) -> Self {
        Self {
            last_step: progress.last_step,
            drift: progress.drift,
            guess_units: progress.guess_units,
            failures: progress.failures,
            last_used_at: progress.last_used_at.map(Timestamp::seconds),
        }
    }

    fn into_progress(self) -> Progress {
        Progress {
            last_step: self.last_step,
            drift: self.drift,
            guess_units: self.guess_units,
            failures: self.failures,
            last_used_at: self.last_used_at.map(Timestamp::from_seconds),
        }
    }
}

impl GuardCode {
    fn of(issued: &IssuedCode) -> Self {
        let state = match issued.state {
            CodeState::Live => 0,
            CodeState::Spent => 1,
            CodeState::Dead => 2,
        };
        Self { state, failures: issued.failures }
    }
}

#[derive(Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
struct Vault {
    email: Option<String>,
    registered_at: Option<u64>,
    pin: Option<String>,
    password: Option<String>,
    devices: Vec<VaultCredential>,
    authenticators: Vec<VaultCredential>,
    account_code: Option<VaultCode>,
    login_code: Option<VaultCode>,
}

#[derive(Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
struct VaultCredential {
    id: [u8; 16],
    label: Option<String>,
    created_at: u64,
    secret: Vec<u8>,
    algorithm: u8,
    digits: u8,
    period: u32,
}

#[derive(Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
struct VaultCode {
    digits: String,
    expires_at: u64,
}

impl Vault {
    fn of(account: &Account) -> Self {
        Self {
            email: account.email.clone(),
            registered_at: account.registered_at.map(Timestamp::seconds),
            pin: account.pin.as_ref().map(|hash| hash.as_str().to_owned()),
            password: account.password.as_ref().map(|hash| hash.as_str().to_owned()),
            devices: account.devices.iter().map(VaultCredential::of).collect(),
            authenticators: account.authenticators.iter().map(VaultCredential::of).collect(),
            account_code: account.account_code.as_ref().map(VaultCode::of),
            login_code: account.login_code.as_ref().map(VaultCode::of),
        }
    }

    fn into_account(mut self) -> Result<Account, SealError> {
        let credentials = |sealed: &mut Vec<VaultCredential>| -> Result<Vec<Credential>, SealError> {
            sealed.iter_mut().map(VaultCredential::take_credential).collect()
        };
        Ok(Account {
            email: self.email.take(),
            registered_at: self.registered_at.map(Timestamp::from_seconds),
            pin: self.pin.take().map(StoredHash::new),
            password: self.password.take().map(StoredHash::new),
            devices: credentials(&mut self.devices)?,
            authenticators: credentials(&mut self.authenticators)?,
            account_code: self.account_code.as_ref().map(VaultCode::to_issued).transpose()?,
            login_code: self.login_code.as_ref().map(VaultCode::to_issued).transpose()?,
            ..Account::default()
        })
    }
}

impl VaultCredential {
    fn of(credential: &Credential) -> Self {
        let totp = &credential.totp;
        Self {
            id: credential.id.into_bytes(),
            label: credential.label.clone(),
            created_at: credential.created_at.seconds(),
            secret: totp.secret().bytes().to_vec(),
            algorithm: match totp.algorithm() {
                Algorithm::Sha1 => 1,
                Algorithm::Sha256 => 2,
                Algorithm::Sha512 => 3,
            },
            digits: totp.digits(),
            period: totp.period(),
        }
    }

    /// Takes the secret out, rather than copy it.
    fn take_credential(&mut self) -> Result<Credential, SealError> {
        let algorithm = match self.algorithm {
            1 => Algorithm::Sha1,
            2 => Algorithm::Sha256,
            3 => Algorithm::Sha512,
            _ => return Err(SealError::Encoding),
        };
        let secret = Secret::from_bytes(std::mem::take(&mut self.secret)).map_err(|_| SealError::Encoding)?;
        let totp = Totp::new(secret, algorithm, self.digits.into(), self.period.into());
        Ok(Credential {
            id: Uuid::from_bytes(self.id),
            label: self.label.take(),
            created_at: Timestamp::from_seconds(self.created_at),
            totp: totp.map_err(|_| SealError::Encoding)?,
            progress: Progress::default(),
        })
    }
}

impl VaultCode {
    fn of(issued: &IssuedCode) -> Self {
        Self { digits: issued.code.as_str().to_owned(), expires_at: issued.expires_at.seconds() }
    }

    fn to_issued(&self) -> Result<IssuedCode, SealError> {
        let code = Code::parse(&self.digits).ok_or(SealError::Encoding)?;
        Ok(IssuedCode::new(code, Timestamp::from_seconds(self.expires_at)))
    }
}
