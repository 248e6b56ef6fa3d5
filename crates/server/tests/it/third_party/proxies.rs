//! Behind haproxy and nginx: where they and einmal do not agree on the end of a request, somebody gets the answer
//! to somebody else's.

use super::peer;
use crate::http::client::Client;
use crate::http::server::{PROBE, Server};
use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

/// A proxy in front of a server, on few connections that many clients share.
pub(super) struct Proxy {
    process: Child,
    pub(super) address: SocketAddr,
    _directory: TempDir,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn haproxy(own: SocketAddr, server: SocketAddr, protocol: &str) -> String {
    format!(
        "defaults\n  mode http\n  timeout connect 5s\n  timeout client 5s\n  timeout server 5s\n\
         frontend clients\n  bind {own}\n  default_backend einmal\n\
         backend einmal\n  http-reuse always\n  option forwardfor\n  server one {server} {protocol}\n"
    )
}

fn nginx(own: SocketAddr, server: SocketAddr) -> String {
    format!(
        "daemon off;\nmaster_process off;\npid nginx.pid;\nerror_log stderr crit;\nevents {{}}\n\
         http {{\n  access_log off;\n  client_body_temp_path b;\n  proxy_temp_path p;\n  fastcgi_temp_path f;\n\
         uwsgi_temp_path u;\n  scgi_temp_path s;\n\
         upstream einmal {{ server {server}; keepalive 1; }}\n\
         server {{ listen {own}; location / {{\n  proxy_pass http://einmal;\n  proxy_http_version 1.1;\n\
         proxy_set_header Connection \"\";\n  proxy_request_buffering off;\n }} }}\n}}\n"
    )
}

impl Proxy {
    pub(super) async fn start(
        program: &Path,
        arguments: &[&str],
        config: impl Fn(SocketAddr) -> String,
    ) -> Self {
        let directory = TempDir::new().unwrap();
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        fs::write(directory.path().join("proxy.conf"), config(address)).unwrap();
        let mut command = Command::new(program);
        let command = command.args(arguments).current_dir(directory.path()).stdin(Stdio::null());
        let process = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let deadline = Instant::now() + Duration::from_secs(20);
        while TcpStream::connect(address).await.is_err() {
            assert!(Instant::now() < deadline, "{} does not listen", program.display());
            sleep(Duration::from_millis(10)).await;
        }
        Self { process, address, _directory: directory }
    }
}

const HEAD: &str = "Host: a\r\nAuthorization: Bearer good\r\nContent-Type: application/json\r\n";

/// Requests that two parsers could see end in two places, each with another request where one of them might see it.
fn ambiguous() -> Vec<String> {
    let hidden = format!(
        "POST {PROBE} HTTP/1.1\r\nRequest-Id: hidden\r\n{HEAD}Content-Length: 11\r\n\r\n{{\"otp\":\"1\"}}"
    );
    let framings = [
        "Content-Length: 5\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 5",
        "Transfer-Encoding: chunked\r\nContent-Length: 0",
        "Transfer-Encoding: chunked, identity",
        "Transfer-Encoding: identity, chunked",
        "Transfer-Encoding: xchunked",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: x",
        "Transfer-Encoding:\tchunked",
        "Transfer-Encoding: chunked\t",
        "Transfer-Encoding : chunked\r\nContent-Length: 5",
        "Transfer-Encoding: \x0bchunked\r\nContent-Length: 5",
        "Transfer-Encoding\r\n : chunked\r\nContent-Length: 5",
        "X: y\nTransfer-Encoding: chunked\r\nContent-Length: 5",
        "Content-Length: +5",
        "Content-Length: 5,5",
        "Content-Length: 5, 5",
        "Content-Length: 5\r\nContent-Length: 5",
        "Content-Length: 5\r\nContent-Length: 6",
        "Content-Length: -1",
        "Content-Length: 18446744073709551621",
        "Content-Length: 0x5",
        "Content-Length: 5 5",
        "Content-Length: 05",
    ];
    let request = |framing: &str, body: &str| {
        format!("POST /nowhere HTTP/1.1\r\nRequest-Id: attack\r\n{HEAD}{framing}\r\n\r\n{body}")
    };
    let bodies = [
        format!("0\r\n\r\n{hidden}"),
        format!("5\r\nab\r\n\r\n0\r\n\r\n{hidden}"),
        format!("2;\n{{}}\r\n0\r\n\r\n{hidden}"),
    ];
    framings.iter().flat_map(|framing| bodies.iter().map(|body| request(framing, body))).collect()
}

/// Everybody gets the answer to what they asked.
async fn assert_in_step(proxy: &Proxy, round: &str) {
    let mut client = Client::connect(proxy.address).await;
    for number in 0..3 {
        let id = format!("witness-{round}-{number}");
        let head = format!("Host: a\r\nAuthorization: Bearer good\r\nRequest-Id: {id}\r\n");
        let answer = client.request(format!("GET /user/2025-1/read HTTP/1.1\r\n{head}\r\n")).await;
        assert_eq!((answer.status, answer.header("request-id")), (200, Some(id.as_str())));
        assert_eq!(answer.body, b"{\"pin\":true}");
    }
}

async fn assert_nothing_gets_out_of_step(proxy: &Proxy) {
    assert_in_step(proxy, "before").await;
    let mut passed_on = 0;
    for (number, request) in ambiguous().iter().enumerate() {
        let mut attacker = Client::connect(proxy.address).await;
        attacker.try_send(request).await;
        // The proxy may wait for more of it: then the attacker goes while it waits.
        let first = timeout(Duration::from_millis(50), attacker.try_request("")).await.ok().flatten();
        let id = first.and_then(|answer| answer.header("request-id").map(str::to_owned));
        assert!(id.as_deref().is_none_or(|id| id == "attack" || id.len() == 32), "{id:?} to {request:?}");
        passed_on += usize::from(id.as_deref() == Some("attack"));
        assert_in_step(proxy, &number.to_string()).await;
    }
    assert!(passed_on > 0, "the proxy keeps all of it from us");
}

pub(super) fn program(variable: &str, what: &str) -> Option<PathBuf> {
    peer(variable, &format!("the test behind {what}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn behind_haproxy_nobody_gets_the_answer_to_somebody_else_196() {
    let Some(program) = program("EINMAL_TEST_HAPROXY", "haproxy") else { return };
    for protocol in ["", "proto h2"] {
        let server = Server::start().await;
        let config = |own| haproxy(own, server.address, protocol);
        let proxy = Proxy::start(&program, &["-db", "-f", "proxy.conf"], config).await;
        assert_nothing_gets_out_of_step(&proxy).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn behind_nginx_nobody_gets_the_answer_to_somebody_else_196() {
    let Some(program) = program("EINMAL_TEST_NGINX", "nginx") else { return };
    let server = Server::start().await;
    let config = |own| nginx(own, server.address);
    let proxy = Proxy::start(&program, &["-p", ".", "-c", "proxy.conf"], config).await;
    assert_nothing_gets_out_of_step(&proxy).await;
}
