//! Tokens as privacyIDEA's `pi-tokenjanitor find export` writes them: its own format, encrypted or already opened, or
//! CSV. Its PSKC files do not say whose a token is, and its YAML says no more than these.

mod csv_lines;
mod fernet;

use super::draft::{Gathering, TotpDraft, label, refused_line};
use super::secret_text::Encoding;
use super::{Choices, RecordError, SubjectSource, Translation, Unreadable, fault};
use serde::Deserialize;
use serde_json::Value;
use std::collections::HashMap;
use zeroize::Zeroizing;

#[derive(Deserialize)]
struct Token {
    serial: Option<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
    /// Hex.
    otpkey: Option<Zeroizing<String>>,
    otplen: Option<Value>,
    description: Option<String>,
    active: Option<bool>,
    revoked: Option<bool>,
    rollout_state: Option<String>,
    /// Of a time-based token the last step that was accepted.
    count: Option<u64>,
    #[serde(default)]
    info_list: HashMap<String, Value>,
    user: Option<Owner>,
}

#[derive(Deserialize)]
struct Owner {
    login: Option<String>,
    realm: Option<String>,
    uid: Option<Value>,
}

const NO_OWNER: &str = "tokens without an owner";
const NOT_TOTP: &str = "tokens that are not time-based";
const SWITCHED_OFF: &str = "tokens that are disabled, revoked or not enrolled to the end";

/// States of a token that its owner uses; those that were never rolled out in steps have none.
const IN_USE: [&str; 2] = ["", "enrolled"];

pub(super) fn translate(
    text: &str,
    choices: &Choices,
    translation: &mut Translation,
) -> Result<(), Unreadable> {
    let text = text.trim();
    if text.starts_with('[') {
        return tokens(text, choices, translation);
    }
    if text.starts_with("gAAAA") {
        let key = choices.key.as_ref().ok_or_else(|| {
            Unreadable::new("is encrypted, expected --key-file with the key that the export printed")
        })?;
        // What follows it was printed to the same terminal.
        let text = fernet::open(text.split_whitespace().next().unwrap_or_default(), key)?;
        return tokens(&text, choices, translation);
    }
    if text.starts_with('<') || text.starts_with('-') {
        return Err(Unreadable::new(
            "is PSKC or YAML, expected the formats pi or csv of `pi-tokenjanitor find export`",
        ));
    }
    csv_lines::translate(text, choices, translation)
}

fn tokens(text: &str, choices: &Choices, translation: &mut Translation) -> Result<(), Unreadable> {
    let tokens: Vec<Value> = serde_json::from_str(text).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        Unreadable::new(format!("not a list of tokens in JSON (line {line}, column {column})"))
    })?;
    let mut accounts = Gathering::new(choices).of("token");
    for (number, token) in (1..).zip(tokens) {
        let Ok(token) = serde_json::from_value::<Token>(token) else {
            let error = fault("token", "expected an object as privacyIDEA writes it");
            translation.entries.push_back(refused_line("token", number, error));
            continue;
        };
        token.translate(number, choices, &mut accounts, translation);
    }
    accounts.finish(translation);
    Ok(())
}

impl Token {
    fn translate(
        &self,
        number: u64,
        choices: &Choices,
        accounts: &mut Gathering,
        translation: &mut Translation,
    ) {
        let serial = self.serial.as_deref().map(|serial| format!(" {serial:?}")).unwrap_or_default();
        if let Some(missed) = self.missed() {
            translation.leave_out(Some(format!("token {number}{serial}")), missed);
            return;
        }
        let Some(subject) = self.subject(choices.subject) else {
            let error = fault("user", "has no such name, expected what becomes the subject");
            translation.entries.push_back(refused_line("token", number, error));
            return;
        };
        accounts.add(number, (None, &subject), self.totp().map(Some));
        if let Some(warning) = self.clock_warning() {
            accounts.warn(number, &subject, warning);
        }
    }

    fn missed(&self) -> Option<&'static str> {
        if !self.kind.as_deref().is_some_and(|kind| kind.eq_ignore_ascii_case("totp")) {
            return Some(NOT_TOTP);
        }
        if self.user.is_none() {
            return Some(NO_OWNER);
        }
        let state = self.rollout_state.as_deref().unwrap_or_default();
        let is_in_use = self.active != Some(false) && self.revoked != Some(true) && IN_USE.contains(&state);
        (!is_in_use).then_some(SWITCHED_OFF)
    }

    fn subject(&self, source: SubjectSource) -> Option<String> {
        let user = self.user.as_ref()?;
        let subject = match source {
            SubjectSource::Uid => user.uid.as_ref().and_then(text)?,
            SubjectSource::LoginAtRealm => format!("{}@{}", user.login.as_deref()?, user.realm.as_deref()?),
            _ => user.login.clone()?,
        };
        Some(subject).filter(|subject| !subject.is_empty())
    }

    fn totp(&self) -> Result<TotpDraft, RecordError> {
        let key = self.otpkey.as_ref().ok_or_else(|| fault("otpkey", "missing, expected hex digits"))?;
        let secret = Encoding::Hex.to_base32(key).map_err(|expected| fault("otpkey", expected))?;
        let mut totp = TotpDraft::of_secret(secret);
        totp.label = label(self.description.as_deref()).or_else(|| label(self.serial.as_deref()));
        totp.algorithm = self.info_list.get("hashlib").and_then(text);
        totp.digits = self.otplen.as_ref().map(|length| number("otplen", length)).transpose()?;
        totp.period = self.info_list.get("timeStep").map(|step| number("timeStep", step)).transpose()?;
        totp.last_step = self.count.filter(|count| *count > 0);
        Ok(totp)
    }

    /// privacyIDEA follows a clock that is wrong, for minutes; einmal takes one period more or less.
    fn clock_warning(&self) -> Option<String> {
        let shift: f64 = self.info_list.get("timeShift").and_then(text)?.parse().ok()?;
        let period = self.info_list.get("timeStep").and_then(text)?.parse::<f64>().ok()?;
        // The shift is measured from the beginning of a period, which is half of one early.
        let off = shift + period / 2.0;
        (off.abs() > period * 1.5).then(|| {
            format!("its clock was some {off:.0} s off when it was last used: codes may not be accepted")
        })
    }
}

/// A text or a number, which tokens have in either form.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

fn number(member: &str, value: &Value) -> Result<u64, RecordError> {
    let number = text(value).and_then(|text| text.trim().parse().ok());
    number.ok_or_else(|| fault(member, "expected a number"))
}
