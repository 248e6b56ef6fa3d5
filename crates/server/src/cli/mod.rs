//! The command line: one file per command. The only place that prints, and the only one that knows exit codes.

mod account;
mod accounts_delete;
mod accounts_diagnose;
mod accounts_export;
mod accounts_import;
mod accounts_list;
mod accounts_show;
mod accounts_unlock;
mod code;
mod completions;
mod config_check;
mod config_print;
mod dev;
mod foreground;
mod health;
mod keyring_file;
mod keys_generate;
mod keys_list;
mod keys_reseal;
mod keys_retire;
mod keys_rotate;
mod man;
mod openapi;
mod progress;
mod serve;
mod store_after_restore;
mod store_backup;
mod store_check;
mod store_copy;
mod store_migrate;

use crate::config::{ConfigError, Document, Engine, Environment};
use crate::metrics::Metrics;
use crate::store;
use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand};
use std::fmt::Display;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use tokio::runtime::Runtime;

/// einmal verifies one-time passwords: codes of authenticator apps and devices, and codes that it makes itself.
#[derive(Parser)]
#[command(name = "einmal", version, about, arg_required_else_help = true)]
struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Dev(dev::DevCommand),
    Serve(serve::ServeCommand),
    Health(health::HealthCommand),
    /// Work on accounts
    #[command(subcommand, arg_required_else_help = true)]
    Accounts(AccountsCommand),
    /// Work on the keyring, which seals what the store holds
    #[command(subcommand, arg_required_else_help = true)]
    Keys(KeysCommand),
    /// Work on the store, which holds the accounts
    #[command(subcommand, arg_required_else_help = true)]
    Store(StoreCommand),
    /// Work on the configuration
    #[command(subcommand, arg_required_else_help = true)]
    Config(ConfigCommand),
    Code(code::CodeCommand),
    /// Print the OpenAPI 3.1 document of the API
    ///
    /// It is made from the operations of this very version, and needs no configuration.
    Openapi,
    Completions(completions::CompletionsCommand),
    Man(man::ManCommand),
}

#[derive(Subcommand)]
enum AccountsCommand {
    Import(accounts_import::ImportCommand),
    Show(accounts_show::ShowCommand),
    List(accounts_list::ListCommand),
    Diagnose(accounts_diagnose::DiagnoseCommand),
    Unlock(accounts_unlock::UnlockCommand),
    Delete(accounts_delete::DeleteCommand),
    Export(accounts_export::ExportCommand),
}

#[derive(Subcommand)]
enum KeysCommand {
    Generate(keys_generate::GenerateCommand),
    Rotate(keys_rotate::RotateCommand),
    List(keys_list::ListCommand),
    Reseal(keys_reseal::ResealCommand),
    Retire(keys_retire::RetireCommand),
}

#[derive(Subcommand)]
enum StoreCommand {
    Migrate(store_migrate::MigrateCommand),
    Check(store_check::CheckCommand),
    Backup(store_backup::BackupCommand),
    AfterRestore(store_after_restore::AfterRestoreCommand),
    Copy(store_copy::CopyCommand),
}

#[derive(Subcommand)]
enum ConfigCommand {
    Check(config_check::CheckCommand),
    Print(config_print::PrintCommand),
}

/// Where the configuration is, for every command that needs one.
#[derive(Args)]
pub(crate) struct ConfigFile {
    /// Configuration file (TOML). Every key can also be set by an environment variable: `http.listen` by
    /// `EINMAL__HTTP__LISTEN`
    #[arg(long = "config", value_name = "FILE", env = "EINMAL_CONFIG", hide_env_values = true)]
    path: Option<PathBuf>,
}

impl ConfigFile {
    /// Reads it; what stands in it is checked when asked for.
    pub(crate) fn open(&self) -> Result<Document, Failure> {
        Ok(Document::open(self.path.as_deref(), Environment::of_process())?)
    }
}

/// Why a command did not do its work; the text is for the operator and holds no secret.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The work was refused or only partly done: exit code 1.
    Refused(String),
    /// The command line or the configuration is not right: exit code 2.
    Usage(String),
}

/// For whatever an error of the library says.
pub(crate) fn refused(error: impl Display) -> Failure {
    Failure::Refused(error.to_string())
}

/// For work on a store that must be there: opening it would make an empty one.
pub(crate) fn refuse_absent(engine: &Engine) -> Result<(), Failure> {
    let runtime = Runtime::new().map_err(refused)?;
    let is_there = runtime.block_on(store::is_there(engine, &Metrics::default().store)).map_err(refused)?;
    if is_there { Ok(()) } else { Err(refused(format_args!("{engine}: there is no store"))) }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::Usage(error.to_string())
    }
}

const EXIT_CODES: &str =
    "Exit codes: 0 fine, 1 the work was refused or only partly done, 2 usage or configuration.";

/// The whole command line. Every command tells the exit codes.
pub fn command() -> clap::Command {
    with_exit_codes(CommandLine::command())
}

fn with_exit_codes(command: clap::Command) -> clap::Command {
    command.after_help(EXIT_CODES).mut_subcommands(with_exit_codes)
}

/// Runs what the process's arguments say.
pub fn run() -> ExitCode {
    let line = CommandLine::from_arg_matches(&command().get_matches()).unwrap_or_else(|error| error.exit());
    let outcome = match line.command {
        Command::Dev(command) => command.run(),
        Command::Serve(command) => command.run(),
        Command::Health(command) => command.run(),
        Command::Accounts(command) => match command {
            AccountsCommand::Import(command) => command.run(),
            AccountsCommand::Show(command) => command.run(),
            AccountsCommand::List(command) => command.run(),
            AccountsCommand::Diagnose(command) => command.run(),
            AccountsCommand::Unlock(command) => command.run(),
            AccountsCommand::Delete(command) => command.run(),
            AccountsCommand::Export(command) => command.run(),
        },
        Command::Keys(command) => match command {
            KeysCommand::Generate(command) => command.run(),
            KeysCommand::Rotate(command) => command.run(),
            KeysCommand::List(command) => command.run(),
            KeysCommand::Reseal(command) => command.run(),
            KeysCommand::Retire(command) => command.run(),
        },
        Command::Store(command) => match command {
            StoreCommand::Migrate(command) => command.run(),
            StoreCommand::Check(command) => command.run(),
            StoreCommand::Backup(command) => command.run(),
            StoreCommand::AfterRestore(command) => command.run(),
            StoreCommand::Copy(command) => command.run(),
        },
        Command::Config(command) => match command {
            ConfigCommand::Check(command) => command.run(),
            ConfigCommand::Print(command) => command.run(),
        },
        Command::Code(command) => command.run(),
        Command::Openapi => openapi::run(),
        Command::Completions(command) => command.run(),
        Command::Man(command) => command.run(),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Refused(message)) => failed(&message, 1),
        Err(Failure::Usage(message)) => failed(&message, 2),
    }
}

fn failed(message: &str, code: u8) -> ExitCode {
    complain(format_args!("error: {message}"));
    ExitCode::from(code)
}

/// Writes a line to standard output. Unlike `println!` it does not panic when nobody reads on.
pub(crate) fn say(line: impl Display) -> Result<(), Failure> {
    writeln!(std::io::stdout().lock(), "{line}")
        .map_err(|error| Failure::Refused(format!("standard output cannot be written: {error}")))
}

/// Writes a line to standard error; if that is gone, there is nobody to tell.
pub(crate) fn complain(line: impl Display) {
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}
