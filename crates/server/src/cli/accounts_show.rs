//! `einmal accounts show`: one account for people, or for a program, without its secrets.

use super::account::{AccountChoice, with_accounts};
use super::{ConfigFile, Failure, refused, say};
use crate::accounts::{
    CodeDescription, CredentialDescription, Description, FailureCount, HashState, HistoryDescription,
    PendingDescription,
};
use crate::clock::{Clock, SystemClock};
use clap::Args;
use einmal_core::account::OtpType;

/// Show one account, without secrets: what is enrolled, when it was used, whether it waits or is suspended, and what was
/// done to it of late
///
/// Exit code 1 if there is no such account.
#[derive(Args)]
pub(super) struct ShowCommand {
    #[command(flatten)]
    account: AccountChoice,
    /// As one line of JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    config: ConfigFile,
}

impl ShowCommand {
    pub(super) fn run(&self) -> Result<(), Failure> {
        with_accounts(&self.config, async |config, accounts| {
            let id = self.account.resolve(config)?;
            let account = accounts.read(&id).await.map_err(refused)?;
            let account = account.ok_or_else(|| self.account.absent())?;
            let description = Description::of(&id, &account, SystemClock.now(), &config.policy);
            if self.json {
                return say(serde_json::to_string(&description).map_err(refused)?);
            }
            lines(&description).into_iter().try_for_each(say)
        })
    }
}

fn lines(account: &Description<'_>) -> Vec<String> {
    let mut lines = vec![
        format!("account {:?} of issuer {}", account.id, account.issuer),
        format!("  email: {}", account.email.unwrap_or("none")),
        format!("  registered: {}", time(account.registered_at.as_ref())),
        format!("  PIN: {}", hash(account.pin)),
        format!("  password: {}", hash(account.password)),
    ];
    lines.extend(account.device_totps.iter().map(|one| credential(OtpType::DeviceTotp, one)));
    lines.extend(account.authenticators.iter().map(|one| credential(OtpType::Totp, one)));
    lines.extend(account.pending_authenticators.iter().map(pending));
    lines.extend(account.codes.iter().map(code));
    let failures = &account.failures;
    for (name, count) in
        [("codes", &failures.otp), ("PINs", &failures.pin), ("passwords", &failures.password)]
    {
        lines.push(format!("  wrong {name} in a row: {}", failures_in_a_row(count)));
    }
    lines.extend(account.history.iter().map(event));
    lines
}

fn hash(state: HashState) -> &'static str {
    match state {
        HashState::None => "not set",
        HashState::Set => "set",
        HashState::Dead => "dead of wrong guesses, until a new one is set",
    }
}

fn credential(kind: OtpType, credential: &CredentialDescription<'_>) -> String {
    format!(
        "  {} {} {:?}: {}, {} digits, {} s, enrolled {}, last used {}, {} wrong codes since{}",
        kind.name(),
        credential.id,
        credential.label.unwrap_or_default(),
        credential.algorithm,
        credential.digits,
        credential.period,
        time(credential.created_at.as_ref()),
        time(credential.last_used_at.as_ref()),
        credential.failures,
        if credential.suspended { ", SUSPENDED until unlock" } else { "" },
    )
}

fn pending(pending: &PendingDescription<'_>) -> String {
    format!(
        "  {} {} {:?}: NOT CONFIRMED, until {}, {} wrong codes",
        OtpType::Totp.name(),
        pending.id,
        pending.label.unwrap_or_default(),
        time(pending.expires_at.as_ref()),
        pending.failures,
    )
}

fn code(code: &CodeDescription) -> String {
    format!("  {} code: {}, until {}", code.kind, code.state, time(code.expires_at.as_ref()))
}

fn failures_in_a_row(failures: &FailureCount) -> String {
    match failures.wait_seconds {
        Some(seconds) => format!("{}, WAITING for {seconds} more seconds", failures.count),
        None => failures.count.to_string(),
    }
}

fn event(event: &HistoryDescription) -> String {
    let credential = event.credential.as_ref().map(|id| format!(" {id}")).unwrap_or_default();
    format!("  {}: {}{credential}", time(event.at.as_ref()), event.event)
}

fn time(time: Option<&String>) -> &str {
    time.map_or("never", String::as_str)
}
