//! `einmal health`: whether the service beside it is ready, for containers that have no other program to ask with. It
//! must never open the store itself: what counts is what the running service says.

use super::{ConfigFile, Failure, refused, say};
use clap::Args;
use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::Duration;

/// Ask the service that runs here whether it is ready
///
/// Asks `/health/readiness` at `http.management_listen` of the configuration. Exit code 1 if the service is not ready,
/// and names what is not, or if it cannot be reached.
#[derive(Args)]
pub(super) struct HealthCommand {
    #[command(flatten)]
    config: ConfigFile,
}

/// Longer than the service takes to find that a part of it hangs.
const PATIENCE: Duration = Duration::from_secs(3);
const MOST_BYTES: u64 = 16 * 1024;

impl HealthCommand {
    pub(super) fn run(&self) -> Result<(), Failure> {
        let address = reachable(self.config.open()?.management_listen()?);
        let answer = ask(address).map_err(|error| refused(format_args!("{address}: {error}")))?;
        if answer.starts_with("HTTP/1.1 200 ") {
            return say("ready");
        }
        let reason = reason(&answer).unwrap_or_else(|| "no such report was answered".to_owned());
        Err(refused(format_args!("{address}: not ready: {reason}")))
    }
}

/// Nobody is reached at `0.0.0.0` or `[::]`; whoever listens there also listens on loopback.
fn reachable(mut listen: SocketAddr) -> SocketAddr {
    if listen.ip().is_unspecified() {
        listen.set_ip(match listen.ip() {
            IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    listen
}

fn ask(address: SocketAddr) -> io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    write!(stream, "GET /health/readiness HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
    let mut answer = Vec::new();
    stream.take(MOST_BYTES).read_to_end(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

/// The parts that are not ready. Only what reads as such: anything may listen there.
fn reason(answer: &str) -> Option<String> {
    let (_, body) = answer.split_once("\r\n\r\n")?;
    let report: serde_json::Value = serde_json::from_str(body).ok()?;
    let parts: Option<Vec<_>> =
        report.get("notReady")?.as_array()?.iter().map(serde_json::Value::as_str).collect();
    let parts = parts?.join(", ");
    parts.bytes().all(|byte| matches!(byte, b' '..=b'~')).then_some(parts)
}
