//! `einmal store copy`: all accounts to another store, which then serves in place of this one.

use super::{ConfigFile, Failure, complain, progress, refuse_absent, refused, say};
use crate::accounts::{Accounts, Copy, CopyNotice, CopyReport, reopen_without_target};
use crate::config::{self, Administration, Document, Environment};
use crate::entropy::SystemEntropy;
use crate::process;
use crate::run::{Purpose, open_accounts_behind_fence};
use clap::Args;
use indicatif::ProgressBar;
use std::path::PathBuf;
use std::sync::Arc;

/// Move all accounts to another store
///
/// Copies while the service goes on, under the same keyring. Then it closes this store, which takes some seconds of 503,
/// copies what has changed since, compares both in every row and opens the target. From then on this store refuses to
/// serve, so that no code is accepted here and there: set `store.url` to the target and restart. After an interruption
/// `--resume` goes on with the copy and `--cancel` gives it up.
#[derive(Args)]
#[command(group = clap::ArgGroup::new("way").args(["resume", "cancel"]))]
pub(super) struct CopyCommand {
    /// Store to make, as in `store.url`: `sqlite:PATH` or `postgres://USER@HOST/DATABASE`. It must have no accounts
    #[arg(long, value_name = "URL")]
    to: String,
    /// File with the target's password, which does not belong on a command line
    #[arg(long, value_name = "FILE")]
    to_password_file: Option<PathBuf>,
    /// Go on with a copy that was interrupted
    #[arg(long)]
    resume: bool,
    /// Give a copy up that was interrupted: this store serves again
    #[arg(long)]
    cancel: bool,
    /// With --cancel: do not ask the target, which is lost and will never serve
    #[arg(long, requires = "cancel")]
    target_is_lost: bool,
    #[command(flatten)]
    config: ConfigFile,
}

impl CopyCommand {
    pub(super) fn run(&self) -> Result<(), Failure> {
        let config = self.config.open()?.administration()?;
        let target = self.target()?;
        process::harden();
        refuse_absent(&config.store.engine)?;
        let runtime = tokio::runtime::Runtime::new().map_err(refused)?;
        runtime.block_on(self.work(&config, &target))
    }

    async fn work(&self, config: &Administration, target: &config::Store) -> Result<(), Failure> {
        let source = open(&config.store, config).await?;
        let (source_name, target_name) = (config.store.engine.to_string(), target.engine.to_string());
        if self.target_is_lost {
            reopen_without_target(&source).await.map_err(refused)?;
            return say(format_args!("{source_name}: serves again"));
        }
        let target = open(target, config).await?;
        let copy = Copy::between((&source, &source_name), (&target, &target_name)).await;
        let copy = copy.map_err(refused)?;
        if self.cancel {
            copy.cancel().await.map_err(refused)?;
            return say(format_args!("{source_name}: serves again; {target_name} does not"));
        }
        let bar = progress::bar(count(&source).await?, progress::ACCOUNTS);
        let done = copy.run(self.resume, |notice| show(&notice, &bar, &source_name)).await;
        bar.finish_and_clear();
        let Some(CopyReport { accounts, copied, deleted, closed }) = done.map_err(refused)? else {
            return say(format_args!("{target_name}: has taken over already, nothing to do"));
        };
        let closed = closed.as_secs_f32();
        say(format_args!(
            "{accounts} accounts, the same in both; {copied} copied, {deleted} removed again, {closed:.1} s of 503\n\
             {source_name} refuses to serve from now on: set store.url to {target_name}"
        ))
    }

    /// Read as a configuration would be that has nothing else; relative paths start where the command was called.
    fn target(&self) -> Result<config::Store, Failure> {
        let url = ("EINMAL__STORE__URL", self.to.as_str());
        let file = self.to_password_file.as_ref().map(|file| file.display().to_string());
        let environment = match &file {
            Some(file) => Environment::from([url, ("EINMAL__STORE__PASSWORD__FILE", file)]),
            None => Environment::from([url]),
        };
        let store = Document::open(None, environment).and_then(|document| document.store());
        store.map_err(|error| Failure::Usage(format!("--to: {}", error.messages())))
    }
}

async fn open(store: &config::Store, config: &Administration) -> Result<Accounts, Failure> {
    let entropy = Arc::new(SystemEntropy);
    let opened = open_accounts_behind_fence(store, &config.keyring, Purpose::Service, entropy);
    opened.await.map_err(refused)
}

/// As far as it can be told beside the service.
async fn count(accounts: &Accounts) -> Result<u64, Failure> {
    const PAGE: usize = 10_000;
    let (mut count, mut after) = (0, None);
    loop {
        let page = accounts.store().ids(after, PAGE).await.map_err(refused)?;
        count += page.len() as u64;
        match page.last() {
            Some(last) => after = Some(last.clone()),
            None => return Ok(count),
        }
    }
}

fn show(notice: &CopyNotice<'_>, bar: &ProgressBar, source: &str) {
    match notice {
        CopyNotice::Progress { accounts } => bar.set_position(*accounts),
        CopyNotice::Closing => {
            bar.suspend(|| complain(format_args!("{source}: closed, its service answers 503")));
        }
        CopyNotice::OpenAgain => bar.suspend(|| complain(format_args!("{source}: open again"))),
        CopyNotice::Damaged { id, error } => {
            bar.suspend(|| complain(format_args!("{:?} {:?}: {error}", id.issuer(), id.subject())));
        }
    }
}
