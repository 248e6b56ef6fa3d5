//! `[store]`: where accounts are kept. The URL may hold a password, so no message shows it.

use super::keys::Key;
use super::postgres::{Postgres, PostgresTls, RootCertificates};
use super::postgres_url::{self, PostgresUrl, SslMode};
use super::secret::Secret;
use super::section::Section;
use std::fmt;
use std::path::PathBuf;

pub(super) const KEYS: &[Key] = &[
    Key::secret("url"),
    Key::secret("password"),
    Key::value("migrate"),
    Key::value("connections"),
    Key::value("require_synchronous"),
];

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Store {
    pub engine: Engine,
    /// Whether every command that opens the store brings its schema up to date.
    pub migrate: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Engine {
    /// The path of the database file.
    Sqlite(PathBuf),
    Postgres(Box<Postgres>),
}

/// As messages and the log name it.
impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => path.display().fmt(f),
            Self::Postgres(server) => server.fmt(f),
        }
    }
}

const DEFAULT_PATH: &str = "einmal.db";
const DEFAULT_CONNECTIONS: usize = 1;

/// `None` if it is not usable, and then there is a fault.
pub(super) fn read(section: &mut Section<'_>) -> Option<Store> {
    let migrate = section.boolean("migrate").unwrap_or(true);
    let connections = section.whole_number("connections", 1..=16);
    let connections =
        connections.and_then(|number| usize::try_from(number).ok()).unwrap_or(DEFAULT_CONNECTIONS);
    let require_synchronous = section.boolean("require_synchronous").unwrap_or_default();
    let password = if section.has("password") { Some(section.secret("password")?) } else { None };
    let url = if section.has("url") { Some(section.secret("url")?) } else { None };
    let url = url.as_ref().map(Secret::expose);
    let Some(url) = url.filter(|url| postgres_url::is_postgres(url)) else {
        let path = url.map_or(Ok(DEFAULT_PATH), sqlite_path);
        let path = path.map_err(|message| section.refuse("url", message)).ok()?;
        for (key, is_set) in [("password", password.is_some()), ("require_synchronous", require_synchronous)]
        {
            if is_set {
                section.refuse(key, "is about PostgreSQL, and store.url names a SQLite file");
            }
        }
        return Some(Store { engine: Engine::Sqlite(section.resolve(path)), migrate });
    };
    let parsed = postgres_url::parse(url).map_err(|message| section.refuse("url", message)).ok()?;
    if password.is_some() && parsed.password.is_some() {
        section.refuse("password", "store.url has one, too, expected one of them");
        return None;
    }
    let tls = tls(&parsed, section).map_err(|message| section.refuse("url", message)).ok()?;
    let PostgresUrl { hosts, user, database, options, application_name, .. } = parsed;
    let Some(user) = user else {
        section.refuse("url", "a user is missing, expected postgres://USER@HOST/DATABASE");
        return None;
    };
    let server = Postgres {
        hosts,
        password: parsed.password.or(password),
        database: database.unwrap_or_else(|| user.clone()),
        user,
        tls,
        options,
        application_name: application_name.unwrap_or_else(|| "einmal".to_owned()),
        connections,
        require_synchronous,
    };
    Some(Store { engine: Engine::Postgres(Box::new(server)), migrate })
}

fn tls(url: &PostgresUrl, section: &Section<'_>) -> Result<PostgresTls, &'static str> {
    let roots = match url.ssl_root_certificates.as_deref() {
        Some("system") => Some(RootCertificates::System),
        Some(path) => Some(RootCertificates::File(section.resolve(path))),
        None => None,
    };
    match (url.ssl_mode, roots) {
        // Certificates that nobody looks at: whoever names them believes otherwise.
        (SslMode::Disable | SslMode::Prefer, Some(_)) => {
            Err("sslrootcert is of no use without sslmode=require, verify-ca or verify-full")
        }
        (SslMode::Disable, None) => Ok(PostgresTls::Off),
        (SslMode::Prefer, None) => Ok(PostgresTls::Preferred),
        (SslMode::Require, None) => Ok(PostgresTls::Unverified),
        (SslMode::Require | SslMode::VerifyCa, Some(roots)) => Ok(PostgresTls::Trusted(roots)),
        (SslMode::VerifyCa, None) => Ok(PostgresTls::Trusted(RootCertificates::System)),
        (SslMode::VerifyFull, roots) => Ok(PostgresTls::Verified(roots.unwrap_or(RootCertificates::System))),
    }
}

fn sqlite_path(url: &str) -> Result<&str, &'static str> {
    let path = url.strip_prefix("sqlite:").ok_or("expected sqlite:PATH or postgres://USER@HOST/DATABASE")?;
    // Both spellings are common: sqlite:einmal.db and sqlite://einmal.db.
    let path = path.strip_prefix("//").unwrap_or(path);
    match path {
        "" => Err("expected a path after sqlite:"),
        // Codes that were spent would come back with every start.
        ":memory:" => Err("a store in memory forgets which codes are spent, expected sqlite:PATH"),
        _ if path.contains(['?', '#']) => Err("expected sqlite:PATH without parameters"),
        _ => Ok(path),
    }
}
