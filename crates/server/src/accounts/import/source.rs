//! Where the accounts of an import come from, group by group. A source says where each stands, so that a fault can be
//! found in the operator's file; it judges nothing that the reader of records judges.

use super::super::record::{Provisioned, Reading, RecordError, read_record};
use std::io;
use zeroize::Zeroizing;

/// One account, as a line that [`read_record`] takes, and where it stands.
pub struct Entry {
    /// Such as `line 3`.
    pub place: String,
    pub record: Result<Zeroizing<String>, RecordError>,
    pub origins: Origins,
    /// Fit for the operator, without secrets.
    pub warnings: Vec<String>,
}

/// Where the secrets of a record came from, for a file that names them differently.
#[derive(Default)]
pub struct Origins {
    /// The record's member that they are in.
    pub member: &'static str,
    /// By their index there: what stands for `member[index].` in a message.
    pub secrets: Vec<String>,
}

/// What is read, hashed and committed together.
pub struct Group {
    pub entries: Vec<Entry>,
    /// How many bytes of the input have been read by its end.
    pub bytes: u64,
}

pub trait Source {
    /// Where the next group begins.
    fn place(&self) -> String;
    /// `None` at the end.
    fn next_group(&mut self) -> io::Result<Option<Group>>;
}

/// An entry that was read.
pub(super) struct Understood {
    pub(super) place: String,
    pub(super) warnings: Vec<String>,
    pub(super) result: Result<Provisioned, String>,
}

impl Entry {
    /// The text is used up: it may hold secrets.
    pub(super) fn read(&mut self, reading: &Reading) -> Understood {
        let record = std::mem::replace(&mut self.record, Ok(Zeroizing::default()));
        let result = record.and_then(|text| read_record(text.trim_end(), reading));
        let mut warnings = std::mem::take(&mut self.warnings);
        if let Ok(provisioned) = &result {
            warnings.extend(provisioned.warnings.iter().map(|text| self.origins.name(text)));
        }
        let result = result.map_err(|error| self.origins.name(&error.to_string()));
        Understood { place: std::mem::take(&mut self.place), warnings, result }
    }
}

impl Origins {
    /// A message about the record in the words of the file. Messages quote no values, so nothing else can look like a
    /// member's name.
    fn name(&self, message: &str) -> String {
        let mut message = message.to_owned();
        for (index, origin) in self.secrets.iter().enumerate() {
            let member = format!("{}[{index}]", self.member);
            let whole = origin.trim_end_matches(['.', ':', ' ']);
            let whole = if whole.is_empty() { String::new() } else { format!("{whole}: ") };
            message = message.replace(&format!("{member}."), origin).replace(&format!("{member}: "), &whole);
        }
        message
    }
}
