//! A table whose first line names its columns (RFC 4180), for systems that nothing else here knows. A column that is
//! not known is refused: what it was for would be lost without a word.

use super::draft::{Draft, Gathering, TotpDraft, label, refused_line};
use super::secret_text::Encoding;
use super::{Choices, RecordError, Translation, Unreadable, fault};
use csv::{ByteRecord, ReaderBuilder, Terminator};

const COLUMNS: [&str; 17] = [
    "subject",
    "issuer",
    "secret",
    "encoding",
    "uri",
    "algorithm",
    "digits",
    "period",
    "label",
    "created",
    "last_step",
    "email",
    "registered",
    "pin",
    "pin_hash",
    "password",
    "password_hash",
];

/// Which column is where.
struct Header(Vec<&'static str>);

/// One row, by its columns.
struct Row<'r> {
    header: &'r Header,
    record: &'r ByteRecord,
}

pub(super) fn translate(
    text: &str,
    choices: &Choices,
    translation: &mut Translation,
) -> Result<(), Unreadable> {
    let mut reader = ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .terminator(Terminator::CRLF)
        .from_reader(text.as_bytes());
    let broken = |error: csv::Error| {
        let line = error.position().map_or(0, csv::Position::line);
        Unreadable::new(format!("cannot be read as CSV (line {line})"))
    };
    let mut record = ByteRecord::new();
    if !reader.read_byte_record(&mut record).map_err(broken)? {
        return Err(Unreadable::new(format!("is empty, expected a first line with {}", COLUMNS.join(","))));
    }
    let header = Header::of(&record)?;
    let mut accounts = Gathering::new(choices);
    let mut lines = LineCount { text: text.as_bytes(), byte: 0, line: 1 };
    while reader.read_byte_record(&mut record).map_err(broken)? {
        let line = lines.at(record.position().map_or(0, csv::Position::byte));
        let row = Row { header: &header, record: &record };
        if let Err(error) = row.translate(line, choices, &mut accounts) {
            translation.entries.push_back(refused_line("line", line, error));
        }
    }
    accounts.finish(translation);
    Ok(())
}

/// The lines of an editor. The reader of CSV takes what ends a record for the beginning of the next one.
struct LineCount<'t> {
    text: &'t [u8],
    byte: usize,
    line: u64,
}

impl LineCount<'_> {
    /// Of the record that begins here, which is further on than the last one.
    fn at(&mut self, byte: u64) -> u64 {
        let byte = usize::try_from(byte).unwrap_or(usize::MAX);
        let rest = self.text.get(byte..).unwrap_or_default();
        let start = byte + rest.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
        let passed = self.text.get(self.byte..start).unwrap_or_default();
        self.line += memchr::memchr_iter(b'\n', passed).count() as u64;
        self.byte = start;
        self.line
    }
}

impl Header {
    fn of(record: &ByteRecord) -> Result<Self, Unreadable> {
        let mut columns = Vec::with_capacity(record.len());
        for (number, name) in (1..).zip(record) {
            let name = String::from_utf8_lossy(name).trim().to_ascii_lowercase();
            let Some(known) = COLUMNS.iter().find(|known| **known == name) else {
                // Not quoted: a file without a first line has a secret there.
                return Err(Unreadable::new(format!(
                    "line 1: column {number} has no known name, expected names of {}, separated by commas",
                    COLUMNS.join(",")
                )));
            };
            if columns.contains(known) {
                return Err(Unreadable::new(format!("line 1: the column {known} is there twice")));
            }
            columns.push(*known);
        }
        if !columns.contains(&"subject") {
            return Err(Unreadable::new("line 1: the column subject is missing"));
        }
        Ok(Self(columns))
    }
}

impl Row<'_> {
    fn translate(&self, line: u64, choices: &Choices, accounts: &mut Gathering) -> Result<(), RecordError> {
        let (found, expected) = (self.record.len(), self.header.0.len());
        if found != expected {
            return Err(fault("row", format!("has {found} fields, expected {expected}")));
        }
        if self.record.iter().any(|field| std::str::from_utf8(field).is_err()) {
            return Err(RecordError::NotUtf8);
        }
        let subject =
            self.get("subject").ok_or_else(|| fault("subject", "is empty, expected the account's"))?;
        let of = (self.get("issuer"), subject);
        let totp = self.totp(choices);
        let fault = accounts.add(line, of, totp).and_then(|draft| self.describe(draft).err());
        if let Some(fault) = fault {
            accounts.refuse(line, of, fault);
        }
        Ok(())
    }

    /// `None` if it is empty or not there.
    fn get(&self, column: &str) -> Option<&str> {
        let index = self.header.0.iter().position(|name| *name == column)?;
        let field = std::str::from_utf8(self.record.get(index)?).ok()?.trim();
        Some(field).filter(|field| !field.is_empty())
    }

    fn owned(&self, column: &str) -> Option<String> {
        self.get(column).map(str::to_owned)
    }

    fn number(&self, column: &str) -> Result<Option<u64>, RecordError> {
        let number = self.get(column).map(str::parse).transpose();
        number.map_err(|_| fault(column, "expected a number"))
    }

    /// `None` for a row without a secret, which is about the account alone.
    fn totp(&self, choices: &Choices) -> Result<Option<TotpDraft>, RecordError> {
        let mut totp = match (self.get("secret"), self.get("uri")) {
            (None, None) => return Ok(None),
            (Some(_), Some(_)) => {
                return Err(fault("secret", "given together with uri, expected one of them"));
            }
            (None, Some(uri)) => TotpDraft::of_uri(uri),
            (Some(secret), None) => {
                let encoding = self.get("encoding").unwrap_or("base32");
                let encoding = Encoding::named(encoding)
                    .ok_or_else(|| fault("encoding", "expected base32, hex, base64 or utf8"))?;
                let secret = encoding.to_base32(secret).map_err(|expected| fault("secret", expected))?;
                TotpDraft::of_secret(secret)
            }
        };
        // A URI has its own.
        let has_defaults = totp.uri.is_none();
        totp.algorithm = self.owned("algorithm").or_else(|| {
            choices.algorithm.filter(|_| has_defaults).map(|algorithm| algorithm.name().to_owned())
        });
        totp.digits = self.number("digits")?;
        totp.period = self.number("period")?.or(choices.period.filter(|_| has_defaults));
        totp.label = label(self.get("label"));
        totp.created_at = self.owned("created");
        totp.last_step = self.number("last_step")?;
        Ok(Some(totp))
    }

    /// What the row says about the account. Rows of one account may repeat each other, and must not disagree.
    fn describe(&self, draft: &mut Draft) -> Result<(), RecordError> {
        let members = [
            ("email", &mut draft.email),
            ("registered", &mut draft.registered_at),
            ("pin", &mut draft.pin),
            ("pin_hash", &mut draft.pin_hash),
            ("password", &mut draft.password),
            ("password_hash", &mut draft.password_hash),
        ];
        for (column, member) in members {
            match (self.get(column), &*member) {
                (Some(given), Some(earlier)) if given != earlier => {
                    return Err(fault(column, "is another one than in an earlier line of this subject"));
                }
                (Some(given), _) => *member = Some(given.to_owned()),
                (None, _) => {}
            }
        }
        Ok(())
    }
}
