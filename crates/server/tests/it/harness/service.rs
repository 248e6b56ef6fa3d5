//! The real service on free ports, in this process, with a store, a clock and an issuer of its own.

use super::clock::HandClock;
use super::issuer::{Issuer, SigningKey, with};
use super::postgres::PostgresServer;
use crate::http::client::Client as Wire;
use einmal::accounts::{IssuerNames, Keyring, Outcome, Provisioned, Reading, read_record};
use einmal::clock::Clock;
use einmal::config::{Config, Document, Environment};
use einmal::entropy::SystemEntropy;
use einmal::http::Shutdown;
use einmal::mail::Limits;
use einmal::run::{self, Running};
use einmal::store::{SwapOutcome, Version};
use einmal_core::account::{Account, AccountId};
use einmal_core::otp::{Algorithm, Secret, Totp};
use einmal_core::policy::Policy;
use reqwest::{Client, RequestBuilder};
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use tempfile::TempDir;

pub(crate) const VERIFY: &str = "/user/2025-1/user/otp/verify";
/// The demo device's; 20 bytes.
pub(crate) const SECRET: &str = "PBVDSNDDKZ4HGZ3UG5CHUUSEMJCTCSCU";

/// Of a user's token: everything that users may do.
const SCOPES: &str = "user:otp:verify user:otp:create user:users.pin:update user:users.pin:check \
     user:users.password:check user:device-totps:create user:device-totps:delete";

pub(crate) struct Service {
    pub(crate) running: Running,
    pub(crate) issuer: Issuer,
    pub(crate) key: SigningKey,
    pub(crate) clock: Arc<HandClock>,
    pub(crate) client: Client,
    pub(crate) directory: TempDir,
    settings: String,
    mail_limits: Limits,
}

impl Service {
    pub(crate) async fn start() -> Self {
        Self::start_with("").await
    }

    /// With `settings` added to the configuration file.
    pub(crate) async fn start_with(settings: &str) -> Self {
        Self::start_limited(settings, Limits::default()).await
    }

    /// Where there is such a place, with its store in memory: what a disk takes hides what else takes time.
    pub(crate) async fn start_in_memory() -> Self {
        let directory = TempDir::new_in("/dev/shm").or_else(|_| TempDir::new()).unwrap();
        Self::start_in(directory, "", Limits::default()).await
    }

    /// With other limits for mails than an operator can have.
    pub(crate) async fn start_limited(settings: &str, mail_limits: Limits) -> Self {
        Self::start_in(TempDir::new().unwrap(), settings, mail_limits).await
    }

    async fn start_in(directory: TempDir, settings: &str, mail_limits: Limits) -> Self {
        let key = SigningKey::new("EdDSA", Some("key"));
        let issuer = Issuer::start(&[&key]).await;
        write_keyring(&directory.path().join("einmal.keys"));
        let clock = HandClock::new();
        let running = start(directory.path(), &issuer, &clock, settings, mail_limits).await;
        let settings = settings.to_owned();
        Self { running, issuer, key, clock, client: Client::new(), directory, settings, mail_limits }
    }

    /// On a new database of a PostgreSQL server that all tests share. `None` where there is none.
    pub(crate) async fn start_on_postgres() -> Option<Self> {
        let database = PostgresServer::shared()?.database();
        Some(Self::start_with(&database.section()).await)
    }

    /// Ends the service as SIGTERM does, and starts it again on the same store.
    pub(crate) async fn restart(self) -> Self {
        self.restart_after(async |_| {}).await
    }

    /// The same, with something done to its directory while it is down.
    pub(crate) async fn restart_after(self, work: impl AsyncFnOnce(&Path)) -> Self {
        let Self { running, issuer, key, clock, client, directory, settings, mail_limits } = self;
        running.shutdown.begin();
        running.finished().await;
        work(directory.path()).await;
        let running = start(directory.path(), &issuer, &clock, &settings, mail_limits).await;
        Self { running, issuer, key, clock, client, directory, settings, mail_limits }
    }

    /// One more service beside this one, on the same store.
    pub(crate) async fn start_beside(&self) -> Running {
        self.start_beside_at(&self.clock).await
    }

    /// The same with a clock of its own.
    pub(crate) async fn start_beside_at(&self, clock: &Arc<HandClock>) -> Running {
        start(self.directory.path(), &self.issuer, clock, &self.settings, self.mail_limits).await
    }

    /// A connection that sends the very bytes it is given.
    pub(crate) async fn connect(&self) -> Wire {
        Wire::connect(self.running.address).await
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.running.address)
    }

    pub(crate) fn management_url(&self, path: &str) -> String {
        format!("http://{}{path}", self.running.management_address)
    }

    pub(crate) fn database(&self) -> std::path::PathBuf {
        self.directory.path().join("einmal.db")
    }

    fn read(&self, record: &Value) -> Provisioned {
        let issuers = IssuerNames(vec!["main".into()]);
        let policy = Policy::default();
        let reading =
            Reading { issuers: &issuers, policy: &policy, entropy: &SystemEntropy, now: self.clock.now() };
        read_record(&record.to_string(), &reading).unwrap()
    }

    /// As an import with `--replace` does.
    pub(crate) async fn replace(&self, record: &Value) {
        self.running.accounts().put(self.read(record), self.clock.now()).await.unwrap();
    }

    /// Makes an account, given as a line of an import.
    pub(crate) async fn provision(&self, record: &Value) {
        let account = self.read(record);
        let outcomes = self.running.accounts().insert([(&account.id, &account.account)]).await.unwrap();
        assert_eq!(outcomes, [SwapOutcome::Swapped]);
    }

    /// An account with one device that has [`SECRET`].
    pub(crate) async fn provision_device(&self, subject: &str) {
        self.provision(&json!({ "id": subject, "deviceTotps": [{ "secret": SECRET }] })).await;
    }

    /// An account as a value, for what no import can make.
    pub(crate) async fn insert(&self, subject: &str, account: Account) {
        let outcomes = self.running.accounts().insert([(&id(subject), &account)]).await.unwrap();
        assert_eq!(outcomes, [SwapOutcome::Swapped]);
    }

    /// What is in the store of an account, without an attempt and without a write.
    pub(crate) async fn look<T: Send + 'static>(
        &self,
        subject: &str,
        look: impl Fn(&Account) -> T + Send + Sync + 'static,
    ) -> T {
        let looked = self.running.accounts().update(id(subject), move |account| Seen(look(account))).await;
        looked.unwrap().unwrap().0
    }

    /// Changes an account as nothing on the wire could.
    pub(crate) async fn change(&self, subject: &str, change: impl Fn(&mut Account) + Send + Sync + 'static) {
        let change = move |account: &mut Account| {
            change(account);
            Seen(())
        };
        self.running.accounts().update(id(subject), change).await.unwrap().unwrap();
    }

    /// Failed attempts with codes since the last success.
    pub(crate) async fn failures(&self, subject: &str) -> u32 {
        self.look(subject, |account| account.otp_throttle.failures).await
    }

    /// The versions of the account's rows: any write changes one.
    pub(crate) async fn versions(&self, subject: &str) -> (Version, Version) {
        let loaded = self.running.accounts().store().load_many(vec![id(subject)]).await.unwrap();
        let stored = loaded.into_iter().next().flatten().unwrap();
        (stored.guard.version, stored.vault.version)
    }

    /// The code of [`SECRET`], some steps from now.
    pub(crate) fn code(&self, offset: i64) -> String {
        self.code_of(SECRET, offset)
    }

    pub(crate) fn code_of(&self, secret: &str, offset: i64) -> String {
        let totp = Totp::new(Secret::from_base32(secret).unwrap(), Algorithm::Sha1, 6, 30).unwrap();
        let step = totp.step_at(self.clock.now()).saturating_add_signed(offset);
        totp.code_at(step).as_str().to_owned()
    }

    /// Six digits that are no code of [`SECRET`] near now; `number` tells them apart.
    pub(crate) fn wrong_code(&self, number: usize) -> String {
        let near: Vec<_> = (-5..=5).map(|offset| self.code(offset)).collect();
        let wrong =
            (0..1_000).map(|number| format!("{:06}", 111_111 + number)).filter(|code| !near.contains(code));
        wrong.into_iter().nth(number).unwrap()
    }

    pub(crate) fn claims(&self, subject: &str) -> Value {
        let now = self.clock.now().seconds();
        json!({
            "iss": self.issuer.url(), "sub": subject, "aud": "einmal", "scope": SCOPES,
            "client_id": "app", "iat": now, "exp": now + 3_600,
        })
    }

    pub(crate) fn token(&self, subject: &str) -> String {
        self.token_with(subject, &json!({}))
    }

    /// With some claims set to something else, or removed by null.
    pub(crate) fn token_with(&self, subject: &str, changes: &Value) -> String {
        self.key.token(&with(&self.claims(subject), changes))
    }

    /// The verify request with a good token of `subject`.
    pub(crate) fn request(&self, subject: &str, body: &Value) -> RequestBuilder {
        self.request_with_token(&self.token(subject), body)
    }

    pub(crate) fn request_with_token(&self, token: &str, body: &Value) -> RequestBuilder {
        let request = self.client.post(self.url(VERIFY)).bearer_auth(token);
        request.header("content-type", "application/json").body(body.to_string())
    }

    /// The status of verifying `otp` with the default types.
    pub(crate) async fn verify(&self, subject: &str, otp: &str) -> u16 {
        self.request(subject, &json!({ "otp": otp })).send().await.unwrap().status().as_u16()
    }
}

fn id(subject: &str) -> AccountId {
    AccountId::new("main", subject)
}

/// What a look at an account found: nothing to write, whatever it is.
struct Seen<T>(T);

impl<T: Send + 'static> Outcome for Seen<T> {
    fn is_evaluated(&self) -> bool {
        false
    }
}

pub(crate) fn write_keyring(path: &Path) {
    fs::write(path, Keyring::generate(&SystemEntropy).unwrap().as_bytes()).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

async fn start(
    directory: &Path,
    issuer: &Issuer,
    clock: &Arc<HandClock>,
    settings: &str,
    mail_limits: Limits,
) -> Running {
    let mut config = configuration(directory, issuer, settings);
    if let Some(mail) = &mut config.mail {
        mail.limits = mail_limits;
    }
    let shutdown = Shutdown::new(config.http.drain);
    let starting = run::start(config, Arc::clone(clock) as _, Arc::new(SystemEntropy), shutdown).await;
    starting.unwrap().discovered().await.unwrap()
}

fn configuration(directory: &Path, issuer: &Issuer, settings: &str) -> Config {
    let path = directory.join("einmal.toml");
    let text = format!(
        "[http]\nlisten = \"127.0.0.1:0\"\nmanagement_listen = \"127.0.0.1:0\"\ndrain = \"0s\"\n\
         public_url = \"http://einmal.test\"\n\
         [keyring]\nfile = \"einmal.keys\"\n\
         [[issuers]]\nissuer = \"{}\"\naudiences = [\"einmal\"]\n{settings}\n",
        issuer.url()
    );
    fs::write(&path, text).unwrap();
    let document = Document::open(Some(&path), Environment::from([("", ""); 0])).unwrap();
    document.service().unwrap()
}
