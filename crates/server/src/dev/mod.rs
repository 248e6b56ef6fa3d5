//! Everything at once, for trying out: a store, an issuer and an account that everybody knows. `serve` must
//! never reach anything in here, and nothing in here opens a store that `serve` made.

mod examples;
mod host;
mod issuer;
mod lines;
mod mailbox;
mod page;

pub use lines::lines;
pub use mailbox::Printer;

use crate::accounts::{Accounts, IssuerNames, KeyringFile, Reading, read_record};
use crate::auth::{AdministratorSettings, Algorithm, IssuerSettings};
use crate::clock::{Clock, SystemClock};
use crate::config::{Config, Engine, Http, KeyringSource, Log, Store};
use crate::entropy::SystemEntropy;
use crate::events::Events;
use crate::http::{Shutdown, TrustedProxies};
use crate::mail::{MailSetupError, Mailer, Sender, Templates};
use crate::run::{self, Parts, Purpose, StartError, Starting};
use einmal_core::policy::Policy;
use mailbox::Mailbox;
use std::fs::DirBuilder;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

pub struct Options<'a> {
    pub listen: SocketAddr,
    /// Where store and keyring are, or will be.
    pub data: &'a Path,
    /// Answer other machines, and by any name.
    pub expose: bool,
    /// Shows each mail as it comes.
    pub print: Printer,
}

/// Why it does not start.
#[derive(Debug, thiserror::Error)]
pub enum DevError {
    #[error(
        "{0} is reached by other machines, who could get a token for any account; to allow that, add --expose"
    )]
    Exposed(SocketAddr),
    #[error("{0}: {1}")]
    Data(String, io::Error),
    #[error(transparent)]
    Start(#[from] StartError),
    #[error("the demo account cannot be made: {0}")]
    Demo(String),
    #[error("no key for the built-in issuer: {0}")]
    Issuer(#[from] aws_lc_rs::error::Unspecified),
}

const ISSUER_NAME: &str = "main";

pub async fn start(options: Options<'_>, shutdown: Shutdown) -> Result<Starting, DevError> {
    if !options.listen.ip().is_loopback() && !options.expose {
        return Err(DevError::Exposed(options.listen));
    }
    let config = config(&options)?;
    let accounts =
        run::open_accounts(&config.store, &config.keyring, Purpose::Trial, Arc::new(SystemEntropy)).await?;
    make_demo_account(&accounts, &config.policy).await?;
    let listener = run::listen(options.listen)?;
    let address = run::local_address(&listener);

    let issuer = issuer::Issuer::new(address)?;
    let config = Config { issuers: vec![settings(&issuer)], ..config };
    let mut routes = issuer::routes(issuer);
    routes.append(&mut page::routes());
    let mailbox = Mailbox::new(options.print);
    routes.append(&mut mailbox::routes(&mailbox));
    let mailer = Some(mailer(mailbox, &config.totp_issuer_label)?);
    let (clock, entropy) = (Arc::new(SystemClock), Arc::new(SystemEntropy));
    let events = Events::default();
    let parts = Parts { config, clock, entropy, accounts, events, mailer, listener, tls: None, shutdown };
    let expose = options.expose;
    Ok(parts.start(routes, None, |router| host::guard(router, address, expose))?)
}

fn config(options: &Options<'_>) -> Result<Config, DevError> {
    let data = |error| DevError::Data(options.data.display().to_string(), error);
    DirBuilder::new().recursive(true).mode(0o700).create(options.data).map_err(data)?;
    let keyring = KeyringFile::private(options.data.join("einmal.keys"));
    match keyring.create(&SystemEntropy) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => {
            return Err(DevError::Data(keyring.path.display().to_string(), error));
        }
        _ => {}
    }
    Ok(Config {
        http: Http {
            listen: options.listen,
            management_listen: options.listen,
            public_url: None,
            max_connections: 1_000,
            drain: Duration::ZERO,
            tls: None,
            trusted_proxies: TrustedProxies::default(),
        },
        store: Store { engine: Engine::Sqlite(options.data.join("einmal.db")), migrate: true },
        keyring: KeyringSource::File(keyring),
        issuers: Vec::new(),
        policy: Policy::default(),
        mail: None,
        login_enabled: true,
        throttle_status: 404,
        totp_issuer_label: "einmal".to_owned(),
        administrators: Some(AdministratorSettings {
            issuer: ISSUER_NAME.into(),
            clients: vec![issuer::ADMIN_CLIENT.to_owned()],
        }),
        account_page: None,
        log: Log::for_people(),
        events: None,
    })
}

/// Of mails that go nowhere but into the mailbox.
fn mailer(mailbox: Mailbox, service: &str) -> Result<Mailer, StartError> {
    let templates = Templates::read(None, service).map_err(MailSetupError::from)?;
    let from = Sender::parse("einmal dev <dev@example.com>")
        .ok_or_else(|| MailSetupError::Server("the sender is no address".to_owned()))?;
    Ok(Mailer::new(from, service.to_owned(), templates, Box::new(mailbox)))
}

fn settings(issuer: &issuer::Issuer) -> IssuerSettings {
    IssuerSettings {
        name: ISSUER_NAME.into(),
        issuer: issuer.url().to_owned(),
        audiences: vec![issuer::AUDIENCE.to_owned()],
        jwks_uri: None,
        algorithms: vec![Algorithm::EdDsa],
        linked_identity: None,
        introspection: None,
        direct_grant: None,
        registered_at_claim: None,
    }
}

/// Unless it is there from an earlier time.
async fn make_demo_account(accounts: &Accounts, policy: &Policy) -> Result<(), DevError> {
    let issuers = IssuerNames(vec![ISSUER_NAME.into()]);
    let reading = Reading { issuers: &issuers, policy, entropy: &SystemEntropy, now: SystemClock.now() };
    let demo = read_record(examples::RECORD, &reading).map_err(|error| DevError::Demo(error.to_string()))?;
    let inserted = accounts.insert([(&demo.id, &demo.account)]).await;
    inserted.map(drop).map_err(|error| DevError::Demo(error.to_string()))
}
