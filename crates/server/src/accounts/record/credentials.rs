//! The TOTP secrets of a record, by their fields or by an otpauth URI. A fault names its member and quotes no value.

use super::{Faults, Reading, RecordError, time};
use crate::entropy::random_uuid;
use einmal_core::Entropy;
use einmal_core::account::{Credential, Progress};
use einmal_core::otp::{
    Algorithm, OtpauthUri, Secret, SecretError, Totp, TotpError, UnknownAlgorithm, UriError,
};
use serde::Deserialize;
use uuid::Uuid;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// By its fields, or by an otpauth URI.
#[derive(Deserialize, Zeroize, ZeroizeOnDrop)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct TotpRecord {
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

/// Those of the array `member`, and a warning for each that is weak.
pub(super) fn credentials(
    member: &str,
    records: &[TotpRecord],
    most: usize,
    reading: &Reading,
    warnings: &mut Vec<String>,
    faults: &mut Faults,
) -> Vec<Credential> {
    if records.len() > most {
        let fault = format!("{} given, expected at most {most}", records.len());
        faults.push(RecordError::at(member, fault));
        return Vec::new();
    }
    let mut credentials: Vec<Credential> = Vec::with_capacity(records.len());
    for (index, record) in records.iter().enumerate() {
        let place = format!("{member}[{index}]");
        let Some(credential) = record.credential(&place, reading, faults) else { continue };
        if credentials.iter().any(|other| other.id == credential.id) {
            faults.push(RecordError::at(format!("{place}.id"), "given twice"));
        }
        let length = credential.totp.secret().bytes().len();
        if length < Secret::RECOMMENDED_BYTES {
            warnings
                .push(format!("{place}: a secret of {length} bytes is short, 16 or more are recommended"));
        }
        credentials.push(credential);
    }
    credentials
}

impl TotpRecord {
    fn credential(&self, place: &str, reading: &Reading, faults: &mut Faults) -> Option<Credential> {
        let at = |name: &str| format!("{place}.{name}");
        let id = faults.note(self.id(&at("id"), reading.entropy));
        let totp = faults.note(self.totp(place));
        let created_at = faults.note(time(&at("createdAt"), self.created_at.as_deref()));
        let (totp, name) = totp?;
        let label = self.label.clone().or(name);
        if label.as_ref().is_some_and(|label| label.chars().count() > MAX_LABEL_CHARACTERS) {
            let fault = format!("expected at most {MAX_LABEL_CHARACTERS} characters");
            faults.push(RecordError::at(at("label"), fault));
        }
        // Seconds in the place of steps would lock the account for good, without a word.
        let latest = totp.step_at(reading.now).saturating_add(MOST_STEPS_AHEAD);
        if self.last_step.is_some_and(|step| step > latest) {
            let fault = format!("expected the number of a period since 1970, now at most {latest}");
            faults.push(RecordError::at(at("lastStep"), fault));
        }
        Some(Credential {
            id: id?,
            label,
            created_at: created_at?.unwrap_or(reading.now),
            totp,
            progress: Progress { last_step: self.last_step, ..Progress::default() },
        })
    }

    fn id(&self, member: &str, entropy: &dyn Entropy) -> Result<Uuid, RecordError> {
        match &self.id {
            Some(id) => Uuid::parse_str(id).map_err(|_| RecordError::at(member, "expected a UUID")),
            None => Ok(random_uuid(entropy)?),
        }
    }

    /// With the name that a URI has for it.
    fn totp(&self, place: &str) -> Result<(Totp, Option<String>), RecordError> {
        let at = |name: &str| format!("{place}.{name}");
        match (&self.uri, &self.secret) {
            (Some(uri), None)
                if self.algorithm.is_none() && self.digits.is_none() && self.period.is_none() =>
            {
                let uri = OtpauthUri::parse(uri)
                    .map_err(|error: UriError| RecordError::at(at("uri"), error.to_string()))?;
                let name: String = uri.account.chars().take(MAX_LABEL_CHARACTERS).collect();
                Ok((uri.totp, Some(name).filter(|name| !name.is_empty())))
            }
            (None, Some(secret)) => Ok((self.totp_of_fields(secret, at)?, None)),
            (None, None) => Err(RecordError::at(place, "expected secret or uri")),
            (Some(_), _) => Err(RecordError::at(at("uri"), "given together with fields it stands for")),
        }
    }

    fn totp_of_fields(&self, secret: &str, at: impl Fn(&str) -> String) -> Result<Totp, RecordError> {
        let mut faults = Faults::default();
        let secret = Secret::from_base32(secret)
            .map_err(|error: SecretError| RecordError::at(at("secret"), error.to_string()));
        let secret = faults.note(secret);
        let algorithm = self.algorithm.as_deref().map_or(Ok(Algorithm::default()), |name| {
            name.parse()
                .map_err(|error: UnknownAlgorithm| RecordError::at(at("algorithm"), error.to_string()))
        });
        let algorithm = faults.note(algorithm);
        let digits = self.digits.unwrap_or(Totp::DEFAULT_DIGITS.into());
        let period = self.period.unwrap_or(Totp::DEFAULT_PERIOD.into());
        let refused = |error: TotpError| {
            let member = match error {
                TotpError::Digits(_) => "digits",
                TotpError::Period(_) => "period",
            };
            RecordError::at(at(member), error.to_string())
        };
        for checked in [Totp::check_digits(digits).map(drop), Totp::check_period(period).map(drop)] {
            faults.note(checked.map_err(refused));
        }
        faults.finish()?;
        match (secret, algorithm) {
            (Some(secret), Some(algorithm)) => Totp::new(secret, algorithm, digits, period).map_err(refused),
            _ => Err(RecordError::at(at("secret"), "expected a secret")),
        }
    }
}
