//! `[http]`: where einmal listens, and how clients name it.

use super::keys::Key;
use super::section::Section;
use crate::http::{TlsFiles, TrustedProxies};
use std::net::SocketAddr;
use std::time::Duration;
use url::Url;

pub(super) const KEYS: &[Key] = &[
    Key::value("listen"),
    Key::value("management_listen"),
    Key::value("public_url"),
    Key::value("max_connections"),
    Key::value("drain"),
    Key::table("tls", TLS_KEYS),
    Key::value("trusted_proxies"),
];

const TLS_KEYS: &[Key] = &[Key::value("certificate"), Key::value("key")];

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Http {
    pub listen: SocketAddr,
    /// Health and metrics; private.
    pub management_listen: SocketAddr,
    /// What links begin with, without a slash at the end; `None`: the address that is listened on.
    pub public_url: Option<String>,
    pub max_connections: u32,
    /// How long new requests are still taken after SIGTERM, while load balancers notice.
    pub drain: Duration,
    /// Of the public listener alone. What is in the files is checked by whoever opens them.
    pub tls: Option<TlsFiles>,
    pub trusted_proxies: TrustedProxies,
}

/// The process must be gone 30 s after SIGTERM, and what is in flight needs the rest.
const LONGEST_DRAIN_SECONDS: u64 = 20;

pub(super) fn read(section: &mut Section<'_>) -> Http {
    let listen = address(section, "listen", ([127, 0, 0, 1], 8080));
    let management_listen = address(section, "management_listen", ([127, 0, 0, 1], 9090));
    if listen == management_listen && listen.port() != 0 {
        section.refuse(
            "management_listen",
            format!("found {listen}, expected another address than http.listen"),
        );
    }
    let public_url = section.parsed("public_url", "a URL such as https://otp.example.com", base_url);
    let max_connections = section.whole_number("max_connections", 1..=1_000_000).unwrap_or(10_000);
    let drain = section.seconds("drain").unwrap_or(1);
    if drain > LONGEST_DRAIN_SECONDS {
        let found = section.shown("drain").unwrap_or_default();
        section.refuse("drain", format!("found {found}, expected at most {LONGEST_DRAIN_SECONDS} seconds"));
    }
    let trusted_proxies = trusted_proxies(section);
    Http {
        tls: tls(section),
        trusted_proxies,
        listen,
        management_listen,
        public_url,
        max_connections: u32::try_from(max_connections).unwrap_or(u32::MAX),
        drain: Duration::from_secs(drain),
    }
}

fn tls(section: &mut Section<'_>) -> Option<TlsFiles> {
    let mut tls = section.table("tls")?;
    for (key, content) in [("certificate", "the chain of certificates"), ("key", "its private key")] {
        if !tls.has(key) {
            tls.refuse(key, format!("missing, expected the path of a PEM file with {content}"));
        }
    }
    let (certificate, key) = (tls.path("certificate"), tls.path("key"));
    Some(TlsFiles { certificate: certificate?, key: key? })
}

fn trusted_proxies(section: &mut Section<'_>) -> TrustedProxies {
    let expected = "a list of networks such as [\"10.0.0.0/8\", \"::1\"]";
    let networks = section.texts("trusted_proxies", expected).unwrap_or_default();
    TrustedProxies::parse(&networks).unwrap_or_else(|found| {
        let expected = "an address or a network with nothing behind its prefix, such as 10.0.0.0/8";
        section.refuse("trusted_proxies", format!("found {found:?}, expected {expected}"));
        TrustedProxies::default()
    })
}

fn address(section: &mut Section<'_>, key: &str, default: ([u8; 4], u16)) -> SocketAddr {
    section
        .parsed(key, "an IP address and a port such as 127.0.0.1:8080 or [::1]:8080", |text| {
            text.parse().ok()
        })
        .unwrap_or_else(|| default.into())
}

fn base_url(text: &str) -> Option<String> {
    let url = Url::parse(text).ok()?;
    let plain = url.query().is_none()
        && url.fragment().is_none()
        && url.username().is_empty()
        && url.password().is_none();
    (matches!(url.scheme(), "http" | "https") && url.has_host() && plain)
        .then(|| text.trim_end_matches('/').to_owned())
}
