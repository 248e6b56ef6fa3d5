//! An event as one line: one flat object of ASCII. No text from outside can end a line, colour a terminal or turn the
//! direction of writing round, whatever reads it; a parser of JSON gets it back as it was.

use super::event::Event;
use super::reporter::{By, Origin};
use super::writer::Pending;
use einmal_core::account::{OtpType, OtpTypes};
use jiff::fmt::temporal::DateTimePrinter;
use serde::Serialize;
use serde_json::ser::{Formatter, Serializer};
use std::io;

/// As `timestamp` of a line of the log.
static PRINTER: DateTimePrinter = DateTimePrinter::new().precision(Some(6));

/// In the order in which they are written; what does not apply is left out.
#[derive(Default, Serialize)]
struct Members<'a> {
    event: &'static str,
    time: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    issuer: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    account: Option<&'a str>,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    kind: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    types: Option<Vec<&'static str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    of: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    wait_seconds: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    secrets: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    credential: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    keys: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    by_client: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    by_subject: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<&'a str>,
}

/// With its end.
pub(super) fn write(pending: &Pending, bytes: &mut Vec<u8>) -> serde_json::Result<()> {
    let mut members =
        Members { event: pending.event.name(), time: time(pending.nanos), ..Members::default() };
    members.tell(&pending.event);
    if let Some(origin) = &pending.origin {
        members.tell_of(origin);
    }
    members.serialize(&mut Serializer::with_formatter(&mut *bytes, Ascii))?;
    bytes.push(b'\n');
    Ok(())
}

fn time(nanos: u64) -> String {
    let time = jiff::Timestamp::from_nanosecond(nanos.into()).unwrap_or_default();
    PRINTER.timestamp_to_string(&time)
}

fn names(types: OtpTypes) -> Vec<&'static str> {
    types.iter().map(OtpType::name).collect()
}

impl<'a> Members<'a> {
    fn tell(&mut self, event: &Event) {
        match *event {
            Event::Verified(kind) => self.kind = kind.map(OtpType::name),
            Event::Refused(types, outcome) => {
                self.types = Some(names(types));
                self.reason = Some(outcome.name());
            }
            Event::Throttled { of, types, wait_seconds } => {
                self.types = types.map(names);
                self.of = Some(of.name());
                self.wait_seconds = Some(wait_seconds);
            }
            Event::WaitBegun(of) | Event::ProofAccepted(of) | Event::ProofRefused(of) => {
                self.of = Some(of.name());
            }
            Event::Suspended(secrets) => self.secrets = Some(secrets),
            Event::AuthenticatorRefused(id, fault) => {
                self.credential = Some(id.to_string());
                self.reason = Some(fault.name());
            }
            Event::Changed(_, credential) => self.credential = credential.map(|id| id.to_string()),
            Event::KeysChanged { key, keys } => {
                self.key = Some(format!("{key:08x}"));
                self.keys = Some(keys);
            }
            Event::PinDead | Event::Repeated | Event::AccountCreated | Event::AccountDeleted => {}
        }
    }

    fn tell_of(&mut self, origin: &'a Origin) {
        self.issuer = Some(origin.account.issuer());
        self.account = Some(origin.account.subject());
        match &origin.by {
            By::Owner { client } => self.client = client.as_deref(),
            By::Administrator { client, subject } => {
                self.by_client = client.as_deref();
                self.by_subject = Some(subject);
            }
        }
        self.request_id = Some(&origin.request_id);
    }
}

/// Everything outside of printable ASCII is escaped, by the rules of JSON.
struct Ascii;

impl Formatter for Ascii {
    fn write_string_fragment<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        for c in fragment.chars() {
            if c == ' ' || c.is_ascii_graphic() {
                writer.write_all(&[u8::try_from(c).unwrap_or(b'?')])?;
            } else {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    write!(writer, "\\u{unit:04x}")?;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use einmal_core::account::AccountId;
    use std::sync::Arc;

    fn line(subject: &str) -> String {
        let by = By::Owner { client: Some("app".into()) };
        let origin = Origin { account: AccountId::new("main", subject), by, request_id: "r-1".into() };
        let mut bytes = Vec::new();
        let event = Event::WaitBegun(crate::metrics::Guarded::Pin);
        let pending = Pending { nanos: 1_800_000_000_123_456_789, event, origin: Some(Arc::new(origin)) };
        write(&pending, &mut bytes).unwrap();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn a_line_is_one_flat_object_with_its_time_to_the_microsecond() {
        assert_eq!(
            line("alice"),
            "{\"event\":\"wait_begun\",\"time\":\"2027-01-15T08:00:00.123456Z\",\"issuer\":\"main\",\
             \"account\":\"alice\",\"of\":\"pin\",\"client\":\"app\",\"request_id\":\"r-1\"}\n"
        );
    }

    #[test]
    fn no_name_of_an_account_ends_a_line_or_does_anything_to_a_screen_and_all_are_read_back() {
        for subject in [
            "a\nb",
            "\u{202e}ecila\u{2028}",
            "\u{1b}[31m\u{7f}\u{85}",
            "\"},{\"event\":\"verified",
            "Jörg 😀\\",
        ] {
            let line = line(subject);
            assert!(line.bytes().filter(|byte| !(b' '..=b'~').contains(byte)).eq([b'\n']), "{line}");
            let read: serde_json::Value = serde_json::from_str(&line).unwrap();
            assert_eq!(read["account"], subject);
            assert_eq!((&read["event"], read.as_object().unwrap().len()), (&"wait_begun".into(), 7));
        }
    }

    #[test]
    fn of_a_time_beyond_the_calendar_a_line_is_written_all_the_same() {
        assert_eq!(time(0), "1970-01-01T00:00:00.000000Z");
        assert_eq!(time(u64::MAX).len(), 27);
    }
}
