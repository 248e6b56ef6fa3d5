//! An account as `import` and `export` write it, one JSON object a line. Errors name the member and what was
//! expected, and never quote a value: it may be a secret.

use super::password_hash::{HashError, HashingError, PasswordHash, hash_argon2id};
use einmal_core::account::{Account, AccountId, Credential, PinFault, Progress, StoredHash, check_pin};
use einmal_core::otp::{
    Algorithm, OtpauthUri, Secret, SecretError, Totp, TotpError, UnknownAlgorithm, UriError,
};
use einmal_core::policy::Policy;
use einmal_core::{Entropy, EntropyError, Timestamp};
use serde::Deserialize;
use std::sync::Arc;
use uuid::Uuid;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// The names of the configured issuers; a record may leave its issuer out if there is only one.
pub struct IssuerNames(pub Vec<Arc<str>>);

/// What a record is read with.
pub struct Reading<'a> {
    pub issuers: &'a IssuerNames,
    pub policy: &'a Policy,
    pub entropy: &'a dyn Entropy,
    pub now: Timestamp,
}

/// A record that was understood.
pub struct Provisioned {
    pub id: AccountId,
    pub account: Account,
    /// If it did not come as a hash.
    pub clear_pin: Option<Zeroizing<String>>,
    /// Fit for the operator, without secrets.
    pub warnings: Vec<String>,
}

#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    #[error("not a JSON object (column {0})")]
    Syntax(usize),
    #[error("longer than {0} bytes")]
    TooLong(usize),
    #[error("not UTF-8")]
    NotUtf8,
    #[error("{0}")]
    Members(String),
    #[error("{member}: {fault}")]
    Member { member: String, fault: String },
    #[error(transparent)]
    Entropy(#[from] EntropyError),
    #[error(transparent)]
    Hashing(#[from] HashingError),
}

impl RecordError {
    fn at(member: impl Into<String>, fault: impl Into<String>) -> Self {
        Self::Member { member: member.into(), fault: fault.into() }
    }
}

#[derive(Deserialize, Zeroize, ZeroizeOnDrop)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Record {
    issuer: Option<String>,
    id: String,
    email: Option<String>,
    registered_at: Option<String>,
    pin: Option<String>,
    pin_hash: Option<String>,
    password: Option<String>,
    password_hash: Option<String>,
    #[serde(default)]
    device_totps: Vec<TotpRecord>,
    #[serde(default)]
    authenticators: Vec<TotpRecord>,
}

/// By its fields, or by an otpauth URI.
#[derive(Deserialize, Zeroize, ZeroizeOnDrop)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct TotpRecord {
    id: Option<String>,
    label: Option<String>,
    created_at: Option<String>,
    secret: Option<String>,
    algorithm: Option<String>,
    digits: Option<u64>,
    period: Option<u64>,
    uri: Option<String>,
    last_step: Option<u64>,
}

const MAX_LABEL_CHARACTERS: usize = 64;
/// A last step may have been moved on by whoever made a restored copy safe.
const MOST_STEPS_AHEAD: u64 = 20;
const MAX_PASSWORD_BYTES: usize = 1024;

/// Reads one line. A clear PIN or password is hashed here, which takes some 14 ms.
pub fn read_record(line: &str, reading: &Reading) -> Result<Provisioned, RecordError> {
    // serde takes an array of the members' values for the same.
    if !line.trim_start().starts_with('{') {
        return Err(RecordError::Syntax(1));
    }
    let record: Record = serde_json::from_str(line).map_err(|error| describe(&error))?;
    let mut warnings = Vec::new();
    let mut account = Account {
        email: record.email.as_deref().map(check_email).transpose()?,
        registered_at: time("registeredAt", record.registered_at.as_deref())?,
        pin: pin(&record, reading)?,
        password: password(&record, reading)?,
        devices: credentials(
            "deviceTotps",
            &record.device_totps,
            reading.policy.max_devices,
            reading,
            &mut warnings,
        )?,
        authenticators: credentials(
            "authenticators",
            &record.authenticators,
            reading.policy.max_authenticators,
            reading,
            &mut warnings,
        )?,
        ..Account::default()
    };
    account.unite_progress();
    let clear_pin = record.pin.clone().map(Zeroizing::new);
    Ok(Provisioned { id: account_id(&record, reading.issuers)?, account, clear_pin, warnings })
}

/// serde's own text for a wrong type quotes the value, so only those about member names are passed on.
fn describe(error: &serde_json::Error) -> RecordError {
    let text = error.to_string();
    let about_names = ["unknown field", "missing field", "duplicate field"];
    if !error.is_data() {
        return RecordError::Syntax(error.column());
    }
    let text = text.rsplit_once(" at line ").map_or(text.as_str(), |(text, _)| text);
    if about_names.iter().any(|start| text.starts_with(start)) {
        return RecordError::Members(harmless(text));
    }
    RecordError::Members(format!("a value of the wrong type ends at column {}", error.column()))
}

/// A name comes from the line, and what shows it may be a terminal.
fn harmless(text: &str) -> String {
    let escaped =
        text.chars().map(|c| if c.is_control() { c.escape_default().to_string() } else { c.into() });
    escaped.collect()
}

fn account_id(record: &Record, issuers: &IssuerNames) -> Result<AccountId, RecordError> {
    let name = match (&record.issuer, issuers.0.as_slice()) {
        (Some(name), known) => known.iter().find(|known| ***known == **name).ok_or_else(|| {
            RecordError::at(
                "issuer",
                format!("{name:?} is not configured, expected one of {}", known.join(", ")),
            )
        })?,
        (None, [only]) => only,
        (None, known) => {
            return Err(RecordError::at("issuer", format!("missing, expected one of {}", known.join(", "))));
        }
    };
    if !(1..=255).contains(&record.id.len()) || record.id.chars().any(char::is_control) {
        return Err(RecordError::at("id", "expected 1 to 255 bytes without control characters"));
    }
    Ok(AccountId::new(Arc::clone(name), record.id.as_str()))
}

/// Enough to keep what is no address out of a mail's envelope; whether it exists, only a mail can tell.
fn check_email(email: &str) -> Result<String, RecordError> {
    let plain = |part: &str| {
        !part.is_empty()
            && !part.chars().any(|c| c.is_control() || c.is_whitespace() || ",;<>\"\\".contains(c))
    };
    match email.split_once('@') {
        Some((local, domain))
            if email.len() <= 254 && plain(local) && plain(domain) && !domain.contains('@') =>
        {
            Ok(email.to_owned())
        }
        _ => Err(RecordError::at("email", "expected one address, such as a@example.com")),
    }
}

fn time(member: &str, text: Option<&str>) -> Result<Option<Timestamp>, RecordError> {
    let Some(text) = text else { return Ok(None) };
    let parsed: Option<jiff::Timestamp> = text.parse().ok();
    let seconds = parsed.and_then(|time| u64::try_from(time.as_second()).ok());
    let fault = || RecordError::at(member, "expected a time as in 2026-11-01T10:00:00Z");
    Ok(Some(Timestamp::from_seconds(seconds.ok_or_else(fault)?)))
}

fn pin(record: &Record, reading: &Reading) -> Result<Option<StoredHash>, RecordError> {
    match (&record.pin, &record.pin_hash) {
        (Some(_), Some(_)) => {
            Err(RecordError::at("pin", "given together with pinHash, expected one of them"))
        }
        (Some(pin), None) => {
            check_pin(pin).map_err(|fault: PinFault| RecordError::at("pin", fault.to_string()))?;
            Ok(Some(StoredHash::new(hash_argon2id(pin.as_bytes(), reading.entropy)?)))
        }
        (None, Some(hash)) => checked_hash("pinHash", hash).map(Some),
        (None, None) => Ok(None),
    }
}

fn password(record: &Record, reading: &Reading) -> Result<Option<StoredHash>, RecordError> {
    match (&record.password, &record.password_hash) {
        (Some(_), Some(_)) => {
            Err(RecordError::at("password", "given together with passwordHash, expected one of them"))
        }
        (Some(password), None) => {
            if !(1..=MAX_PASSWORD_BYTES).contains(&password.len()) {
                return Err(RecordError::at("password", format!("expected 1 to {MAX_PASSWORD_BYTES} bytes")));
            }
            Ok(Some(StoredHash::new(hash_argon2id(password.as_bytes(), reading.entropy)?)))
        }
        (None, Some(hash)) => checked_hash("passwordHash", hash).map(Some),
        (None, None) => Ok(None),
    }
}

fn checked_hash(member: &str, text: &str) -> Result<StoredHash, RecordError> {
    PasswordHash::parse(text).map_err(|error: HashError| RecordError::at(member, error.to_string()))?;
    Ok(StoredHash::new(text))
}

fn credentials(
    member: &str,
    records: &[TotpRecord],
    most: usize,
    reading: &Reading,
    warnings: &mut Vec<String>,
) -> Result<Vec<Credential>, RecordError> {
    if records.len() > most {
        return Err(RecordError::at(member, format!("{} given, expected at most {most}", records.len())));
    }
    let mut credentials: Vec<Credential> = Vec::with_capacity(records.len());
    for (index, record) in records.iter().enumerate() {
        let place = format!("{member}[{index}]");
        let credential = credential(&place, record, reading)?;
        if credentials.iter().any(|other| other.id == credential.id) {
            return Err(RecordError::at(format!("{place}.id"), "given twice"));
        }
        let length = credential.totp.secret().bytes().len();
        if length < Secret::RECOMMENDED_BYTES {
            warnings
                .push(format!("{place}: a secret of {length} bytes is short, 16 or more are recommended"));
        }
        credentials.push(credential);
    }
    Ok(credentials)
}

fn credential(place: &str, record: &TotpRecord, reading: &Reading) -> Result<Credential, RecordError> {
    let at = |name: &str| format!("{place}.{name}");
    let id = match &record.id {
        Some(id) => Uuid::parse_str(id).map_err(|_| RecordError::at(at("id"), "expected a UUID"))?,
        None => random_uuid(reading.entropy)?,
    };
    let (totp, name) = match (&record.uri, &record.secret) {
        (Some(uri), None)
            if record.algorithm.is_none() && record.digits.is_none() && record.period.is_none() =>
        {
            let uri = OtpauthUri::parse(uri)
                .map_err(|error: UriError| RecordError::at(at("uri"), error.to_string()))?;
            let name: String = uri.account.chars().take(MAX_LABEL_CHARACTERS).collect();
            (uri.totp, Some(name).filter(|name| !name.is_empty()))
        }
        (None, Some(secret)) => (totp(place, secret, record)?, None),
        (None, None) => return Err(RecordError::at(place, "expected secret or uri")),
        (Some(_), _) => return Err(RecordError::at(at("uri"), "given together with fields it stands for")),
    };
    let label = record.label.clone().or(name);
    if label.as_ref().is_some_and(|label| label.chars().count() > MAX_LABEL_CHARACTERS) {
        return Err(RecordError::at(
            at("label"),
            format!("expected at most {MAX_LABEL_CHARACTERS} characters"),
        ));
    }
    // Seconds in the place of steps would lock the account for good, without a word.
    let latest = totp.step_at(reading.now).saturating_add(MOST_STEPS_AHEAD);
    if record.last_step.is_some_and(|step| step > latest) {
        let expected = format!("expected the number of a period since 1970, now at most {latest}");
        return Err(RecordError::at(at("lastStep"), expected));
    }
    Ok(Credential {
        id,
        label,
        created_at: time(&at("createdAt"), record.created_at.as_deref())?.unwrap_or(reading.now),
        totp,
        progress: Progress { last_step: record.last_step, ..Progress::default() },
    })
}

fn totp(place: &str, secret: &str, record: &TotpRecord) -> Result<Totp, RecordError> {
    let secret = Secret::from_base32(secret)
        .map_err(|error: SecretError| RecordError::at(format!("{place}.secret"), error.to_string()))?;
    let algorithm = match &record.algorithm {
        Some(name) => name.parse().map_err(|error: UnknownAlgorithm| {
            RecordError::at(format!("{place}.algorithm"), error.to_string())
        })?,
        None => Algorithm::default(),
    };
    let digits = record.digits.unwrap_or(Totp::DEFAULT_DIGITS.into());
    let period = record.period.unwrap_or(Totp::DEFAULT_PERIOD.into());
    Totp::new(secret, algorithm, digits, period)
        .map_err(|error: TotpError| RecordError::at(place, error.to_string()))
}

fn random_uuid(entropy: &dyn Entropy) -> Result<Uuid, EntropyError> {
    let mut bytes = [0; 16];
    entropy.fill(&mut bytes)?;
    Ok(uuid::Builder::from_random_bytes(bytes).into_uuid())
}
