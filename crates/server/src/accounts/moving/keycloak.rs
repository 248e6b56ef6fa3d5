//! A realm as `kc.sh export` writes it, with its users and their credentials. What the Admin API shows has no secrets and
//! is of no use here.

mod password;

use super::super::export::rfc_3339;
use super::super::import::{Entry, Origins};
use super::draft::{Draft, TotpDraft, label};
use super::secret_text::Encoding;
use super::{Choices, Kind, RecordError, SubjectSource, Translation, Unreadable, fault};
use einmal_core::Timestamp;
use password::PasswordData;
use serde::Deserialize;
use serde::de::IgnoredAny;
use uuid::Uuid;
use zeroize::Zeroizing;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Realm {
    users: Option<Vec<Lenient<User>>>,
    /// Of users that are in a directory, and have only their credentials in Keycloak.
    federated_users: Option<Vec<Lenient<User>>>,
}

/// One user that is not as Keycloak writes it must not hide all others.
#[derive(Deserialize)]
#[serde(untagged)]
enum Lenient<T> {
    Understood(T),
    Strange(IgnoredAny),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct User {
    id: Option<String>,
    username: Option<String>,
    email: Option<String>,
    email_verified: Option<bool>,
    /// Milliseconds since 1970.
    created_timestamp: Option<u64>,
    credentials: Option<Vec<Lenient<Credential>>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Credential {
    id: Option<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
    user_label: Option<String>,
    created_date: Option<u64>,
    /// JSON in a text, as is the next one.
    #[serde(rename = "secretData")]
    secret: Option<Zeroizing<String>>,
    #[serde(rename = "credentialData")]
    data: Option<String>,
}

#[derive(Deserialize)]
struct OtpSecret {
    value: Zeroizing<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct OtpData {
    sub_type: String,
    digits: Option<u64>,
    period: Option<u64>,
    algorithm: Option<String>,
    secret_encoding: Option<String>,
}

/// What a user will miss, or nobody.
const WITHOUT_SECRET: &str = "users without a one-time password";
const HOTP: &str = "HOTP, whose counter cannot be moved safely";
const WEBAUTHN: &str = "passkeys and security keys, which are bound to where they were made";
const RECOVERY_CODES: &str = "recovery codes, which einmal does not have";
const PASSWORD: &str = "passwords of a hash that einmal does not compute";
const UNKNOWN: &str = "credentials of another kind";

pub(super) fn translate(
    text: &str,
    choices: &Choices,
    translation: &mut Translation,
) -> Result<(), Unreadable> {
    let start = text.trim_start();
    if start.starts_with('[') {
        return Err(Unreadable::new("holds several realms, expected one: export it with --realm"));
    }
    let realm: Realm = serde_json::from_str(text).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        Unreadable::new(format!("not a realm as Keycloak exports it (line {line}, column {column})"))
    })?;
    if realm.users.is_none() && realm.federated_users.is_none() {
        return Err(Unreadable::new(
            "has no users: export with --users realm_file, or import the files with users in their names",
        ));
    }
    for (list, users) in [("users", realm.users), ("federatedUsers", realm.federated_users)] {
        for (index, user) in users.into_iter().flatten().enumerate() {
            let place = format!("{list}[{index}]");
            match user {
                Lenient::Understood(user) => user.translate(&place, choices, translation),
                Lenient::Strange(_) => translation.entries.push_back(Entry {
                    place,
                    record: Err(fault("user", "expected an object as Keycloak writes it")),
                    origins: Origins::default(),
                    warnings: Vec::new(),
                }),
            }
        }
    }
    Ok(())
}

/// What a user's credentials have become.
struct Collected {
    draft: Draft,
    origins: Vec<String>,
    faults: Vec<RecordError>,
    has_password: bool,
}

impl User {
    fn translate(&self, place: &str, choices: &Choices, translation: &mut Translation) {
        let name = self.username.as_deref().map(|name| format!(" {name:?}")).unwrap_or_default();
        let place = format!("{place}{name}");
        let (draft, origins) = (self.draft(choices), Vec::new());
        let mut collected = Collected { draft, origins, faults: Vec::new(), has_password: false };
        for (index, credential) in self.credentials.iter().flatten().enumerate() {
            let at = format!("credentials[{index}]");
            let taken = match credential {
                Lenient::Understood(credential) => credential.collect(&at, choices, &mut collected),
                Lenient::Strange(_) => Err(fault(&at, "expected an object as Keycloak writes it")),
            };
            match taken {
                Ok(None) => {}
                Ok(Some(missed)) => translation.leave_out(Some(format!("{place}: {at}")), missed),
                Err(error) => collected.faults.push(error),
            }
        }
        let Collected { draft, origins, mut faults, has_password } = collected;
        if origins.is_empty() && faults.is_empty() && !has_password {
            translation.leave_out(None, WITHOUT_SECRET);
            return;
        }
        if draft.id.is_empty() {
            let (member, other) = match choices.subject {
                SubjectSource::Username => ("username", "`--subject id` takes the id"),
                _ => ("id", "`--subject username` takes the name"),
            };
            faults.insert(0, fault(member, format!("missing, expected what becomes the subject; {other}")));
        }
        let record = match faults.len() {
            0 => draft.line(),
            _ => Err(RecordError::Several(faults)),
        };
        let origins = Origins { member: choices.kind.member(), secrets: origins };
        translation.entries.push_back(Entry { place, record, origins, warnings: Vec::new() });
    }

    fn draft(&self, choices: &Choices) -> Draft {
        let subject = match choices.subject {
            SubjectSource::Username => &self.username,
            _ => &self.id,
        };
        let mut draft = Draft::of(subject.as_deref().unwrap_or_default());
        // An address here counts as verified.
        draft.email = self.email.clone().filter(|_| self.email_verified == Some(true));
        draft.registered_at = time(self.created_timestamp);
        draft
    }
}

impl Credential {
    /// What of it somebody will miss.
    fn collect(
        &self,
        place: &str,
        choices: &Choices,
        collected: &mut Collected,
    ) -> Result<Option<&'static str>, RecordError> {
        match self.kind.as_deref().unwrap_or_default() {
            "otp" => self.otp(place, choices.kind, collected),
            "password" if choices.passwords => {
                let data = PasswordData::parse(
                    place,
                    self.secret.as_ref().map(|text| text.as_str()),
                    self.data.as_deref(),
                )?;
                let hash = data.hash(place)?;
                collected.has_password |= hash.is_some();
                let missed = hash.is_none().then_some(PASSWORD);
                collected.draft.password_hash = hash;
                Ok(missed)
            }
            // They stay with Keycloak, which goes on judging them.
            "password" => Ok(None),
            "webauthn" | "webauthn-passwordless" => Ok(Some(WEBAUTHN)),
            "recovery-authn-codes" => Ok(Some(RECOVERY_CODES)),
            _ => Ok(Some(UNKNOWN)),
        }
    }

    fn otp(
        &self,
        place: &str,
        kind: Kind,
        collected: &mut Collected,
    ) -> Result<Option<&'static str>, RecordError> {
        let data = self.data.as_deref().and_then(|text| serde_json::from_str(text).ok());
        let data: OtpData =
            data.ok_or_else(|| fault(format!("{place}.credentialData"), "expected JSON with a subType"))?;
        if data.sub_type == "hotp" {
            return Ok(Some(HOTP));
        }
        if data.sub_type != "totp" {
            return Err(fault(format!("{place}.credentialData.subType"), "expected totp or hotp"));
        }
        let secret = self.secret.as_deref().and_then(|text| serde_json::from_str(text).ok());
        let secret: OtpSecret = secret.ok_or_else(|| {
            fault(
                format!("{place}.secretData"),
                "expected JSON with a value, which `kc.sh export` writes and the Admin API does not",
            )
        })?;
        let mut totp = TotpDraft::of_secret(encoded(place, &data, &secret)?);
        totp.id = self.id.clone().filter(|id| Uuid::parse_str(id).is_ok());
        totp.label = label(self.user_label.as_deref());
        totp.created_at = time(self.created_date);
        totp.algorithm = data.algorithm.map(|name| name.strip_prefix("Hmac").unwrap_or(&name).to_owned());
        (totp.digits, totp.period) = (data.digits, data.period);
        collected.draft.add(kind, totp);
        collected.origins.push(format!("{place}."));
        Ok(None)
    }
}

/// Without an encoding the secret is the bytes of the text itself, whatever they look like.
fn encoded(place: &str, data: &OtpData, secret: &OtpSecret) -> Result<String, RecordError> {
    let encoding = match data.secret_encoding.as_deref() {
        None => Encoding::Utf8,
        Some(name) if name.eq_ignore_ascii_case("BASE32") => Encoding::Base32,
        Some(_) => {
            return Err(fault(
                format!("{place}.credentialData.secretEncoding"),
                "expected BASE32, or none for the bytes of the text",
            ));
        }
    };
    let secret = encoding.to_base32(&secret.value);
    secret.map_err(|expected| fault(format!("{place}.secretData"), expected))
}

fn time(milliseconds: Option<u64>) -> Option<String> {
    rfc_3339(Timestamp::from_seconds(milliseconds? / 1_000))
}
