//! Moving in: what other systems export, as records that `import` reads. Finds out where a secret stands and what it is
//! called there; whether it is good is the reader's to judge. A message quotes no value that may be a secret.

mod draft;
mod keycloak;
mod otpauth;
mod privacyidea;
mod secret_text;
mod table;

use super::import::{Entry, Group, Source};
use super::record::RecordError;
use einmal_core::otp::Algorithm;
use std::collections::{BTreeMap, VecDeque};
use std::io;
use zeroize::Zeroizing;

/// Accounts that are read and committed together.
const GROUP_ACCOUNTS: usize = 1_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// One `otpauth://totp/` URI a line.
    Otpauth,
    /// A realm with its users, as `kc.sh export` writes it.
    Keycloak,
    /// What `pi-tokenjanitor find export` writes.
    PrivacyIdea,
    /// Columns that a first line names.
    Table,
}

/// What becomes the subject of an account, of what the other system has for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SubjectSource {
    /// The part of a URI's label behind the colon.
    Account,
    /// The whole label.
    Label,
    /// Keycloak's id of a user, which is the `sub` of its tokens.
    Id,
    Username,
    /// privacyIDEA's name of a user, without the realm.
    Login,
    LoginAtRealm,
    /// The user's id in privacyIDEA's resolver.
    Uid,
}

/// Which of an account's lists secrets go to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Devices,
    Authenticators,
}

impl Kind {
    const fn member(self) -> &'static str {
        match self {
            Self::Devices => "deviceTotps",
            Self::Authenticators => "authenticators",
        }
    }
}

/// What a file leaves open.
pub struct Choices {
    pub subject: SubjectSource,
    pub kind: Kind,
    /// Whether password hashes come along.
    pub passwords: bool,
    /// That an export was encrypted with.
    pub key: Option<Zeroizing<String>>,
    pub algorithm: Option<Algorithm>,
    pub period: Option<u64>,
}

/// Something that is in the file and has no place here.
struct LeftOut {
    /// `None` where nobody loses anything by it.
    place: Option<String>,
    /// Such as `HOTP, whose counter cannot be moved safely`.
    what: &'static str,
}

/// A file in the words of `import`.
pub struct Translation {
    entries: VecDeque<Entry>,
    left_out: Vec<LeftOut>,
    total: usize,
    bytes: u64,
}

/// The file as a whole is not what it should be.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Unreadable(String);

impl Unreadable {
    fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

/// Reads the whole of `text`: an account may be made of lines that stand far apart.
pub fn translate(format: Format, text: &str, choices: &Choices) -> Result<Translation, Unreadable> {
    // Some editors put a mark in front.
    let text = text.trim_start_matches('\u{feff}');
    let mut translation =
        Translation { entries: VecDeque::new(), left_out: Vec::new(), total: 0, bytes: text.len() as u64 };
    match format {
        Format::Otpauth => otpauth::translate(text, choices, &mut translation),
        Format::Keycloak => keycloak::translate(text, choices, &mut translation)?,
        Format::PrivacyIdea => privacyidea::translate(text, choices, &mut translation)?,
        Format::Table => table::translate(text, choices, &mut translation)?,
    }
    translation.total = translation.entries.len();
    Ok(translation)
}

impl Translation {
    /// What somebody will miss, and where it stands.
    pub fn missed(&self) -> impl Iterator<Item = (&str, &'static str)> {
        self.left_out.iter().filter_map(|one| Some((one.place.as_deref()?, one.what)))
    }

    /// How many of each kind.
    pub fn left_out(&self) -> BTreeMap<&'static str, u64> {
        let mut counts = BTreeMap::new();
        for one in &self.left_out {
            *counts.entry(one.what).or_default() += 1;
        }
        counts
    }

    fn leave_out(&mut self, place: Option<String>, what: &'static str) {
        self.left_out.push(LeftOut { place, what });
    }
}

impl Source for Translation {
    fn place(&self) -> String {
        self.entries.front().map_or_else(|| "the end".to_owned(), |entry| entry.place.clone())
    }

    fn next_group(&mut self) -> io::Result<Option<Group>> {
        if self.entries.is_empty() {
            return Ok(None);
        }
        let count = self.entries.len().min(GROUP_ACCOUNTS);
        let entries: Vec<_> = self.entries.drain(..count).collect();
        let done = (self.total - self.entries.len()) as u64;
        let bytes = self.bytes.saturating_mul(done) / (self.total as u64).max(1);
        Ok(Some(Group { entries, bytes }))
    }
}

fn fault(member: impl Into<String>, expected: impl Into<String>) -> RecordError {
    RecordError::at(member, expected)
}
