//! `einmal code`: a TOTP calculator. Prints the code alone, and never the secret, not even in part.

use super::{Failure, say};
use crate::clock::{Clock, SystemClock};
use clap::Args;
use einmal_core::Timestamp;
use einmal_core::otp::{Algorithm, Secret, Totp};
use std::io::Read;
use zeroize::Zeroizing;

/// Compute the TOTP code of a secret, for scripts and support
#[derive(Args)]
pub(super) struct CodeCommand {
    /// Secret in base32, or `-` to read it from standard input, which keeps it out of the list of processes
    #[arg(long, value_name = "BASE32|-", allow_hyphen_values = true)]
    secret: String,
    /// Hash function: SHA1, SHA256 or SHA512
    #[arg(long, value_name = "NAME", default_value_t = Algorithm::Sha1)]
    algorithm: Algorithm,
    /// Digits of the code, 6 to 8
    #[arg(long, value_name = "NUMBER", default_value_t = Totp::DEFAULT_DIGITS.into())]
    digits: u64,
    /// Seconds that a code lasts, 15 to 120
    #[arg(long, value_name = "SECONDS", default_value_t = Totp::DEFAULT_PERIOD.into())]
    period: u64,
    /// Time to compute the code for: seconds since 1970, or RFC 3339 such as 2026-11-01T10:00:00Z (default: now)
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, value_parser = parse_time)]
    at: Option<Timestamp>,
    /// Catches the rest of a secret with unquoted spaces, which clap would otherwise repeat in its message.
    #[arg(hide = true)]
    rest: Vec<String>,
}

/// The longest secret has 128 bytes, 208 characters in base32; people add spaces and line breaks.
const MOST_INPUT_BYTES: u64 = 4_096;

impl CodeCommand {
    pub(super) fn run(self) -> Result<(), Failure> {
        if !self.rest.is_empty() {
            return Err(Failure::Usage(
                "unexpected argument, expected options only (a secret with spaces needs quotes)".to_owned(),
            ));
        }
        let given = Zeroizing::new(self.secret);
        let text = if given.as_str() == "-" { read_standard_input()? } else { given };
        let secret = Secret::from_base32(text.trim()).map_err(|error| usage("--secret", &error))?;
        let totp = Totp::new(secret, self.algorithm, self.digits, self.period)
            .map_err(|error| Failure::Usage(format!("--{error}")))?;
        let time = self.at.unwrap_or_else(|| SystemClock.now());
        say(totp.code_at(totp.step_at(time)).as_str())
    }
}

fn usage(argument: &str, error: &dyn std::error::Error) -> Failure {
    Failure::Usage(format!("{argument}: {error}"))
}

fn read_standard_input() -> Result<Zeroizing<String>, Failure> {
    let mut text = Zeroizing::new(String::new());
    std::io::stdin()
        .lock()
        .take(MOST_INPUT_BYTES)
        .read_to_string(&mut text)
        .map_err(|error| Failure::Usage(format!("--secret -: standard input cannot be read: {error}")))?;
    Ok(text)
}

fn parse_time(text: &str) -> Result<Timestamp, &'static str> {
    const EXPECTED: &str = "expected seconds since 1970 or RFC 3339 such as 2026-11-01T10:00:00Z";
    if let Ok(seconds) = text.parse() {
        return Ok(Timestamp::from_seconds(seconds));
    }
    let timestamp: jiff::Timestamp = text.parse().map_err(|_| EXPECTED)?;
    u64::try_from(timestamp.as_second()).map(Timestamp::from_seconds).map_err(|_| EXPECTED)
}
