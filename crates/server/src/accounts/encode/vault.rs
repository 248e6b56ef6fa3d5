//! The vault: what is secret or rarely changes.

use super::super::seal::SealError;
use super::request::SealedRequest;
use einmal_core::Timestamp;
use einmal_core::account::{
    AcceptedRequests, Account, Credential, IssuedCode, Mailing, PendingAuthenticator, Progress, Sending,
    StoredHash,
};
use einmal_core::otp::{Algorithm, Code, Secret, Totp};
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use zeroize::{Zeroize, ZeroizeOnDrop};

#[derive(Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
pub(super) struct Vault {
    email: Option<String>,
    registered_at: Option<u64>,
    pin: Option<String>,
    password: Option<String>,
    devices: Vec<VaultCredential>,
    authenticators: Vec<VaultCredential>,
    account_code: Option<VaultCode>,
    login_code: Option<VaultCode>,
}

#[derive(Serialize, Deserialize, Zeroize, ZeroizeOnDrop, PartialEq)]
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
    pub(super) fn of(account: &Account) -> Self {
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

    pub(super) fn into_account(mut self) -> Result<Account, SealError> {
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

/// Of version 2.
#[derive(Serialize, Deserialize, Default, PartialEq)]
pub(super) struct VaultAddition {
    under_way: Option<VaultSending>,
    last_mail: Option<u64>,
    mails_sent_at: Vec<u64>,
    changes: Vec<SealedRequest>,
    pending: Vec<VaultCredential>,
}

#[derive(Serialize, Deserialize, PartialEq)]
struct VaultSending {
    id: u64,
    since: u64,
}

impl VaultAddition {
    pub(super) fn of(account: &Account) -> Self {
        let mailing = &account.mailing;
        let sending = |sending: &Sending| VaultSending { id: sending.id, since: sending.since.seconds() };
        let pending = account.pending_authenticators.iter();
        Self {
            under_way: mailing.under_way.as_ref().map(sending),
            last_mail: mailing.last,
            mails_sent_at: mailing.sent_at.iter().map(|at| at.seconds()).collect(),
            changes: SealedRequest::all_of(&account.accepted_changes),
            pending: pending.map(|pending| VaultCredential::of(&pending.credential)).collect(),
        }
    }

    pub(super) fn add_to(mut self, account: &mut Account) -> Result<(), SealError> {
        let sending =
            |sending: VaultSending| Sending { id: sending.id, since: Timestamp::from_seconds(sending.since) };
        account.mailing = Mailing {
            under_way: self.under_way.map(sending),
            last: self.last_mail,
            sent_at: self.mails_sent_at.into_iter().map(Timestamp::from_seconds).collect(),
        };
        account.accepted_changes =
            AcceptedRequests(self.changes.into_iter().map(SealedRequest::into_accepted).collect());
        for pending in &mut self.pending {
            let credential = pending.take_credential()?;
            account.pending_authenticators.push(PendingAuthenticator { credential, failures: 0 });
        }
        Ok(())
    }
}
