//! privacyIDEA's CSV: six columns without names, and nothing about hash functions. Older versions leave the period out, too.

use super::super::draft::{Gathering, TotpDraft, label, refused_line};
use super::super::secret_text::Encoding;
use super::super::{Choices, RecordError, SubjectSource, Translation, Unreadable, fault};
use super::{NO_OWNER, NOT_TOTP};

/// Of one line: the owner's name may have commas, so the columns are counted from the end.
struct Columns<'t> {
    owner: &'t str,
    serial: &'t str,
    key: &'t str,
    digits: &'t str,
    /// `None` for a token that is not time-based.
    period: Option<&'t str>,
}

pub(super) fn translate(
    text: &str,
    choices: &Choices,
    translation: &mut Translation,
) -> Result<(), Unreadable> {
    if choices.algorithm.is_none() {
        return Err(Unreadable::new(
            "is CSV, which does not say the hash function of a token: expected --algorithm, or an export with --format pi",
        ));
    }
    if choices.subject == SubjectSource::Uid {
        return Err(Unreadable::new("is CSV, which has no uid: expected an export with --format pi"));
    }
    let mut accounts = Gathering::new(choices);
    for (number, line) in (1..).zip(text.lines()) {
        if line.trim().is_empty() {
            continue;
        }
        let Some(columns) = Columns::of(line) else {
            let error = fault("token", "expected OWNER, SERIAL, SECRET, totp, DIGITS, PERIOD");
            translation.entries.push_back(refused_line("line", number, error));
            continue;
        };
        let place = || Some(format!("line {number} {:?}", columns.serial));
        match (columns.period, columns.owner) {
            (None, _) => translation.leave_out(place(), NOT_TOTP),
            (_, "n/a") => translation.leave_out(place(), NO_OWNER),
            (Some(period), owner) => {
                let login = owner.rsplit_once('@').map_or(owner, |(login, _)| login);
                let subject = if choices.subject == SubjectSource::LoginAtRealm { owner } else { login };
                accounts.add(number, (None, subject), columns.totp(period, choices).map(Some));
            }
        }
    }
    accounts.finish(translation);
    Ok(())
}

impl<'t> Columns<'t> {
    fn of(line: &'t str) -> Option<Self> {
        let mut parts = line.rsplit(',').map(str::trim);
        let (last, before, third) = (parts.next()?, parts.next()?, parts.next()?);
        let (digits, period, key) = match (before, third) {
            ("hotp", key) => (last, None, key),
            (digits, "totp") => (digits, Some(last), parts.next()?),
            _ => return None,
        };
        let serial = parts.next()?;
        let (end, _) = line.match_indices(',').rev().nth(if period.is_some() { 4 } else { 3 })?;
        Some(Self { owner: line.get(..end)?.trim(), serial, key, digits, period })
    }

    fn totp(&self, period: &str, choices: &Choices) -> Result<TotpDraft, RecordError> {
        let secret = Encoding::Hex.to_base32(self.key);
        let secret = secret.map_err(|_| fault("secret", "expected hex digits: export without --b32"))?;
        let mut totp = TotpDraft::of_secret(secret);
        totp.label = label(Some(self.serial));
        totp.algorithm = choices.algorithm.map(|algorithm| algorithm.name().to_owned());
        totp.digits = Some(self.digits.parse().map_err(|_| fault("digits", "expected a number, such as 6"))?);
        totp.period = match (period, choices.period) {
            ("None", Some(period)) => Some(period),
            ("None", None) => return Err(fault("period", "is not in this file, expected --period")),
            (period, _) => Some(
                period.parse().map_err(|_| fault("period", "expected a number of seconds, such as 30"))?,
            ),
        };
        Ok(totp)
    }
}
