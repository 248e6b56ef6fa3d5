//! What is between the service and its PostgreSQL: passes messages on, counts them, and breaks the connection of one of
//! them as it is told. It knows where messages end and nothing else of them; the connections must be without TLS.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::sleep;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    ToServer,
    ToClient,
}

/// What becomes of the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Harm {
    /// Both ends are told that it is over.
    Cut,
    /// The same, as after a crash of the other machine.
    Reset,
    /// Nothing more arrives on this way, and nobody is told.
    Silence,
    /// Everything on this way comes so much later.
    Delay(Duration),
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Fault {
    pub(crate) way: Way,
    /// Counted from 1, since `Proxy::strike` or `Proxy::count`.
    pub(crate) message: usize,
    /// Whether the message still arrives.
    pub(crate) is_after: bool,
    pub(crate) harm: Harm,
}

#[derive(Default)]
struct State {
    passed: [usize; 2],
    fault: Option<Fault>,
}

pub(crate) struct Proxy {
    pub(crate) port: u16,
    state: Arc<Mutex<State>>,
    /// How many connections something may still happen to.
    struck: watch::Sender<usize>,
    accepting: JoinHandle<()>,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Proxy {
    pub(crate) async fn start(server_port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (state, struck) = (Arc::new(Mutex::new(State::default())), watch::Sender::new(0));
        let accepting = tokio::spawn({
            let (state, struck) = (Arc::clone(&state), struck.clone());
            async move {
                while let Ok((client, _)) = listener.accept().await {
                    let relay = Relay { state: Arc::clone(&state), struck: struck.clone() };
                    tokio::spawn(relay.run(client, server_port));
                }
            }
        });
        Self { port, state, struck, accepting }
    }

    /// Does this once, and nothing to any other connection.
    pub(crate) fn strike(&self, fault: Fault) {
        *self.state.lock().unwrap() = State { fault: Some(fault), ..State::default() };
    }

    /// Whether what was last told has happened.
    pub(crate) fn has_struck(&self) -> bool {
        self.state.lock().unwrap().fault.is_none()
    }

    /// How many messages `work` takes on each way, to the server and to the client.
    pub(crate) async fn count(&self, work: impl Future<Output = ()>) -> [usize; 2] {
        *self.state.lock().unwrap() = State::default();
        work.await;
        self.state.lock().unwrap().passed
    }

    /// Returns when what was held up has come, and what was silenced has been closed.
    pub(crate) async fn is_over(&self) {
        self.struck.subscribe().wait_for(|struck| *struck == 0).await.unwrap();
    }
}

/// One connection.
struct Relay {
    state: Arc<Mutex<State>>,
    struck: watch::Sender<usize>,
}

/// Counts as long as there is one.
struct Struck(watch::Sender<usize>);

impl Drop for Struck {
    fn drop(&mut self) {
        self.0.send_modify(|struck| *struck -= 1);
    }
}

/// What has happened to a connection.
enum Fate {
    Calm,
    Struck { _count: Struck },
    Over,
}

impl Relay {
    async fn run(self, mut client: TcpStream, server_port: u16) {
        let Ok(mut server) = TcpStream::connect(("127.0.0.1", server_port)).await else { return };
        // What was sent as one piece is passed on in several.
        for end in [&client, &server] {
            end.set_nodelay(true).unwrap();
        }
        let fate = Mutex::new(Fate::Calm);
        let harm = {
            let (from_client, to_client) = client.split();
            let (from_server, to_server) = server.split();
            tokio::select! {
                harm = self.pass(Way::ToServer, from_client, to_server, &fate) => harm,
                harm = self.pass(Way::ToClient, from_server, to_client, &fate) => harm,
            }
        };
        if let Ok(Some(Harm::Reset)) = harm {
            client.set_zero_linger().unwrap();
            server.set_zero_linger().unwrap();
        }
    }

    /// Until one end closes the connection, or it is to be closed.
    async fn pass(
        &self,
        way: Way,
        mut from: ReadHalf<'_>,
        mut to: WriteHalf<'_>,
        fate: &Mutex<Fate>,
    ) -> io::Result<Option<Harm>> {
        // The first message of a client has no type.
        let mut has_type = way == Way::ToClient;
        let mut is_silent = false;
        loop {
            let message = read(&mut from, has_type).await?;
            has_type = true;
            let fault = self.passes(way, fate);
            if !is_silent && fault.is_none_or(|fault| fault.is_after) {
                to.write_all(&message).await?;
            }
            match fault.map(|fault| fault.harm) {
                None => {}
                Some(harm @ (Harm::Cut | Harm::Reset)) => return Ok(Some(harm)),
                Some(Harm::Silence) => is_silent = true,
                Some(Harm::Delay(delay)) => {
                    sleep(delay).await;
                    if fault.is_some_and(|fault| !fault.is_after) {
                        to.write_all(&message).await?;
                    }
                    *fate.lock().unwrap() = Fate::Over;
                }
            }
        }
    }

    /// The fault that is to happen at this message.
    fn passes(&self, way: Way, fate: &Mutex<Fate>) -> Option<Fault> {
        let mut fate = fate.lock().unwrap();
        if !matches!(*fate, Fate::Calm) {
            return None;
        }
        let mut state = self.state.lock().unwrap();
        let passed = &mut state.passed[way as usize];
        *passed += 1;
        let passed = *passed;
        let fault = state.fault.take_if(|fault| fault.way == way && fault.message == passed)?;
        self.struck.send_modify(|struck| *struck += 1);
        *fate = Fate::Struck { _count: Struck(self.struck.clone()) };
        Some(fault)
    }
}

/// A whole message: a type where it has one, a length that counts itself, and the rest.
async fn read(from: &mut ReadHalf<'_>, has_type: bool) -> io::Result<Vec<u8>> {
    let mut message = vec![0; usize::from(has_type) + 4];
    from.read_exact(&mut message).await?;
    let start = message.len() - 4;
    let length = u32::from_be_bytes(message[start..].try_into().unwrap()) as usize;
    message.resize(start + length, 0);
    from.read_exact(&mut message[start + 4..]).await?;
    Ok(message)
}
