//! Reads `postgres://…`. Must never show a part of it: where a password is not percent-encoded, any part may be of it.

use super::postgres::{PostgresHost, PostgresPlace};
use super::secret::Secret;
use percent_encoding::percent_decode_str;
use std::path::PathBuf;

/// The parts of a URL, each as it stands there; what was not said is `None`.
#[derive(Default)]
pub(super) struct PostgresUrl {
    pub hosts: Vec<PostgresHost>,
    pub user: Option<String>,
    pub password: Option<Secret>,
    pub database: Option<String>,
    pub ssl_mode: SslMode,
    pub ssl_root_certificates: Option<String>,
    pub options: Option<String>,
    pub application_name: Option<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum SslMode {
    Disable,
    #[default]
    Prefer,
    Require,
    VerifyCa,
    VerifyFull,
}

pub(super) const SHAPE: &str =
    "expected postgres://USER:PASSWORD@HOST:PORT/DATABASE with special characters percent-encoded";
const DEFAULT_PORT: u16 = 5432;

/// Whether the URL means this engine.
pub(super) fn is_postgres(url: &str) -> bool {
    url.starts_with("postgres:") || url.starts_with("postgresql:")
}

pub(super) fn parse(url: &str) -> Result<PostgresUrl, &'static str> {
    let rest = url.strip_prefix("postgres://").or_else(|| url.strip_prefix("postgresql://")).ok_or(SHAPE)?;
    if rest.contains('#') {
        return Err(SHAPE);
    }
    let (rest, parameters) = rest.split_once('?').unwrap_or((rest, ""));
    let (authority, database) = rest.split_once('/').unwrap_or((rest, ""));
    let (user, hosts) = authority.rsplit_once('@').unwrap_or(("", authority));
    let (user, password) = user.split_once(':').map_or((user, None), |(user, secret)| (user, Some(secret)));
    if [user, password.unwrap_or_default(), database].iter().any(|part| part.contains(['@', '/', ':'])) {
        return Err(SHAPE);
    }
    let mut parsed = PostgresUrl {
        user: given(user)?,
        password: password.map(given).transpose()?.flatten().map(Secret::new),
        database: given(database)?,
        ..PostgresUrl::default()
    };
    let mut addresses = Addresses::default();
    if !hosts.is_empty() {
        for host in hosts.split(',') {
            let (name, port) = split_port(host)?;
            addresses.names.push(given(name)?.ok_or(SHAPE)?);
            addresses.ports.push(port);
        }
    }
    for parameter in parameters.split('&').filter(|parameter| !parameter.is_empty()) {
        let (name, value) = parameter.split_once('=').ok_or(SHAPE)?;
        parsed.set(name, given(value)?.ok_or("a parameter has no value")?, &mut addresses)?;
    }
    parsed.hosts = addresses.hosts()?;
    Ok(parsed)
}

impl PostgresUrl {
    fn set(&mut self, name: &str, value: String, addresses: &mut Addresses) -> Result<(), &'static str> {
        match name {
            "host" if addresses.names.is_empty() => {
                addresses.names = value.split(',').map(str::to_owned).collect();
            }
            "port" if addresses.ports.iter().all(Option::is_none) => {
                addresses.ports =
                    value.split(',').map(|port| number(port).map(Some)).collect::<Result<_, _>>()?;
            }
            "user" => once(&mut self.user, value)?,
            "password" => once(&mut self.password, Secret::new(value))?,
            "dbname" => once(&mut self.database, value)?,
            "sslrootcert" => once(&mut self.ssl_root_certificates, value)?,
            "options" => once(&mut self.options, value)?,
            "application_name" => once(&mut self.application_name, value)?,
            "sslmode" => self.ssl_mode = ssl_mode(&value)?,
            // What is there cannot be anything else: there is no use for a server that takes no writes.
            "target_session_attrs" if value == "read-write" => {}
            "target_session_attrs" => {
                return Err("target_session_attrs: expected read-write, as is the default");
            }
            "host" | "port" => return Err(TWICE),
            _ => {
                return Err(
                    "unknown parameter, expected sslmode, sslrootcert, host, port, user, password, dbname, options, \
                     application_name or target_session_attrs",
                );
            }
        }
        Ok(())
    }
}

const TWICE: &str = "one of host, port, user, password, database and parameters is given twice";

fn once<T>(place: &mut Option<T>, value: T) -> Result<(), &'static str> {
    if place.is_some() {
        Err(TWICE)
    } else {
        *place = Some(value);
        Ok(())
    }
}

/// Hosts and ports come in separate lists where they are parameters.
#[derive(Default)]
struct Addresses {
    names: Vec<String>,
    ports: Vec<Option<u16>>,
}

impl Addresses {
    fn hosts(self) -> Result<Vec<PostgresHost>, &'static str> {
        let Self { names, ports } = self;
        if names.is_empty() {
            return Err(
                "a host is missing, expected postgres://USER@HOST/DATABASE or ?host=/SOCKET/DIRECTORY",
            );
        }
        if ports.len() > 1 && ports.len() != names.len() {
            return Err("expected one port, or as many as there are hosts");
        }
        let of = |index: usize| ports.get(index).or(ports.first()).copied().flatten().unwrap_or(DEFAULT_PORT);
        let host = |(index, name): (usize, String)| {
            let place = if name.starts_with('/') {
                PostgresPlace::Socket(PathBuf::from(name))
            } else {
                PostgresPlace::Network(name)
            };
            PostgresHost { place, port: of(index) }
        };
        Ok(names.into_iter().enumerate().map(host).collect())
    }
}

/// `host`, `host:port`, `[address]` or `[address]:port`.
fn split_port(host: &str) -> Result<(&str, Option<u16>), &'static str> {
    let (name, port) = match host.strip_prefix('[') {
        Some(rest) => {
            let (address, rest) = rest.split_once(']').ok_or(SHAPE)?;
            (address, rest.strip_prefix(':').or(rest.is_empty().then_some("")).ok_or(SHAPE)?)
        }
        None => host.split_once(':').unwrap_or((host, "")),
    };
    Ok((name, if port.is_empty() { None } else { Some(number(port)?) }))
}

fn number(port: &str) -> Result<u16, &'static str> {
    port.parse().ok().filter(|port| *port != 0).ok_or(SHAPE)
}

/// What an encoded part says; `None` if it is empty.
fn given(part: &str) -> Result<Option<String>, &'static str> {
    let text = percent_decode_str(part).decode_utf8().map_err(|_| SHAPE)?;
    if text.contains('\0') {
        return Err(SHAPE);
    }
    Ok(Some(text.into_owned()).filter(|text| !text.is_empty()))
}

fn ssl_mode(value: &str) -> Result<SslMode, &'static str> {
    match value {
        "disable" => Ok(SslMode::Disable),
        "prefer" => Ok(SslMode::Prefer),
        "require" => Ok(SslMode::Require),
        "verify-ca" => Ok(SslMode::VerifyCa),
        "verify-full" => Ok(SslMode::VerifyFull),
        _ => Err("sslmode: expected disable, prefer, require, verify-ca or verify-full"),
    }
}
