//! A mail server, by SMTP (RFC 5321). A mail has one deadline for everything; a connection that was not at its end by then
//! is never used again, or the answer to one mail could be taken for that to another.

use super::clear_stream::ClearStream;
use super::settings::{Security, SmtpServer};
use super::{Mail, MailError, MailSetupError, Outbox, Sending};
use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS};
use lettre::transport::smtp::client::{AsyncSmtpConnection, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail as MailFrom, Rcpt};
use lettre::transport::smtp::extension::ClientId;
use lettre::transport::smtp::response::{Response, Severity};
use std::error::Error as _;
use std::fmt::Display;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep, timeout};

/// How long a mail may take and how many go at the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// For everything, waiting for a place and connecting included. A mail whose place in its account was slow to come
    /// by has less: what is left of that.
    pub deadline: Duration,
    pub at_once: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { deadline: Duration::from_secs(10), at_once: 32 }
    }
}

/// Connections that are kept for the next mail, and for how long. Servers close them after minutes.
const MOST_IDLE: usize = 4;
const LONGEST_IDLE: Duration = Duration::from_mins(1);

/// From here on a mail may come, whatever becomes of its connection (RFC 5321 section 4.2.5).
pub(super) const END_OF_MESSAGE: &str = "end of the message";

pub struct Smtp {
    server: SmtpServer,
    tls: Option<TlsParameters>,
    hello: ClientId,
    limits: Limits,
    places: Semaphore,
    idle: Arc<Mutex<Vec<Idle>>>,
}

struct Idle {
    connection: AsyncSmtpConnection,
    since: Instant,
}

/// How far a mail has come, for the operator.
struct Progress(Mutex<&'static str>);

impl Progress {
    fn at(&self, stage: &'static str) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = stage;
    }

    fn stage(&self) -> &'static str {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn failed(&self, reason: impl Display) -> MailError {
        MailError::Failed { stage: self.stage(), reason: reason.to_string() }
    }

    /// Without what the server has said, but for its numbers.
    fn error(&self, error: &Error) -> MailError {
        if let Some(code) = error.status() {
            let said = error.source().map(ToString::to_string).unwrap_or_default();
            let enhanced = said.split(' ').next().filter(|word| is_enhanced_code(word));
            let codes = enhanced.map_or_else(|| code.to_string(), |enhanced| format!("{code} {enhanced}"));
            return MailError::Refused { stage: self.stage(), codes };
        }
        if error.is_response() {
            return self.failed("the answer of the mail server is not SMTP, or not whole");
        }
        self.failed(error)
    }
}

/// RFC 3463: three numbers.
fn is_enhanced_code(word: &str) -> bool {
    let is_number =
        |part: &str| (1..=3).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
    word.split('.').count() == 3 && word.split('.').all(is_number)
}

impl Smtp {
    /// Asks nobody yet.
    pub fn new(server: SmtpServer, limits: Limits) -> Result<Self, MailSetupError> {
        let tls = match server.security {
            Security::None => None,
            Security::Tls | Security::StartTls => {
                let parameters = TlsParameters::new(server.host.clone());
                Some(parameters.map_err(|error| MailSetupError::Server(error.to_string()))?)
            }
        };
        let idle = Arc::default();
        tokio::spawn(close_idle(Arc::downgrade(&idle)));
        Ok(Self { server, tls, hello: hello(), limits, places: Semaphore::new(limits.at_once), idle })
    }

    async fn deliver(&self, mail: Mail, time: Duration) -> Result<(), MailError> {
        let message = mail.message()?;
        let progress = Progress(Mutex::new("waiting for others"));
        let deadline = self.limits.deadline.min(time);
        let delivery = timeout(deadline, async {
            // It fails only if somebody closes it, and nobody does.
            let _place = self.places.acquire().await;
            let mut connection = self.connection(&progress).await?;
            say(&mut connection, &mail, &message, &progress).await?;
            self.keep(connection);
            Ok(())
        });
        delivery.await.unwrap_or_else(|_| Err(MailError::TooSlow { stage: progress.stage(), deadline }))
    }

    async fn connection(&self, progress: &Progress) -> Result<AsyncSmtpConnection, MailError> {
        progress.at("NOOP");
        while let Some(idle) = self.take_idle() {
            let mut connection = idle.connection;
            if idle.since.elapsed() < LONGEST_IDLE && connection.test_connected().await {
                return Ok(connection);
            }
        }
        progress.at("connecting");
        let mut connection = self.connect(progress).await?;
        if let Some((user, password)) = &self.server.credentials {
            progress.at("AUTH");
            let credentials = Credentials::new(user.clone(), password.expose().to_owned());
            let authenticated = connection.auth(DEFAULT_MECHANISMS, &credentials).await;
            completed(authenticated, progress)?;
        }
        Ok(connection)
    }

    async fn connect(&self, progress: &Progress) -> Result<AsyncSmtpConnection, MailError> {
        let address = (self.server.host.as_str(), self.server.port);
        let (hello, failed) = (&self.hello, |error: Error| progress.error(&error));
        let (Security::StartTls, Some(tls)) = (self.server.security, &self.tls) else {
            let tls = self.tls.clone();
            return AsyncSmtpConnection::connect_tokio1(address, None, hello, tls, None)
                .await
                .map_err(failed);
        };
        let stream = TcpStream::connect(address).await.map_err(|error| progress.failed(error))?;
        let stream = Box::new(ClearStream::new(stream));
        let connected = AsyncSmtpConnection::connect_with_transport(stream, hello).await;
        let mut connection = connected.map_err(failed)?;
        progress.at("STARTTLS");
        connection.starttls(tls.clone(), hello).await.map_err(failed)?;
        Ok(connection)
    }

    fn take_idle(&self) -> Option<Idle> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    fn keep(&self, connection: AsyncSmtpConnection) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < MOST_IDLE {
            idle.push(Idle { connection, since: Instant::now() });
        }
    }
}

/// One mail over a connection that is there for it. Whatever goes wrong ends the connection, too.
async fn say(
    connection: &mut AsyncSmtpConnection,
    mail: &Mail,
    message: &[u8],
    progress: &Progress,
) -> Result<(), MailError> {
    let sender = mail.from.mailbox().email.clone();
    progress.at("MAIL FROM");
    completed(connection.command(MailFrom::new(Some(sender), Vec::new())).await, progress)?;
    progress.at("RCPT TO");
    completed(connection.command(Rcpt::new(mail.to.inner().clone(), Vec::new())).await, progress)?;
    progress.at("DATA");
    let ready = connection.command(Data).await.map_err(|error| progress.error(&error))?;
    if !ready.has_code(354) {
        return Err(unexpected(&ready, progress));
    }
    progress.at(END_OF_MESSAGE);
    completed(connection.message(message).await, progress)
}

/// The command has been done, and not only understood so far.
fn completed(answer: Result<Response, Error>, progress: &Progress) -> Result<(), MailError> {
    let answer = answer.map_err(|error| progress.error(&error))?;
    match answer.code().severity {
        Severity::PositiveCompletion => Ok(()),
        _ => Err(unexpected(&answer, progress)),
    }
}

/// Neither a yes nor a no.
fn unexpected(answer: &Response, progress: &Progress) -> MailError {
    progress.failed(format_args!("the mail server answered {}", answer.code()))
}

/// The name of this host, if it can be one; some servers want to know.
fn hello() -> ClientId {
    let system = rustix::system::uname();
    let name = system.nodename().to_str().ok().filter(|name| {
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.".contains(&byte))
    });
    name.map_or_else(ClientId::default, |name| ClientId::Domain(name.to_owned()))
}

/// For as long as there is somebody who could use one.
async fn close_idle(idle: Weak<Mutex<Vec<Idle>>>) {
    while let Some(idle) = idle.upgrade() {
        let is_young = |idle: &Idle| idle.since.elapsed() < LONGEST_IDLE;
        idle.lock().unwrap_or_else(PoisonError::into_inner).retain(is_young);
        drop(idle);
        sleep(LONGEST_IDLE / 2).await;
    }
}

impl Outbox for Smtp {
    fn send(&self, mail: Mail, time: Duration) -> Sending<'_> {
        Box::pin(self.deliver(mail, time))
    }
}
