//! `einmal config check`: whether `serve` would take the configuration. Opens neither store nor network.

use super::{ConfigFile, Failure, say};
use crate::http::Tls;
use crate::mail::Templates;
use clap::Args;

/// Check the configuration and report everything that is wrong
///
/// Names the place of each fault and what was expected. Certificate and key of TLS are read and templates of mails are
/// tried; neither the store nor the keyring, any issuer or the mail server is contacted.
#[derive(Args)]
pub(super) struct CheckCommand {
    #[command(flatten)]
    config: ConfigFile,
}

impl CheckCommand {
    pub(super) fn run(&self) -> Result<(), Failure> {
        let config = self.config.open()?.service()?;
        config
            .http
            .tls
            .map(Tls::open)
            .transpose()
            .map_err(|error| Failure::Usage(format!("TLS: {error}")))?;
        if let Some(mail) = config.mail {
            Templates::read(mail.templates.as_deref(), &config.totp_issuer_label)
                .map_err(|error| Failure::Usage(format!("mail.templates: {error}")))?;
        }
        say("the configuration is fine")
    }
}
