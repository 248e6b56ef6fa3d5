//! Where a PostgreSQL server is and how to speak to it, as the operator said it. Must never show the password.

use super::secret::Secret;
use std::fmt;
use std::path::PathBuf;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Postgres {
    /// In the order in which they are tried; never empty.
    pub hosts: Vec<PostgresHost>,
    pub user: String,
    pub password: Option<Secret>,
    pub database: String,
    pub tls: PostgresTls,
    /// Command-line options for the server's session, such as `-csearch_path=einmal`.
    pub options: Option<String>,
    pub application_name: String,
    /// So many connections write, and as many read.
    pub connections: usize,
    /// Whether a server is refused that may lose what it has acknowledged.
    pub require_synchronous: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PostgresHost {
    pub place: PostgresPlace,
    pub port: u16,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PostgresPlace {
    /// A name or an address.
    Network(String),
    /// The directory of a Unix socket.
    Socket(PathBuf),
}

/// What libpq calls `sslmode` and `sslrootcert`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PostgresTls {
    /// `disable`
    Off,
    /// `prefer`: if the server offers it, whoever that is.
    Preferred,
    /// `require` without certificates: encrypted, with whoever it is.
    Unverified,
    /// `verify-ca`, and `require` with certificates: with a server that one of them vouches for.
    Trusted(RootCertificates),
    /// `verify-full`: with a server that one of them vouches for by the name that is connected to.
    Verified(RootCertificates),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RootCertificates {
    /// Those that the system trusts.
    System,
    /// A file of certificates in PEM.
    File(PathBuf),
}

impl fmt::Display for PostgresHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            PostgresPlace::Network(name) if name.contains(':') => write!(f, "[{name}]:{}", self.port),
            PostgresPlace::Network(name) => write!(f, "{name}:{}", self.port),
            PostgresPlace::Socket(directory) => write!(f, "{}:{}", directory.display(), self.port),
        }
    }
}

/// For messages and the log: hosts and database alone.
impl fmt::Display for Postgres {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hosts: Vec<_> = self.hosts.iter().map(ToString::to_string).collect();
        write!(f, "postgres://{}/{}", hosts.join(","), self.database)
    }
}
