//! An account as `import` and `export` write it, one JSON object a line. Errors name the member and what was
//! expected, and never quote a value: it may be a secret.

mod credentials;
mod faults;

pub use faults::RecordError;

use super::password_hash::{HashError, HashingError, PasswordHash, hash_argon2id};
use credentials::{TotpRecord, credentials};
use einmal_core::account::{Account, AccountId, StoredHash, check_pin};
use einmal_core::policy::Policy;
use einmal_core::{Entropy, Timestamp};
use faults::Faults;
use serde::Deserialize;
use std::sync::Arc;
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

#[derive(Deserialize, Zeroize, ZeroizeOnDrop)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Record {
    issuer: Option<String>,
    id: Option<String>,
    email: Option<String>,
    registered_at: Option<String>,
    pin: Option<String>,
    pin_hash: Option<String>,
    password: Option<String>,
    password_hash: Option<String>,
    device_totps: Option<Vec<TotpRecord>>,
    authenticators: Option<Vec<TotpRecord>>,
}

const MAX_PASSWORD_BYTES: usize = 1024;

/// Reads one line. A clear PIN or password is hashed here, which takes some 14 ms; but only once all else is right.
pub fn read_record(line: &str, reading: &Reading) -> Result<Provisioned, RecordError> {
    let record = Record::parse(line)?;
    let mut faults = Faults::default();
    let id = faults.note(record.account_id(reading.issuers));
    record.provision(id, reading, faults)
}

/// The same for an account that is named elsewhere: the record may leave it out, and must not name another one.
pub fn read_record_of(id: AccountId, line: &str, reading: &Reading) -> Result<Provisioned, RecordError> {
    let record = Record::parse(line)?;
    let mut faults = Faults::default();
    for (member, given, expected) in
        [("issuer", &record.issuer, id.issuer()), ("id", &record.id, id.subject())]
    {
        if given.as_deref().is_some_and(|given| given != expected) {
            faults.push(RecordError::at(member, "expected what the path names, or nothing"));
        }
    }
    record.provision(Some(id), reading, faults)
}

impl Record {
    fn parse(line: &str) -> Result<Self, RecordError> {
        // serde takes an array of the members' values for the same.
        if !line.trim_start().starts_with('{') {
            return Err(RecordError::Syntax(1));
        }
        serde_json::from_str(line).map_err(|error| describe(&error))
    }

    /// `faults` are those found so far; without an `id` there is one.
    fn provision(
        &self,
        id: Option<AccountId>,
        reading: &Reading,
        mut faults: Faults,
    ) -> Result<Provisioned, RecordError> {
        let mut warnings = Vec::new();
        let email = faults.note(self.email.as_deref().map(check_email).transpose()).flatten();
        let registered_at = faults.note(time("registeredAt", self.registered_at.as_deref())).flatten();
        let pin = given("pin", self.pin.as_deref(), "pinHash", self.pin_hash.as_deref(), check_clear_pin);
        let pin = faults.note(pin).flatten();
        let (password, hash) = (self.password.as_deref(), self.password_hash.as_deref());
        let password = given("password", password, "passwordHash", hash, check_clear_password);
        let password = faults.note(password).flatten();
        let mut secrets = |member, records: Option<&[TotpRecord]>, most| {
            credentials(member, records.unwrap_or_default(), most, reading, &mut warnings, &mut faults)
        };
        let devices = secrets("deviceTotps", self.device_totps.as_deref(), reading.policy.max_devices);
        let authenticators =
            secrets("authenticators", self.authenticators.as_deref(), reading.policy.max_authenticators);
        faults.finish()?;
        let mut account = Account {
            email,
            registered_at,
            pin: pin.map(|pin| pin.hashed(reading.entropy)).transpose()?,
            password: password.map(|password| password.hashed(reading.entropy)).transpose()?,
            devices,
            authenticators,
            ..Account::default()
        };
        account.unite_progress();
        let id = id.ok_or_else(missing_id)?;
        let clear_pin = self.pin.clone().map(Zeroizing::new);
        Ok(Provisioned { id, account, clear_pin, warnings })
    }

    fn account_id(&self, issuers: &IssuerNames) -> Result<AccountId, RecordError> {
        let subject = self.id.as_deref().ok_or_else(missing_id)?;
        let name = match (&self.issuer, issuers.0.as_slice()) {
            (Some(name), known) => known.iter().find(|known| ***known == **name).ok_or_else(|| {
                RecordError::at(
                    "issuer",
                    format!("{name:?} is not configured, expected one of {}", known.join(", ")),
                )
            })?,
            (None, [only]) => only,
            (None, known) => {
                return Err(RecordError::at(
                    "issuer",
                    format!("missing, expected one of {}", known.join(", ")),
                ));
            }
        };
        if !is_subject(subject) {
            return Err(RecordError::at("id", "expected 1 to 255 bytes without control characters"));
        }
        Ok(AccountId::new(Arc::clone(name), subject))
    }
}

fn missing_id() -> RecordError {
    RecordError::Members("missing field `id`".to_owned())
}

/// Whether a token can have this subject.
pub fn is_subject(text: &str) -> bool {
    (1..=255).contains(&text.len()) && !text.chars().any(char::is_control)
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

/// A PIN or password as the record gives it.
enum Given<'a> {
    Clear(&'a str),
    Hashed(StoredHash),
}

impl Given<'_> {
    fn hashed(self, entropy: &dyn Entropy) -> Result<StoredHash, HashingError> {
        match self {
            Self::Clear(text) => Ok(StoredHash::new(hash_argon2id(text.as_bytes(), entropy)?)),
            Self::Hashed(hash) => Ok(hash),
        }
    }
}

fn given<'a>(
    member: &str,
    clear: Option<&'a str>,
    hash_member: &str,
    hash: Option<&str>,
    check: fn(&str) -> Result<(), String>,
) -> Result<Option<Given<'a>>, RecordError> {
    match (clear, hash) {
        (Some(_), Some(_)) => {
            Err(RecordError::at(member, format!("given together with {hash_member}, expected one of them")))
        }
        (Some(clear), None) => {
            check(clear).map_err(|fault| RecordError::at(member, fault))?;
            Ok(Some(Given::Clear(clear)))
        }
        (None, Some(hash)) => {
            let parsed = PasswordHash::parse(hash);
            parsed.map_err(|error: HashError| RecordError::at(hash_member, error.to_string()))?;
            Ok(Some(Given::Hashed(StoredHash::new(hash))))
        }
        (None, None) => Ok(None),
    }
}

fn check_clear_pin(pin: &str) -> Result<(), String> {
    check_pin(pin).map_err(|fault| fault.to_string())
}

fn check_clear_password(password: &str) -> Result<(), String> {
    if (1..=MAX_PASSWORD_BYTES).contains(&password.len()) {
        return Ok(());
    }
    Err(format!("expected 1 to {MAX_PASSWORD_BYTES} bytes"))
}
