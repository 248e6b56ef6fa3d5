//! Where mails go, as an operator writes it: the URL of a mail server. It may hold a password, so no message shows it.

use super::address::Sender;
use super::smtp::Limits;
use crate::config::Secret;
use percent_encoding::percent_decode_str;
use std::net::IpAddr;
use std::path::PathBuf;
use url::Url;

#[derive(Clone, Debug)]
pub struct MailSettings {
    pub server: SmtpServer,
    pub from: Sender,
    /// The operator's own templates.
    pub templates: Option<PathBuf>,
    pub limits: Limits,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SmtpServer {
    /// A name or an address, without brackets.
    pub host: String,
    pub port: u16,
    pub security: Security,
    pub credentials: Option<(String, Secret)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Security {
    /// In clear.
    None,
    /// Encrypted before anything is said (RFC 8314 section 3.3).
    Tls,
    /// Encrypted before anything of value is said, or not used at all.
    StartTls,
}

const EXPECTED: &str =
    "expected smtp://HOST:PORT, smtps://USER:PASSWORD@HOST or smtp+starttls://USER:PASSWORD@HOST";

impl SmtpServer {
    pub fn parse(url: &str) -> Result<Self, &'static str> {
        let url = Url::parse(url).map_err(|_| EXPECTED)?;
        let (security, usual_port) = match url.scheme() {
            "smtp" => (Security::None, 25),
            "smtps" => (Security::Tls, 465),
            "smtp+starttls" => (Security::StartTls, 587),
            _ => return Err(EXPECTED),
        };
        if !matches!(url.path(), "" | "/") || url.query().is_some() || url.fragment().is_some() {
            return Err(
                "expected nothing after the port; characters such as / ? # in user and password are written %2F %3F %23",
            );
        }
        let host = url.host_str().unwrap_or_default();
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        let is_host = host.parse::<IpAddr>().is_ok()
            || host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte));
        if host.is_empty() || !is_host {
            return Err("expected the name or address of a host after the user");
        }
        let credentials = credentials(&url)?;
        if credentials.is_some() && security == Security::None && !is_loopback(host) {
            return Err(
                "user and password would cross the network in clear, expected smtps:// or smtp+starttls://",
            );
        }
        Ok(Self { host: host.to_owned(), port: url.port().unwrap_or(usual_port), security, credentials })
    }
}

fn credentials(url: &Url) -> Result<Option<(String, Secret)>, &'static str> {
    let decode = |text: &str| percent_decode_str(text).decode_utf8().map(String::from);
    match (url.username(), url.password()) {
        ("", None) => Ok(None),
        ("", Some(_)) => Err("found a password without a user, expected USER:PASSWORD@"),
        (_, None | Some("")) => Err("found a user without a password, expected USER:PASSWORD@"),
        (user, Some(password)) => match (decode(user), decode(password)) {
            (Ok(user), Ok(password)) if !format!("{user}{password}").contains('\0') => {
                Ok(Some((user, Secret::new(password))))
            }
            _ => Err("expected UTF-8 without NUL in user and password"),
        },
    }
}

fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_read_with_its_port_and_credentials() {
        let parse = |url| SmtpServer::parse(url).unwrap_or_else(|error| panic!("{url}: {error}"));
        for (url, host, port, security) in [
            ("smtp://127.0.0.1:1025", "127.0.0.1", 1025, Security::None),
            ("smtp://mail.example.com", "mail.example.com", 25, Security::None),
            ("smtp://mail.example.com/", "mail.example.com", 25, Security::None),
            ("smtps://mail.example.com", "mail.example.com", 465, Security::Tls),
            ("smtp+starttls://mail.example.com", "mail.example.com", 587, Security::StartTls),
            ("smtp+starttls://[::1]:2525", "::1", 2525, Security::StartTls),
        ] {
            let server = SmtpServer { host: host.to_owned(), port, security, credentials: None };
            assert_eq!(parse(url), server);
        }
        for url in [
            "smtps://a%40b:p%3Ass%2F%20%C3%A4@mail.example.com",
            "smtp+starttls://a%40b:p%3Ass%2F%20%C3%A4@mail.example.com",
            "smtp://a%40b:p%3Ass%2F%20%C3%A4@localhost",
            "smtp://a%40b:p%3Ass%2F%20%C3%A4@127.9.9.9:25",
            "smtp://a%40b:p%3Ass%2F%20%C3%A4@[::1]",
        ] {
            assert_eq!(parse(url).credentials, Some(("a@b".to_owned(), Secret::new("p:ss/ ä"))), "{url}");
        }
    }

    #[test]
    fn what_is_no_server_is_refused_without_being_shown() {
        for (url, expected) in [
            ("", "expected smtp://HOST"),
            ("mail.example.com", "expected smtp://HOST"),
            ("mail.example.com:25", "expected smtp://HOST"),
            ("https://mail.example.com", "expected smtp://HOST"),
            ("smtp:mail.example.com", "expected nothing after"),
            ("smtp://", "the name or address of a host"),
            ("smtp://mail.example.com:99999", "expected smtp://HOST"),
            ("smtp://mäil.example.com", "the name or address of a host"),
            ("smtp://mail.example.com/x", "expected nothing after"),
            ("smtp://mail.example.com?tls=required", "expected nothing after"),
            ("smtps://u:hunter2/x@mail.example.com", "expected smtp://HOST"),
            ("smtps://u@mail.example.com", "a user without a password"),
            ("smtps://u:@mail.example.com", "a user without a password"),
            ("smtps://:hunter2@mail.example.com", "a password without a user"),
            ("smtps://u:hunter%FF@mail.example.com", "expected UTF-8"),
            ("smtps://u:hunter%00@mail.example.com", "expected UTF-8"),
            ("smtp://u:hunter2@mail.example.com", "would cross the network in clear"),
            ("smtp://u:hunter2@127.0.0.1.example.com", "would cross the network in clear"),
            ("smtp://u:hunter2@10.0.0.1", "would cross the network in clear"),
        ] {
            let message = SmtpServer::parse(url).expect_err(url);
            assert!(message.contains(expected) && !message.contains("hunter"), "{url}: {message}");
        }
    }
}
