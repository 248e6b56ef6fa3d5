//! A password's hash as Keycloak keeps it, in the form that records have. Its bounds are for the reader to judge.

use super::super::{RecordError, fault};
use data_encoding::{BASE64, BASE64_NOPAD};
use serde::Deserialize;
use std::collections::HashMap;
use zeroize::Zeroizing;

#[derive(Deserialize)]
struct SecretData {
    /// Base64.
    value: Zeroizing<String>,
    salt: Option<Zeroizing<String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CredentialData {
    hash_iterations: u64,
    algorithm: String,
    #[serde(default)]
    additional_parameters: HashMap<String, Vec<String>>,
}

pub(super) struct PasswordData {
    secret: SecretData,
    data: CredentialData,
}

impl PasswordData {
    pub(super) fn parse(place: &str, secret: Option<&str>, data: Option<&str>) -> Result<Self, RecordError> {
        let secret = secret.and_then(|text| serde_json::from_str(text).ok());
        let secret = secret
            .ok_or_else(|| fault(format!("{place}.secretData"), "expected JSON with a value and a salt"))?;
        let data = data.and_then(|text| serde_json::from_str(text).ok());
        let data = data.ok_or_else(|| {
            fault(
                format!("{place}.credentialData"),
                "expected JSON with a number of hashIterations and an algorithm",
            )
        })?;
        Ok(Self { secret, data })
    }

    /// `None` for a hash that einmal does not compute.
    pub(super) fn hash(&self, place: &str) -> Result<Option<String>, RecordError> {
        let rounds = self.data.hash_iterations;
        let head = match self.data.algorithm.as_str() {
            name @ ("pbkdf2-sha256" | "pbkdf2-sha512") => format!("{name}$i={rounds}"),
            "argon2" => {
                let parameter = |name: &str| {
                    let value = self.data.additional_parameters.get(name).and_then(|values| values.first());
                    value.map(String::as_str).ok_or_else(|| {
                        fault(format!("{place}.credentialData"), format!("expected the parameter {name:?}"))
                    })
                };
                let version = match parameter("version")? {
                    "1.0" => 16,
                    "1.3" => 19,
                    _ => {
                        return Err(fault(
                            format!("{place}.credentialData"),
                            "expected version 1.0 or 1.3 of argon2",
                        ));
                    }
                };
                let (kind, memory, lanes) =
                    (parameter("type")?, parameter("memory")?, parameter("parallelism")?);
                format!("argon2{kind}$v={version}$m={memory},t={rounds},p={lanes}")
            }
            _ => return Ok(None),
        };
        let unpadded = |text: &str, what: &str| {
            let bytes = BASE64.decode(text.as_bytes()).map(Zeroizing::new);
            bytes.map(|bytes| BASE64_NOPAD.encode(&bytes)).map_err(|_| {
                fault(format!("{place}.secretData"), format!("expected a {what} in padded base64"))
            })
        };
        let salt = self.secret.salt.as_ref().map_or("", |salt| salt.as_str());
        let (salt, value) = (unpadded(salt, "salt")?, unpadded(&self.secret.value, "value")?);
        Ok(Some(format!("${head}${salt}${value}")))
    }
}
