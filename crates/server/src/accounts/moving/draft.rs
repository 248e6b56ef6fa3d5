//! A record in the making. Lines about one subject become one account, which is refused as a whole if one of them is
//! wrong: half of somebody's devices would be worse than an error.

use super::super::import::{Entry, Origins};
use super::super::record::RecordError;
use super::{Choices, Kind, Translation, fault};
use serde::Serialize;
use std::collections::HashMap;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// The members of a record, as the reader of records names them.
#[derive(Default, Serialize, Zeroize, ZeroizeOnDrop)]
#[serde(rename_all = "camelCase")]
pub(super) struct Draft {
    pub(super) issuer: Option<String>,
    pub(super) id: String,
    pub(super) email: Option<String>,
    pub(super) registered_at: Option<String>,
    pub(super) pin: Option<String>,
    pub(super) pin_hash: Option<String>,
    pub(super) password: Option<String>,
    pub(super) password_hash: Option<String>,
    device_totps: Vec<TotpDraft>,
    authenticators: Vec<TotpDraft>,
}

#[derive(Default, Serialize, Zeroize, ZeroizeOnDrop)]
#[serde(rename_all = "camelCase")]
pub(super) struct TotpDraft {
    pub(super) id: Option<String>,
    pub(super) label: Option<String>,
    pub(super) created_at: Option<String>,
    pub(super) secret: Option<String>,
    pub(super) algorithm: Option<String>,
    pub(super) digits: Option<u64>,
    pub(super) period: Option<u64>,
    pub(super) uri: Option<String>,
    pub(super) last_step: Option<u64>,
}

impl TotpDraft {
    pub(super) fn of_uri(uri: &str) -> Self {
        let mut totp = Self::default();
        totp.uri = Some(uri.to_owned());
        totp
    }

    /// Of a secret in base32.
    pub(super) fn of_secret(secret: String) -> Self {
        let mut totp = Self::default();
        totp.secret = Some(secret);
        totp
    }
}

/// Longer ones are cut: a name is no reason to refuse an account.
const MAX_LABEL_CHARACTERS: usize = 64;

/// As much of it as an account keeps. `None` if there is nothing to see.
pub(super) fn label(text: Option<&str>) -> Option<String> {
    let shown = text.unwrap_or_default().trim().chars().filter(|c| !c.is_control());
    Some(shown.take(MAX_LABEL_CHARACTERS).collect()).filter(|label: &String| !label.is_empty())
}

impl Draft {
    pub(super) fn of(id: impl Into<String>) -> Self {
        let mut draft = Self::default();
        draft.id = id.into();
        draft
    }

    pub(super) fn add(&mut self, kind: Kind, totp: TotpDraft) {
        match kind {
            Kind::Devices => self.device_totps.push(totp),
            Kind::Authenticators => self.authenticators.push(totp),
        }
    }

    pub(super) fn line(&self) -> Result<Zeroizing<String>, RecordError> {
        let text = serde_json::to_string(self).map(Zeroizing::new);
        text.map_err(|_| fault("id", "cannot be written as a record"))
    }
}

/// An account and the lines that it is made of.
struct Gathered {
    draft: Draft,
    lines: Vec<u64>,
    /// Of each secret.
    secret_lines: Vec<u64>,
    faults: Vec<(u64, RecordError)>,
    warnings: Vec<(u64, String)>,
}

/// Accounts by their subjects, in the order of their first lines.
pub(super) struct Gathering<'a> {
    choices: &'a Choices,
    /// What the numbers count.
    unit: &'static str,
    accounts: Vec<Gathered>,
    by_subject: HashMap<(Option<String>, String), usize>,
}

impl<'a> Gathering<'a> {
    pub(super) fn new(choices: &'a Choices) -> Self {
        Self { choices, unit: "line", accounts: Vec::new(), by_subject: HashMap::new() }
    }

    /// Of something else than lines.
    pub(super) fn of(self, unit: &'static str) -> Self {
        Self { unit, ..self }
    }

    fn account(&mut self, line: u64, issuer: Option<&str>, subject: &str) -> Option<&mut Gathered> {
        let key = (issuer.map(str::to_owned), subject.to_owned());
        let next = self.accounts.len();
        let index = *self.by_subject.entry(key).or_insert(next);
        if index == next {
            let mut draft = Draft::of(subject);
            draft.issuer = issuer.map(str::to_owned);
            let (lines, secret_lines) = (Vec::new(), Vec::new());
            self.accounts.push(Gathered {
                draft,
                lines,
                secret_lines,
                faults: Vec::new(),
                warnings: Vec::new(),
            });
        }
        let account = self.accounts.get_mut(index)?;
        account.lines.push(line);
        Some(account)
    }

    /// A line about this subject, or why it cannot be taken.
    pub(super) fn add(
        &mut self,
        line: u64,
        (issuer, subject): (Option<&str>, &str),
        content: Result<Option<TotpDraft>, RecordError>,
    ) -> Option<&mut Draft> {
        let kind = self.choices.kind;
        let account = self.account(line, issuer, subject)?;
        match content {
            Ok(Some(totp)) => {
                account.draft.add(kind, totp);
                account.secret_lines.push(line);
            }
            Ok(None) => {}
            Err(error) => account.faults.push((line, error)),
        }
        Some(&mut account.draft)
    }

    pub(super) fn refuse(&mut self, line: u64, (issuer, subject): (Option<&str>, &str), error: RecordError) {
        let index = self.by_subject.get(&(issuer.map(str::to_owned), subject.to_owned()));
        if let Some(account) = index.and_then(|index| self.accounts.get_mut(*index)) {
            account.faults.push((line, error));
        }
    }

    pub(super) fn warn(&mut self, line: u64, subject: &str, text: String) {
        let index = self.by_subject.get(&(None, subject.to_owned()));
        if let Some(account) = index.and_then(|index| self.accounts.get_mut(*index)) {
            account.warnings.push((line, text));
        }
    }

    pub(super) fn finish(self, translation: &mut Translation) {
        let (kind, unit) = (self.choices.kind, self.unit);
        translation.entries.extend(self.accounts.into_iter().map(|account| account.entry(kind, unit)));
    }
}

impl Gathered {
    fn entry(self, kind: Kind, unit: &str) -> Entry {
        let several = self.lines.len() > 1;
        let numbers: Vec<_> = self.lines.iter().map(u64::to_string).collect();
        let plural = if several { "s" } else { "" };
        let place = format!("{unit}{plural} {}", numbers.join(", "));
        // Where there is one line, the place has said it.
        let origin = |line: &u64| if several { format!("{unit} {line}: ") } else { String::new() };
        let origins =
            Origins { member: kind.member(), secrets: self.secret_lines.iter().map(origin).collect() };
        let named = |(line, error): (u64, RecordError)| match error {
            RecordError::Member { member, fault } if several => {
                RecordError::Member { member: format!("{unit} {line}: {member}"), fault }
            }
            other => other,
        };
        let mut faults: Vec<_> = self.faults.into_iter().map(named).collect();
        let record = match (faults.pop(), faults.is_empty()) {
            (None, _) => self.draft.line(),
            (Some(only), true) => Err(only),
            (Some(last), false) => {
                faults.push(last);
                Err(RecordError::Several(faults))
            }
        };
        let warnings =
            self.warnings.into_iter().map(|(line, text)| format!("{}{text}", origin(&line))).collect();
        Entry { place, record, origins, warnings }
    }
}

/// A line that does not even say whose it is.
pub(super) fn refused_line(unit: &str, line: u64, error: RecordError) -> Entry {
    Entry {
        place: format!("{unit} {line}"),
        record: Err(error),
        origins: Origins::default(),
        warnings: Vec::new(),
    }
}
