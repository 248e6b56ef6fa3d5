//! The way from a shop to einmal: passes requests on, keeps what stood in them, and loses answers as it is told. It must never
//! change a request or an answer that it passes.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// What becomes of a request.
#[derive(Clone, Copy)]
pub(super) enum Fate {
    /// einmal gets it and answers; the connection breaks before the shop hears of it.
    AnswerLost,
    /// einmal never gets it. The answer is that of a service whose store is out of reach.
    Unavailable,
}

/// What a shop has sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sent {
    pub(super) key: String,
    pub(super) body: String,
}

struct State {
    einmal: SocketAddr,
    fates: VecDeque<Fate>,
    sent: Vec<Sent>,
}

pub(super) struct Way {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    accepting: JoinHandle<()>,
}

impl Drop for Way {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

const UNAVAILABLE: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\n\
    content-type: application/vnd.api+json\r\ncontent-length: 35\r\n\r\n{\"errors\":[{\"code\":\"unavailable\"}]}";

impl Way {
    pub(super) async fn to(einmal: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(Mutex::new(State { einmal, fates: VecDeque::new(), sent: Vec::new() }));
        let accepting = tokio::spawn(accept(listener, Arc::clone(&state)));
        Self { address, state, accepting }
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// From now on to another einmal.
    pub(super) fn lead_to(&self, einmal: SocketAddr) {
        self.state.lock().unwrap().einmal = einmal;
    }

    /// Of the next requests; all later ones pass.
    pub(super) fn strike(&self, fates: &[Fate]) {
        self.state.lock().unwrap().fates.extend(fates);
    }

    /// What was sent since this was asked before.
    pub(super) fn sent(&self) -> Vec<Sent> {
        std::mem::take(&mut self.state.lock().unwrap().sent)
    }
}

async fn accept(listener: TcpListener, state: Arc<Mutex<State>>) {
    while let Ok((shop, _)) = listener.accept().await {
        tokio::spawn(converse(shop, Arc::clone(&state)));
    }
}

/// `None` as soon as one side is gone.
async fn converse(mut shop: TcpStream, state: Arc<Mutex<State>>) -> Option<()> {
    loop {
        let request = message(&mut shop).await?;
        let (einmal, fate) = {
            let mut state = state.lock().unwrap();
            let key = header(&request, "idempotency-key").expect("a key").to_owned();
            let body = request.split_once("\r\n\r\n").unwrap().1.to_owned();
            state.sent.push(Sent { key, body });
            (state.einmal, state.fates.pop_front())
        };
        if matches!(fate, Some(Fate::Unavailable)) {
            shop.write_all(UNAVAILABLE).await.ok()?;
            continue;
        }
        let mut onward = TcpStream::connect(einmal).await.ok()?;
        onward.write_all(request.as_bytes()).await.ok()?;
        let answer = message(&mut onward).await?;
        if matches!(fate, Some(Fate::AnswerLost)) {
            return None;
        }
        shop.write_all(answer.as_bytes()).await.ok()?;
    }
}

/// A whole one, of which the head says how long it is.
async fn message(stream: &mut TcpStream) -> Option<String> {
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"\r\n\r\n") {
        bytes.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8(bytes).unwrap();
    let length = header(&head, "content-length").map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    Some(head + std::str::from_utf8(&body).unwrap())
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let fields = head.lines().filter_map(|line| line.split_once(": "));
    fields.into_iter().find(|(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}
