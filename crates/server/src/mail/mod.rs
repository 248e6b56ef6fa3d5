//! Mails with codes: who they go to, what stands in them, and the mail server. Nothing here knows an account, and
//! neither a code nor an address may get into a log or an error.

mod address;
mod clear_stream;
mod language;
mod message;
mod render;
mod settings;
mod smtp;
#[cfg(test)]
mod tests;

pub use address::{Address, Sender};
pub use render::{TemplateError, TemplateFault, Templates};
pub use settings::{MailSettings, Security, SmtpServer};
pub use smtp::{Limits, Smtp};

use einmal_core::otp::Code;
use einmal_core::{Entropy, EntropyError, Timestamp};
use render::Values;
use smtp::END_OF_MESSAGE;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

/// One mail, before it is put into a form for the wire.
pub struct Mail {
    pub from: Sender,
    /// The one recipient.
    pub to: Address,
    pub subject: String,
    pub text: String,
    pub html: String,
    pub sent_at: Timestamp,
    /// For whoever shows mails instead of sending them.
    pub code: Code,
    /// What is unique in its headers.
    random: [u8; 16],
}

/// Takes mails over: a mail server, or who stands in for one. `Ok` says that it was taken, and nothing else does.
pub trait Outbox: Send + Sync {
    /// In this time, or not.
    fn send(&self, mail: Mail, time: Duration) -> Sending<'_>;
}

pub type Sending<'a> = Pin<Box<dyn Future<Output = Result<(), MailError>> + Send + 'a>>;

/// Why a mail was not sent, or nobody knows. For the operator: without what the server said, for that may name the
/// recipient.
#[derive(Debug, thiserror::Error)]
pub enum MailError {
    #[error("{stage}: no answer within {} ms in all", .deadline.as_millis())]
    TooSlow { stage: &'static str, deadline: Duration },
    /// A plain no, with the codes of RFC 5321 and RFC 3463.
    #[error("{stage}: the mail server answered {codes}")]
    Refused { stage: &'static str, codes: String },
    #[error("{stage}: {reason}")]
    Failed { stage: &'static str, reason: String },
    #[error("the mail cannot be written: {0}")]
    Unwritable(String),
    #[error(transparent)]
    Entropy(#[from] EntropyError),
}

impl MailError {
    /// Whether the mail may come all the same: all of it was said, and no plain no came back.
    pub fn is_perhaps_sent(&self) -> bool {
        match self {
            Self::TooSlow { stage, .. } | Self::Failed { stage, .. } => *stage == END_OF_MESSAGE,
            Self::Refused { .. } | Self::Unwritable(_) | Self::Entropy(_) => false,
        }
    }
}

/// Why the service does not start: its mail would fail.
#[derive(Debug, thiserror::Error)]
pub enum MailSetupError {
    #[error("mail.templates: {0}")]
    Templates(#[from] TemplateError),
    #[error("mail.url: {0}")]
    Server(String),
}

/// Writes mails and sends them.
#[derive(Clone)]
pub struct Mailer {
    inner: Arc<Inner>,
}

struct Inner {
    from: Sender,
    /// What the recipient knows the service by.
    service: String,
    templates: Templates,
    outbox: Box<dyn Outbox>,
}

/// What a mail is about.
pub struct Letter<'a> {
    pub to: Address,
    /// Tags of the languages that it may be in, the most wanted one first.
    pub languages: Vec<&'a str>,
    pub code: &'a Code,
    pub expires_at: Timestamp,
}

impl Mailer {
    pub fn new(from: Sender, service: String, templates: Templates, outbox: Box<dyn Outbox>) -> Self {
        Self { inner: Arc::new(Inner { from, service, templates, outbox }) }
    }

    /// By SMTP, as the operator has it. Needs a running runtime; asks nobody yet.
    pub fn over_smtp(settings: MailSettings, service: String) -> Result<Self, MailSetupError> {
        let templates = Templates::read(settings.templates.as_deref(), &service)?;
        let smtp = Smtp::new(settings.server, settings.limits)?;
        Ok(Self::new(settings.from, service, templates, Box::new(smtp)))
    }

    pub fn write(
        &self,
        letter: &Letter<'_>,
        now: Timestamp,
        entropy: &dyn Entropy,
    ) -> Result<Mail, MailError> {
        let Inner { from, service, templates, .. } = &*self.inner;
        let language = templates.language(&letter.languages);
        // Rounded down: nothing is promised that is not kept.
        let minutes = (letter.expires_at.seconds_since(now) / 60).max(1);
        let values = Values { code: letter.code.as_str(), minutes, service };
        let rendered = templates.render(language, &values);
        let rendered = rendered.map_err(|fault| MailError::Unwritable(fault.to_string()))?;
        let mut random = [0; 16];
        entropy.fill(&mut random)?;
        Ok(Mail {
            from: from.clone(),
            to: letter.to.clone(),
            subject: rendered.subject,
            text: rendered.text,
            html: rendered.html,
            sent_at: now,
            code: letter.code.clone(),
            random,
        })
    }

    pub async fn send(&self, mail: Mail, time: Duration) -> Result<(), MailError> {
        self.inner.outbox.send(mail, time).await
    }
}
