//! The configuration: a TOML file, environment variables over it, and the checks. Nothing that is wrong is
//! ignored, and no message shows a secret.

mod account_page;
mod admin;
mod duration;
mod environment;
mod events;
mod example;
mod fault;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
mod http;
mod introspection;
mod issuers;
mod keyring;
mod keys;
mod limits;
mod log;
mod mail;
mod otp;
mod overlay;
mod password;
mod postgres;
mod postgres_url;
mod print;
mod secret;
mod section;
mod store;
#[cfg(test)]
mod tests;
mod throttle;
mod totp;
mod tree;

pub use environment::Environment;
pub use fault::{ConfigError, Fault, Place};
pub use http::Http;
pub use keyring::{KeyringLocation, KeyringSource};
pub use log::{Log, LogFormat};
pub use postgres::{Postgres, PostgresHost, PostgresPlace, PostgresTls, RootCertificates};
pub use secret::Secret;
pub use store::{Engine, Store};

use crate::auth::{AdministratorSettings, IssuerSettings};
use crate::events::Output;
use crate::mail::MailSettings;
use crate::page::AccountPageSettings;
use einmal_core::policy::Policy;
use section::{Section, Surroundings};
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use tree::{Node, Table, Value};
use zeroize::Zeroizing;

/// Everything that `serve` needs, checked.
#[derive(Clone, Debug)]
pub struct Config {
    pub http: Http,
    pub store: Store,
    pub keyring: KeyringSource,
    /// Never empty; names and issuers are unique.
    pub issuers: Vec<IssuerSettings>,
    pub policy: Policy,
    /// `None` if no mail is sent.
    pub mail: Option<MailSettings>,
    /// Whether codes are mailed at all.
    pub login_enabled: bool,
    /// Status of a throttled attempt, 404 or 429.
    pub throttle_status: u16,
    /// What authenticator apps show.
    pub totp_issuer_label: String,
    /// `None` if nobody administers accounts over HTTP.
    pub administrators: Option<AdministratorSettings>,
    /// `None` if there is no page for users.
    pub account_page: Option<AccountPageSettings>,
    pub log: Log,
    /// Where security events go; `None` if nowhere.
    pub events: Option<Output>,
}

/// What commands need that work on accounts beside `serve`.
#[derive(Clone, Debug)]
pub struct Administration {
    pub store: Store,
    pub keyring: KeyringSource,
    /// Names of the issuers, in the order of the file; never empty.
    pub issuer_names: Vec<String>,
    pub policy: Policy,
}

/// A configuration whose keys are known; what stands in them is checked when somebody asks for it, so that a
/// command refuses only what it needs.
pub struct Document {
    file: Option<String>,
    directory: PathBuf,
    environment: Environment,
    root: Table,
    /// About unknown keys and the like; whoever reads a part gets them, too.
    faults: Vec<Fault>,
}

impl Document {
    /// Reads the file, if there is one, and lays the environment over it.
    pub fn open(path: Option<&Path>, environment: Environment) -> Result<Self, ConfigError> {
        let file = path.map(|path| path.display().to_string());
        if path.is_none() && environment.overrides().next().is_none() {
            return Err(ConfigError::Absent);
        }
        let text = path.map(read_file).transpose()?.unwrap_or_default();
        let directory = path.and_then(Path::parent).map(Path::to_path_buf).unwrap_or_default();
        Self::of(&text, file, directory, environment)
    }

    /// Of the text of a file, which is called `file` where faults are told.
    fn of(
        text: &str,
        file: Option<String>,
        directory: PathBuf,
        environment: Environment,
    ) -> Result<Self, ConfigError> {
        let mut root =
            tree::parse_file(text).map_err(|faults| ConfigError::faulty(file.as_deref(), faults))?;
        let mut faults = Vec::new();
        // Before the overlay, which may cover a fault of the file, and after it, for the tables it brings.
        keys::check(&root, keys::ROOT, "", &mut faults);
        overlay::apply(&mut root, &environment, &mut faults);
        keys::check(&root, keys::ROOT, "", &mut faults);
        Ok(Self { file, directory, environment, root, faults })
    }

    /// The whole configuration, for `serve` and `config check`.
    pub fn service(&self) -> Result<Config, ConfigError> {
        let mut faults = self.faults.clone();
        let http = http::read(&mut self.section("http", &mut faults));
        let store = store::read(&mut self.section("store", &mut faults));
        let keyring = keyring::read(&mut self.section("keyring", &mut faults));
        let issuers = self.issuers(&mut faults, issuers::read);
        refuse_twice(&issuers, |issuer| &*issuer.name, "name", &mut faults);
        refuse_twice(&issuers, |issuer| &issuer.issuer, "issuer", &mut faults);
        introspection::refuse_shared(&issuers, &mut faults);
        let limits = limits::read(self, &mut faults);
        // Their faults have been told; a name is right also where the rest of an issuer is not.
        let names = self.issuers(&mut Vec::new(), issuers::read_name);
        let names: Vec<_> = names.into_iter().map(|(_, name)| name).collect();
        let administrators = self.root.contains_key("admin");
        let administrators =
            administrators.then(|| admin::read(&mut self.section("admin", &mut faults), &names));
        let page = self.root.contains_key("account_page");
        let page = page.then(|| account_page::read(&mut self.section("account_page", &mut faults), &names));
        let has_mail = self.root.contains_key("mail");
        let mail = has_mail.then(|| mail::read(&mut self.section("mail", &mut faults)));
        let log = log::read(&mut self.section("log", &mut faults));
        let others = events::Others {
            configuration: self.file.as_deref().map(Path::new),
            store: store.as_ref(),
            keyring: keyring.as_ref(),
            tls: http.tls.as_ref(),
        };
        let events = events::read(&mut self.section("events", &mut faults), &others);
        match (store, keyring, limits) {
            (Some(store), Some(keyring), Some(limits)) if faults.is_empty() => Ok(Config {
                http,
                store,
                keyring,
                issuers: issuers.into_iter().map(|(_, issuer)| issuer).collect(),
                policy: limits.policy,
                mail: mail.flatten(),
                login_enabled: limits.login_enabled,
                throttle_status: limits.throttle_status,
                totp_issuer_label: limits.totp_issuer_label,
                administrators: administrators.flatten(),
                account_page: page.flatten(),
                log,
                events,
            }),
            _ => Err(self.error(faults)),
        }
    }

    /// The effective values as TOML, secrets masked; only if all is right.
    pub fn print(&self) -> Result<Zeroizing<String>, ConfigError> {
        self.service()?;
        Ok(print::print(self))
    }

    /// The part that commands on accounts need.
    pub fn administration(&self) -> Result<Administration, ConfigError> {
        let mut faults = self.faults.clone();
        let store = store::read(&mut self.section("store", &mut faults));
        let keyring = keyring::read(&mut self.section("keyring", &mut faults));
        let names = self.issuers(&mut faults, issuers::read_name);
        refuse_twice(&names, |name| name, "name", &mut faults);
        let limits = limits::read(self, &mut faults);
        match (store, keyring, limits) {
            (Some(store), Some(keyring), Some(limits)) if faults.is_empty() => Ok(Administration {
                store,
                keyring,
                issuer_names: names.into_iter().map(|(_, name)| name).collect(),
                policy: limits.policy,
            }),
            _ => Err(self.error(faults)),
        }
    }

    /// The store alone, for work that opens no account.
    pub fn store(&self) -> Result<Store, ConfigError> {
        let mut faults = self.faults.clone();
        match store::read(&mut self.section("store", &mut faults)) {
            Some(store) if faults.is_empty() => Ok(store),
            _ => Err(self.error(faults)),
        }
    }

    /// Where health is told, for whoever asks a running service.
    pub fn management_listen(&self) -> Result<SocketAddr, ConfigError> {
        let mut faults = self.faults.clone();
        let http = http::read(&mut self.section("http", &mut faults));
        if faults.is_empty() { Ok(http.management_listen) } else { Err(self.error(faults)) }
    }

    /// Where the keyring is to be, for whoever makes one.
    pub fn keyring_location(&self) -> Result<KeyringLocation, ConfigError> {
        let mut faults = self.faults.clone();
        match keyring::read_location(&mut self.section("keyring", &mut faults)) {
            Some(location) if faults.is_empty() => Ok(location),
            _ => Err(self.error(faults)),
        }
    }

    fn error(&self, faults: Vec<Fault>) -> ConfigError {
        ConfigError::faulty(self.file.as_deref(), faults)
    }

    fn section<'a>(&'a self, name: &str, faults: &'a mut Vec<Fault>) -> Section<'a> {
        Section::new(name, self.root.get(name), self.surroundings(), faults)
    }

    fn surroundings(&self) -> Surroundings<'_> {
        Surroundings { directory: &self.directory, environment: &self.environment }
    }

    /// Each issuer that could be read, with its place. `read` is told whether it is the only one.
    fn issuers<T>(
        &self,
        faults: &mut Vec<Fault>,
        read: fn(&mut Section<'_>, bool) -> Option<T>,
    ) -> Vec<(Located, T)> {
        let list: &[Node] = match self.root.get("issuers").map(|node| &node.value) {
            Some(Value::List(list)) => list,
            Some(_) => return Vec::new(), // refused when the keys were checked
            None => &[],
        };
        if list.is_empty() {
            faults.push(Fault::new(Place::Whole, "issuers", NO_ISSUERS));
        }
        let only = list.len() == 1;
        let read_one = |(index, node): (usize, &Node)| {
            let path = format!("issuers.{index}");
            let mut section = Section::new(path.clone(), Some(node), self.surroundings(), faults);
            read(&mut section, only).map(|issuer| (Located { path, place: node.place.clone() }, issuer))
        };
        list.iter().enumerate().filter_map(read_one).collect()
    }
}

const NO_ISSUERS: &str = "missing, expected at least one [[issuers]] with issuer and audiences \
     (to try einmal without one, run `einmal dev`)";

struct Located {
    path: String,
    place: Place,
}

/// Two issuers with one name would share accounts; with one `iss` a token would belong to both.
fn refuse_twice<T>(issuers: &[(Located, T)], value: fn(&T) -> &str, key: &str, faults: &mut Vec<Fault>) {
    let mut seen = BTreeSet::new();
    for (located, issuer) in issuers {
        if !seen.insert(value(issuer)) {
            let message = format!("found {:?} a second time, expected another one", value(issuer));
            faults.push(Fault::new(located.place.clone(), keys::join(&located.path, key), message));
        }
    }
}

fn read_file(path: &Path) -> Result<Zeroizing<String>, ConfigError> {
    std::fs::read_to_string(path).map(Zeroizing::new).map_err(|error| ConfigError::Unreadable {
        file: path.display().to_string(),
        reason: error.to_string(),
    })
}
