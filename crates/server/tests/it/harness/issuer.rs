//! An OpenID issuer that does as it is told: real HTTP on loopback, every request written down, and answers
//! that no honest issuer gives.

mod signing_key;

pub(crate) use signing_key::{SigningKey, encode, with};

use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

pub(crate) const DISCOVERY: &str = "/.well-known/openid-configuration";
pub(crate) const KEYS: &str = "/keys";
pub(crate) const INTROSPECTION: &str = "/introspect";
pub(crate) const GRANT: &str = "/token";

/// What the issuer does with a request.
#[derive(Clone)]
pub(crate) enum Answer {
    Json(Value),
    Text {
        status: u16,
        body: String,
    },
    Redirect(String),
    /// A key set that never ends.
    Endless,
    /// Takes the request and says nothing.
    Silent,
    /// Hangs up on the request.
    HangUp,
    /// As the other one, once `Issuer::release` was called.
    Held(Box<Answer>),
}

struct Script {
    answers: HashMap<String, Answer>,
    /// The requests as they came, with their bodies.
    requests: Vec<String>,
}

pub(crate) struct Issuer {
    base: String,
    path: String,
    script: Arc<Mutex<Script>>,
    released: watch::Sender<bool>,
    server: JoinHandle<()>,
}

impl Drop for Issuer {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Issuer {
    /// An issuer at the root of its host, with these keys.
    pub(crate) async fn start(keys: &[&SigningKey]) -> Self {
        Self::start_at("", keys).await
    }

    /// One whose identifier has a path, or a slash at its end.
    pub(crate) async fn start_at(path: &str, keys: &[&SigningKey]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let script = Arc::new(Mutex::new(Script { answers: HashMap::new(), requests: Vec::new() }));
        let (released, release) = watch::channel(false);
        let server = tokio::spawn(serve(listener, Arc::clone(&script), release));
        let issuer = Self { base, path: path.to_owned(), script, released, server };
        let discovery = json!({ "issuer": issuer.url(), "jwks_uri": issuer.keys_url() });
        issuer.answer(&issuer.discovery_path(), Answer::Json(discovery));
        issuer.publish(keys);
        issuer
    }

    /// Its identifier, as in `iss`.
    pub(crate) fn url(&self) -> String {
        format!("{}{}", self.base, self.path)
    }

    pub(crate) fn keys_url(&self) -> String {
        format!("{}{KEYS}", self.base)
    }

    pub(crate) fn introspection_url(&self) -> String {
        format!("{}{INTROSPECTION}", self.base)
    }

    pub(crate) fn token_url(&self) -> String {
        format!("{}{GRANT}", self.base)
    }

    pub(crate) fn discovery_path(&self) -> String {
        format!("{}{DISCOVERY}", self.path.trim_end_matches('/'))
    }

    pub(crate) fn answer(&self, path: &str, answer: Answer) {
        self.script.lock().unwrap().answers.insert(path.to_owned(), answer);
    }

    pub(crate) fn publish(&self, keys: &[&SigningKey]) {
        self.publish_jwks(&keys.iter().map(|key| key.jwk()).collect::<Vec<_>>());
    }

    pub(crate) fn publish_jwks(&self, jwks: &[Value]) {
        self.answer(KEYS, Answer::Json(json!({ "keys": jwks })));
    }

    /// Lets the answers go that are held.
    pub(crate) fn release(&self) {
        self.released.send_replace(true);
    }

    pub(crate) fn requests(&self) -> Vec<String> {
        self.script.lock().unwrap().requests.clone()
    }

    /// How often this path was asked for.
    pub(crate) fn count(&self, path: &str) -> usize {
        let is_for = |request: &str| request.split(' ').nth(1) == Some(path);
        self.requests().iter().filter(|request| is_for(request)).count()
    }
}

async fn serve(listener: TcpListener, script: Arc<Mutex<Script>>, release: watch::Receiver<bool>) {
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(converse(stream, Arc::clone(&script), release.clone()));
    }
}

async fn converse(mut stream: TcpStream, script: Arc<Mutex<Script>>, mut release: watch::Receiver<bool>) {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => request.push(byte),
            Err(_) => return,
        }
    }
    let mut request = String::from_utf8(request).unwrap();
    let length =
        request.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    if stream.read_exact(&mut body).await.is_err() {
        return;
    }
    request.push_str(std::str::from_utf8(&body).unwrap());
    let path = request.split(' ').nth(1).unwrap_or_default().to_owned();
    let mut answer = {
        let mut script = script.lock().unwrap();
        script.requests.push(request);
        script.answers.get(&path).cloned()
    };
    while let Some(Answer::Held(inner)) = answer {
        let _ = release.wait_for(|released| *released).await;
        answer = Some(*inner);
    }
    let text = match answer {
        Some(Answer::Json(body)) => response(200, "", &body.to_string()),
        Some(Answer::Text { status, body }) => response(status, "", &body),
        Some(Answer::Redirect(target)) => response(302, &format!("location: {target}\r\n"), ""),
        Some(Answer::Endless) => return send_endlessly(&mut stream).await,
        Some(Answer::Silent) => return std::future::pending().await,
        Some(Answer::HangUp) => return,
        Some(Answer::Held(_)) | None => response(404, "", ""),
    };
    // The other side may have gone, which is its right.
    let _ = stream.write_all(text.as_bytes()).await;
}

fn response(status: u16, headers: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {status} X\r\nconnection: close\r\ncontent-length: {}\r\n{headers}\r\n{body}",
        body.len()
    )
}

async fn send_endlessly(stream: &mut TcpStream) {
    let mut text = "HTTP/1.1 200 X\r\nconnection: close\r\n\r\n{\"keys\":[".to_owned();
    while stream.write_all(text.as_bytes()).await.is_ok() {
        text = " ".repeat(64 * 1024);
    }
}
