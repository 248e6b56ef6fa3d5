//! What the command line says about files of other systems. An option that a format has no use for is a wrong command
//! line: it would be thought to have done something.

use crate::accounts::{Choices, Format, Kind, SubjectSource};
use crate::cli::Failure;
use clap::{Args, ValueEnum};
use einmal_core::otp::{Algorithm, Totp};
use std::fs;
use std::path::PathBuf;
use zeroize::Zeroizing;

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum FileFormat {
    /// einmal's own, as `export` writes it: one JSON object a line
    Einmal,
    /// One `otpauth://totp/` URI a line; a subject may stand in front, with a tab between
    Otpauth,
    /// A realm with its users, of Keycloak's `kc.sh export`
    Keycloak,
    /// Tokens, of privacyIDEA's `pi-tokenjanitor find export`, format pi or csv
    Privacyidea,
    /// A table, whose first line names its columns
    Csv,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum SubjectChoice {
    /// otpauth: the label behind its colon (the default)
    Account,
    /// otpauth: the whole label
    Label,
    /// Keycloak: the id, which is the `sub` of its tokens (the default)
    Id,
    /// Keycloak: the user's name
    Username,
    /// privacyIDEA: the owner's name (the default)
    Login,
    /// privacyIDEA: the owner's name, `@` and realm
    LoginAtRealm,
    /// privacyIDEA: the owner's id in the resolver
    Uid,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum KindChoice {
    /// As apps that a user has enrolled, good wherever `types` has `totp`
    Authenticators,
    /// As devices, good for requests without `types`, too
    Devices,
}

#[derive(Args)]
pub(super) struct ForeignOptions {
    /// What the file is
    #[arg(long, value_enum, value_name = "NAME", default_value = "einmal")]
    format: FileFormat,
    /// What becomes the subject of an account; it must be what tokens have as `sub`
    #[arg(long, value_enum, value_name = "WHAT")]
    subject: Option<SubjectChoice>,
    /// What another system's secrets become [default: authenticators]
    #[arg(long = "as", value_enum, value_name = "WHAT")]
    kind: Option<KindChoice>,
    /// Bring password hashes along, too (Keycloak)
    #[arg(long)]
    with_passwords: bool,
    /// File with the key that an export was encrypted with (privacyIDEA)
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
    /// Hash function of secrets whose file does not say it (privacyIDEA's CSV, and CSV)
    #[arg(long, value_name = "NAME")]
    algorithm: Option<Algorithm>,
    /// Seconds that a code lasts, of secrets whose file does not say it (privacyIDEA's CSV, and CSV)
    #[arg(long, value_name = "SECONDS", value_parser = period)]
    period: Option<u64>,
}

impl ForeignOptions {
    /// `None` for einmal's own format.
    pub(super) fn choices(&self) -> Result<Option<(Format, Choices)>, Failure> {
        let format = match self.format {
            FileFormat::Einmal => None,
            FileFormat::Otpauth => Some(Format::Otpauth),
            FileFormat::Keycloak => Some(Format::Keycloak),
            FileFormat::Privacyidea => Some(Format::PrivacyIdea),
            FileFormat::Csv => Some(Format::Table),
        };
        self.refuse_useless()?;
        let Some(format) = format else { return Ok(None) };
        let choices = Choices {
            subject: self.subject()?,
            kind: match self.kind {
                Some(KindChoice::Devices) => Kind::Devices,
                Some(KindChoice::Authenticators) | None => Kind::Authenticators,
            },
            passwords: self.with_passwords,
            key: self.key_file.as_ref().map(read_key).transpose()?,
            algorithm: self.algorithm,
            period: self.period,
        };
        Ok(Some((format, choices)))
    }

    fn refuse_useless(&self) -> Result<(), Failure> {
        use FileFormat::{Csv, Keycloak, Otpauth, Privacyidea};
        let given: [(&str, bool, &[FileFormat]); 6] = [
            ("--subject", self.subject.is_some(), &[Otpauth, Keycloak, Privacyidea]),
            ("--as", self.kind.is_some(), &[Otpauth, Keycloak, Privacyidea, Csv]),
            ("--with-passwords", self.with_passwords, &[Keycloak]),
            ("--key-file", self.key_file.is_some(), &[Privacyidea]),
            ("--algorithm", self.algorithm.is_some(), &[Privacyidea, Csv]),
            ("--period", self.period.is_some(), &[Privacyidea, Csv]),
        ];
        match given.iter().find(|(_, given, formats)| *given && !formats.contains(&self.format)) {
            Some((option, _, formats)) => {
                let names: Vec<_> = formats.iter().map(name).collect();
                let names = names.join(", ");
                Err(Failure::Usage(format!("{option} is of no use here, expected with --format {names}")))
            }
            None => Ok(()),
        }
    }

    fn subject(&self) -> Result<SubjectSource, Failure> {
        use SubjectChoice::{Account, Id, Label, Login, LoginAtRealm, Uid, Username};
        let of_format: &[SubjectChoice] = match self.format {
            FileFormat::Keycloak => &[Id, Username],
            FileFormat::Privacyidea => &[Login, LoginAtRealm, Uid],
            FileFormat::Otpauth | FileFormat::Csv | FileFormat::Einmal => &[Account, Label],
        };
        let choice = self.subject.or(of_format.first().copied()).unwrap_or(Account);
        if !of_format.contains(&choice) {
            let names: Vec<_> = of_format.iter().map(name).collect();
            return Err(Failure::Usage(format!(
                "--subject {} is not of --format {}, expected one of {}",
                name(&choice),
                name(&self.format),
                names.join(", ")
            )));
        }
        Ok(match choice {
            Account => SubjectSource::Account,
            Label => SubjectSource::Label,
            Id => SubjectSource::Id,
            Username => SubjectSource::Username,
            Login => SubjectSource::Login,
            LoginAtRealm => SubjectSource::LoginAtRealm,
            Uid => SubjectSource::Uid,
        })
    }
}

/// As it is typed.
fn name(value: &impl ValueEnum) -> String {
    value.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
}

fn read_key(path: &PathBuf) -> Result<Zeroizing<String>, Failure> {
    let text = fs::read_to_string(path)
        .map_err(|error| Failure::Usage(format!("--key-file {}: {error}", path.display())))?;
    Ok(Zeroizing::new(text))
}

fn period(text: &str) -> Result<u64, String> {
    let period = text.parse().map_err(|_| "expected a number of seconds".to_owned())?;
    Totp::check_period(period).map_err(|error| error.to_string())?;
    Ok(period)
}
