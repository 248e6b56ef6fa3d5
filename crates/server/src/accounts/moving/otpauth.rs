//! A list of otpauth URIs, one a line, as people collect them. A subject may stand in front of each, with a tab between.

use super::draft::{Gathering, TotpDraft, refused_line};
use super::{Choices, RecordError, SubjectSource, Translation, fault};
use einmal_core::otp::OtpauthUri;
use percent_encoding::percent_decode_str;

/// Blank lines and lines that begin with `#` are counted and nothing else.
pub(super) fn translate(text: &str, choices: &Choices, translation: &mut Translation) {
    let mut accounts = Gathering::new(choices);
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (given, uri) = match line.split_once('\t') {
            Some((subject, uri)) => (Some(subject.trim()), uri.trim()),
            None => (None, line),
        };
        let totp = check(uri).map(|()| Some(TotpDraft::of_uri(uri)));
        match given.map_or_else(|| subject(uri, choices.subject), |given| Ok(given.to_owned())) {
            Ok(subject) => drop(accounts.add(number, (None, &subject), totp)),
            // What is wrong with the URI as a whole says more than that it names nobody.
            Err(error) => {
                translation.entries.push_back(refused_line("line", number, totp.err().unwrap_or(error)));
            }
        }
    }
    accounts.finish(translation);
}

fn check(uri: &str) -> Result<(), RecordError> {
    let start = uri.to_ascii_lowercase();
    if start.starts_with("otpauth://totp/") {
        Ok(())
    } else if start.starts_with("otpauth://hotp/") {
        Err(fault("uri", "is of type hotp, whose counter cannot be moved safely; expected otpauth://totp/…"))
    } else if start.starts_with("otpauth-migration:") {
        Err(fault("uri", "is an app's bundle of several, expected an otpauth://totp/… of each"))
    } else {
        Err(fault("uri", "expected otpauth://totp/…, or a subject, a tab and that"))
    }
}

fn subject(uri: &str, source: SubjectSource) -> Result<String, RecordError> {
    let subject = match source {
        SubjectSource::Label => {
            let label = uri.get("otpauth://totp/".len()..).unwrap_or_default();
            let label = label.split(['?', '#']).next().unwrap_or_default();
            percent_decode_str(label).decode_utf8().map(|label| label.trim().to_owned()).unwrap_or_default()
        }
        _ => {
            OtpauthUri::parse(uri).map_err(|error| fault("uri", error.to_string()))?.account.trim().to_owned()
        }
    };
    if subject.is_empty() {
        return Err(fault("uri", "has no label, expected one, or a subject and a tab in front"));
    }
    Ok(subject)
}
