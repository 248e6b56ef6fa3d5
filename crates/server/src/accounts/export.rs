//! An account as a line that `import` reads. Without secrets it is for looking at, and cannot be brought in again.

use einmal_core::Timestamp;
use einmal_core::account::{Account, AccountId, Credential, StoredHash};
use serde::Serialize;
use zeroize::Zeroizing;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Secrets {
    Included,
    LeftOut,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Record<'a> {
    issuer: &'a str,
    id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    registered_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pin_hash: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    password_hash: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    device_totps: Vec<TotpRecord<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    authenticators: Vec<TotpRecord<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TotpRecord<'a> {
    id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    label: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    created_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<Zeroizing<String>>,
    algorithm: &'static str,
    digits: u8,
    period: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_step: Option<u64>,
}

/// One line, without its end.
pub fn write_record(
    id: &AccountId,
    account: &Account,
    secrets: Secrets,
) -> Result<Zeroizing<String>, serde_json::Error> {
    let record = Record {
        issuer: id.issuer(),
        id: id.subject(),
        email: account.email.as_deref(),
        registered_at: account.registered_at.and_then(rfc_3339),
        // One that died of guesses would live again where this is imported.
        pin_hash: hash(account.pin.as_ref().filter(|_| account.has_live_pin()), secrets),
        password_hash: hash(account.password.as_ref(), secrets),
        device_totps: account.devices.iter().map(|device| TotpRecord::of(device, secrets)).collect(),
        authenticators: account.authenticators.iter().map(|app| TotpRecord::of(app, secrets)).collect(),
    };
    serde_json::to_string(&record).map(Zeroizing::new)
}

fn hash(hash: Option<&StoredHash>, secrets: Secrets) -> Option<&str> {
    hash.filter(|_| secrets == Secrets::Included).map(StoredHash::as_str)
}

impl<'a> TotpRecord<'a> {
    fn of(credential: &'a Credential, secrets: Secrets) -> Self {
        let totp = &credential.totp;
        Self {
            id: credential.id.to_string(),
            label: credential.label.as_deref(),
            created_at: rfc_3339(credential.created_at),
            secret: (secrets == Secrets::Included).then(|| totp.secret().to_base32()),
            algorithm: totp.algorithm().name(),
            digits: totp.digits(),
            period: totp.period(),
            last_step: credential.progress.last_step,
        }
    }
}

/// `None` for a time beyond what the calendar library takes, which no account has.
pub fn rfc_3339(time: Timestamp) -> Option<String> {
    let seconds = i64::try_from(time.seconds()).ok()?;
    jiff::Timestamp::from_second(seconds).ok().map(|time| time.to_string())
}
