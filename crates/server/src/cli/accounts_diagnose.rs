//! `einmal accounts diagnose`: why a code that a user reads out would be refused. The code comes from standard input, and is
//! never an argument, which others on the machine could read.

use super::account::{AccountChoice, with_accounts};
use super::{ConfigFile, Failure, refused, say};
use crate::accounts::DiagnosisDescription;
use crate::clock::{Clock, SystemClock};
use clap::Args;
use einmal_core::account::{OtpType, OtpTypes};
use einmal_core::otp::Code;
use std::io::{self, BufRead, IsTerminal, Read, Write};
use std::sync::Arc;
use zeroize::Zeroizing;

/// Tell why a code that a user reads out would be refused, without using it up or counting it
///
/// The code is read from standard input: a line, which is asked for if that is a terminal. It stays as good as it was. An
/// account can be diagnosed 5 times in 10 minutes and 20 times in a day, here and over HTTP together. Exit code 0 if the code
/// would be accepted; 1 if not, if the account was diagnosed too often, or if there is no such account.
#[derive(Args)]
pub(super) struct DiagnoseCommand {
    #[command(flatten)]
    account: AccountChoice,
    /// Kinds of codes that the client asks for: login, account, totp, device-totp
    #[arg(long, value_name = "TYPES", value_delimiter = ',', value_parser = parse_type, default_value = "device-totp,account")]
    types: Vec<OtpType>,
    /// As one line of JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    config: ConfigFile,
}

impl DiagnoseCommand {
    pub(super) fn run(&self) -> Result<(), Failure> {
        let types: OtpTypes = self.types.iter().copied().collect();
        let (description, is_good) = with_accounts(&self.config, async |config, accounts| {
            let id = self.account.resolve(config)?;
            let code = read_code()?;
            let (now, policy) = (SystemClock.now(), Arc::new(config.policy.clone()));
            let diagnosed = accounts.diagnose(id, code, types, now, policy).await.map_err(refused)?;
            match diagnosed.ok_or_else(|| self.account.absent())? {
                Ok(diagnosis) => Ok((DiagnosisDescription::of(&diagnosis, now), diagnosis.is_good)),
                Err(wait) => Err(Failure::Refused(format!(
                    "this account was diagnosed as often as it may be; wait for {} seconds",
                    wait.seconds
                ))),
            }
        })?;
        if self.json {
            say(serde_json::to_string(&description).map_err(refused)?)?;
        } else {
            say(description.verdict.replace('-', " "))?;
            description
                .findings
                .iter()
                .try_for_each(|one| say(format_args!("  {}: {}", one.reason, one.text)))?;
        }
        if is_good { Ok(()) } else { Err(Failure::Refused("the code would be refused".to_owned())) }
    }
}

/// Of its line alone, so that a terminal need not be told that there is no more. `None` for what cannot be a code.
fn read_code() -> Result<Option<Code>, Failure> {
    let unreadable = |error| Failure::Usage(format!("standard input cannot be read: {error}"));
    let input = io::stdin();
    if input.is_terminal() {
        // Where the output goes is another matter.
        let _ = write!(io::stderr().lock(), "Code that the user reads out: ");
    }
    let mut line = Zeroizing::new(String::new());
    input.lock().take(MOST_INPUT_BYTES).read_line(&mut line).map_err(unreadable)?;
    let text = line.trim();
    if text.is_empty() {
        return Err(Failure::Usage("there is no code on standard input, expected a line with it".to_owned()));
    }
    Ok(Code::parse(text))
}

/// A code with all the spaces that anybody would put into it.
const MOST_INPUT_BYTES: u64 = 4_096;

fn parse_type(name: &str) -> Result<OtpType, &'static str> {
    OtpType::from_name(name).ok_or("expected login, account, totp or device-totp")
}
