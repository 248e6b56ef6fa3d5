//! `einmal accounts show`: one account for people, without its secrets.

use super::account::{AccountChoice, with_accounts};
use super::{ConfigFile, Failure, refused, say};
use crate::accounts::rfc_3339;
use crate::clock::{Clock, SystemClock};
use clap::Args;
use einmal_core::Timestamp;
use einmal_core::account::{Account, CodeState, Credential, IssuedCode, OtpType, Throttle};
use einmal_core::policy::Policy;

/// Show one account, without secrets: what is enrolled, when it was used, and whether it waits or is suspended
///
/// Exit code 1 if there is no such account.
#[derive(Args)]
pub(super) struct ShowCommand {
    #[command(flatten)]
    account: AccountChoice,
    #[command(flatten)]
    config: ConfigFile,
}

impl ShowCommand {
    pub(super) fn run(&self) -> Result<(), Failure> {
        with_accounts(&self.config, async |config, accounts| {
            let id = self.account.resolve(config)?;
            let account = accounts.read(&id).await.map_err(refused)?;
            let mut account = account.ok_or_else(|| self.account.absent())?;
            say(format_args!("account {:?} of issuer {}", id.subject(), id.issuer()))?;
            for line in describe(&mut account, SystemClock.now(), &config.policy) {
                say(line)?;
            }
            Ok(())
        })
    }
}

/// `account` is a copy: to ask for a wait corrects it.
fn describe(account: &mut Account, now: Timestamp, policy: &Policy) -> Vec<String> {
    let mut lines = vec![
        format!("  email: {}", account.email.as_deref().unwrap_or("none")),
        format!("  registered: {}", time(account.registered_at)),
        format!("  PIN: {}", pin(account)),
        format!("  password: {}", if account.password.is_some() { "set" } else { "not set" }),
    ];
    lines.extend(account.credentials().map(|(kind, one)| credential(kind, one, now, policy)));
    let codes = [(OtpType::Account, &account.account_code), (OtpType::Login, &account.login_code)];
    lines.extend(codes.iter().filter_map(|(kind, issued)| Some(code(*kind, issued.as_ref()?, now))));
    for (name, throttle) in [
        ("codes", &mut account.otp_throttle),
        ("PINs", &mut account.pin_throttle),
        ("passwords", &mut account.password_throttle),
    ] {
        lines.push(format!("  wrong {name} in a row: {}", failures(throttle, now, policy)));
    }
    lines
}

fn pin(account: &Account) -> &'static str {
    match &account.pin {
        None => "not set",
        Some(_) if account.pin_throttle.failures >= Policy::PIN_FAILURES => {
            "dead of wrong guesses, until a new one is set"
        }
        Some(_) => "set",
    }
}

fn credential(kind: OtpType, credential: &Credential, now: Timestamp, policy: &Policy) -> String {
    let totp = &credential.totp;
    let suspended = if credential.is_suspended(now, policy) { ", SUSPENDED until unlock" } else { "" };
    format!(
        "  {} {} {:?}: {}, {} digits, {} s, enrolled {}, last used {}, {} wrong codes since{suspended}",
        kind.name(),
        credential.id,
        credential.label.as_deref().unwrap_or_default(),
        totp.algorithm(),
        totp.digits(),
        totp.period(),
        time(Some(credential.created_at)),
        time(credential.progress.last_used_at),
        credential.progress.failures,
    )
}

fn code(kind: OtpType, issued: &IssuedCode, now: Timestamp) -> String {
    let state = match issued.state {
        CodeState::Spent => "used",
        CodeState::Live if now < issued.expires_at => "live",
        CodeState::Live | CodeState::Dead => "dead",
    };
    format!("  {} code: {state}, until {}", kind.name(), time(Some(issued.expires_at)))
}

fn failures(throttle: &mut Throttle, now: Timestamp, policy: &Policy) -> String {
    match throttle.wait(now, policy) {
        Some(wait) => format!("{}, WAITING for {} more seconds", throttle.failures, wait.seconds),
        None => throttle.failures.to_string(),
    }
}

fn time(time: Option<Timestamp>) -> String {
    time.and_then(rfc_3339).unwrap_or_else(|| "never".to_owned())
}
