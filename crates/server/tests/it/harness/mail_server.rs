//! A mail server that does as it is told: real SMTP on loopback, every mail kept, and answers that no honest server
//! gives. It is strict with what it is sent: a line without CR LF would be read differently by others.

use super::certificate::Certificate;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::sleep;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::{ServerConfig, crypto};

/// What is said instead of the usual.
#[derive(Clone)]
pub(crate) enum Reply {
    Say(&'static str),
    /// One byte at a time, with this pause before each.
    Dribble(&'static str, Duration),
    Silence,
    HangUp,
    /// As the other one, once `MailServer::release` was called.
    Held(Box<Reply>),
}

/// Where it is said: to a command by its verb, to a connection, or to the end of a mail.
pub(crate) const GREETING: &str = "greeting";
pub(crate) const END: &str = "end";

/// One mail as it came, without the dots that transport adds.
#[derive(Clone, Debug)]
pub(crate) struct Received {
    pub(crate) recipients: Vec<String>,
    pub(crate) data: String,
}

#[derive(Default)]
struct State {
    replies: HashMap<&'static str, Reply>,
    mails: Vec<Received>,
    commands: Vec<String>,
    connections: usize,
    open: usize,
}

/// How it encrypts.
pub(crate) struct Encryption {
    pub(crate) certificate: Certificate,
    /// Before anything is said, or by STARTTLS.
    pub(crate) is_implicit: bool,
    /// What an attacker puts on the wire right behind the answer to STARTTLS.
    pub(crate) injected: &'static str,
}

struct Server {
    state: Arc<Mutex<State>>,
    release: watch::Receiver<bool>,
    acceptor: Option<TlsAcceptor>,
    is_implicit: bool,
    injected: &'static str,
}

pub(crate) struct MailServer {
    pub(crate) address: SocketAddr,
    state: Arc<Mutex<State>>,
    released: watch::Sender<bool>,
    server: JoinHandle<()>,
}

impl Drop for MailServer {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl MailServer {
    pub(crate) async fn start() -> Self {
        Self::start_encrypted(None).await
    }

    pub(crate) async fn start_encrypted(encryption: Option<Encryption>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(Mutex::new(State::default()));
        let (released, release) = watch::channel(false);
        let server = Arc::new(Server {
            state: Arc::clone(&state),
            release,
            acceptor: encryption.as_ref().map(|encryption| acceptor(&encryption.certificate)),
            is_implicit: encryption.as_ref().is_some_and(|encryption| encryption.is_implicit),
            injected: encryption.as_ref().map_or("", |encryption| encryption.injected),
        });
        let server = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                stream.set_nodelay(true).unwrap();
                let server = Arc::clone(&server);
                tokio::spawn(async move {
                    server.change(|state| {
                        state.connections += 1;
                        state.open += 1;
                    });
                    // The other side may go away at any time, which is its right.
                    let _ = server.serve(stream).await;
                    server.change(|state| state.open -= 1);
                });
            }
        });
        Self { address, state, released, server }
    }

    /// As an operator writes it.
    pub(crate) fn settings(&self) -> String {
        format!("[mail]\nurl = \"smtp://{}\"\nfrom = \"einmal <no-reply@example.com>\"\n", self.address)
    }

    pub(crate) fn reply(&self, to: &'static str, reply: Reply) {
        self.state.lock().unwrap().replies.insert(to, reply);
    }

    /// As an honest server again.
    pub(crate) fn behave(&self) {
        self.state.lock().unwrap().replies.clear();
    }

    /// Lets the replies go that are held.
    pub(crate) fn release(&self) {
        self.released.send_replace(true);
    }

    pub(crate) fn mails(&self) -> Vec<Received> {
        self.state.lock().unwrap().mails.clone()
    }

    pub(crate) fn commands(&self) -> Vec<String> {
        self.state.lock().unwrap().commands.clone()
    }

    /// Connections that there were, and those that are open.
    pub(crate) fn connections(&self) -> (usize, usize) {
        let state = self.state.lock().unwrap();
        (state.connections, state.open)
    }

    pub(crate) async fn until(&self, what: &str, is_so: impl Fn(&Self) -> bool) {
        for _ in 0..4_000 {
            if is_so(self) {
                return;
            }
            sleep(Duration::from_millis(5)).await;
        }
        panic!("no {what}: {:?}", self.commands());
    }
}

impl Received {
    pub(crate) fn head(&self) -> &str {
        self.data.split_once("\r\n\r\n").unwrap().0
    }

    /// The code on a line of its own, as the text has it.
    pub(crate) fn code(&self) -> String {
        let is_code = |line: &&str| line.len() == 6 && line.bytes().all(|byte| byte.is_ascii_digit());
        self.data.lines().map(str::trim).find(is_code).unwrap_or_else(|| panic!("{}", self.data)).to_owned()
    }

    /// The value of a header that is there once.
    pub(crate) fn header(&self, name: &str) -> String {
        let start = format!("{name}: ");
        let mut found = self.head().split("\r\n").filter_map(|line| line.strip_prefix(&start));
        let value = found.next().unwrap_or_else(|| panic!("no {name} in {}", self.head()));
        assert!(found.next().is_none(), "{name} twice in {}", self.head());
        value.to_owned()
    }
}

fn acceptor(certificate: &Certificate) -> TlsAcceptor {
    let provider = Arc::new(crypto::aws_lc_rs::default_provider());
    let key = PrivateKeyDer::from_pem_slice(certificate.key_pem.as_bytes()).unwrap();
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = config.with_no_client_auth().with_single_cert(vec![certificate.der.clone()], key).unwrap();
    TlsAcceptor::from(Arc::new(config))
}

/// The conversation goes on, begins anew over TLS, or is over.
enum Next {
    Encrypt,
    End,
}

impl Server {
    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state.lock().unwrap());
    }

    async fn serve(&self, stream: tokio::net::TcpStream) -> std::io::Result<()> {
        let Some(acceptor) = &self.acceptor else {
            let mut stream = BufReader::new(stream);
            return self.converse(&mut stream, true, false).await.map(drop);
        };
        if self.is_implicit {
            let mut stream = BufReader::new(acceptor.accept(stream).await?);
            return self.converse(&mut stream, true, false).await.map(drop);
        }
        let mut stream = BufReader::new(stream);
        if let Next::Encrypt = self.converse(&mut stream, true, true).await? {
            let mut stream = BufReader::new(acceptor.accept(stream.into_inner()).await?);
            self.converse(&mut stream, false, false).await?;
        }
        Ok(())
    }

    async fn converse<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        stream: &mut BufReader<S>,
        greets: bool,
        offers_tls: bool,
    ) -> std::io::Result<Next> {
        if greets && !self.say(stream, GREETING, "220 mail.test ESMTP").await? {
            return Ok(Next::End);
        }
        let mut recipients = Vec::new();
        loop {
            let Some(line) = line(stream).await? else { return Ok(Next::End) };
            self.change(|state| state.commands.push(line.clone()));
            let verb = line.split([' ', ':']).next().unwrap().to_ascii_uppercase();
            let goes_on = match verb.as_str() {
                "EHLO" if offers_tls => self.say(stream, "EHLO", "250-mail.test\r\n250 STARTTLS").await?,
                "EHLO" => self.say(stream, "EHLO", "250-mail.test\r\n250 AUTH PLAIN LOGIN").await?,
                "STARTTLS" if offers_tls => {
                    let ready = format!("220 go on\r\n{}", self.injected);
                    stream.write_all(ready.as_bytes()).await?;
                    return Ok(Next::Encrypt);
                }
                "AUTH" => self.say(stream, "AUTH", "235 welcome").await?,
                "MAIL" => {
                    recipients.clear();
                    self.say(stream, "MAIL", "250 ok").await?
                }
                "RCPT" => {
                    recipients.push(line[5..].to_owned());
                    self.say(stream, "RCPT", "250 ok").await?
                }
                "DATA" => {
                    let goes_on = self.say(stream, "DATA", "354 go on").await?;
                    if goes_on && !self.is_replaced("DATA") {
                        let Some(data) = data(stream).await? else { return Ok(Next::End) };
                        let mail = Received { recipients: recipients.clone(), data };
                        self.change(|state| state.mails.push(mail));
                        self.say(stream, END, "250 2.0.0 taken").await?
                    } else {
                        goes_on
                    }
                }
                "NOOP" | "RSET" => self.say(stream, "NOOP", "250 ok").await?,
                "QUIT" => {
                    self.say(stream, "QUIT", "221 bye").await?;
                    false
                }
                _ => self.say(stream, "?", "500 what?").await?,
            };
            if !goes_on {
                return Ok(Next::End);
            }
        }
    }

    fn is_replaced(&self, place: &'static str) -> bool {
        self.state.lock().unwrap().replies.contains_key(place)
    }

    /// Whether the conversation goes on.
    async fn say<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        stream: &mut BufReader<S>,
        place: &'static str,
        usual: &'static str,
    ) -> std::io::Result<bool> {
        let mut reply = self.state.lock().unwrap().replies.get(place).cloned();
        while let Some(Reply::Held(inner)) = reply {
            let _ = self.release.clone().wait_for(|released| *released).await;
            reply = Some(*inner);
        }
        match reply.unwrap_or(Reply::Say(usual)) {
            Reply::Say(text) => {
                stream.write_all(format!("{text}\r\n").as_bytes()).await?;
                stream.flush().await?;
                Ok(!text.starts_with("421"))
            }
            Reply::Dribble(text, pause) => {
                for byte in format!("{text}\r\n").bytes() {
                    sleep(pause).await;
                    stream.write_all(&[byte]).await?;
                    stream.flush().await?;
                }
                Ok(true)
            }
            Reply::Silence => {
                // Until the other side gives up.
                while line(stream).await?.is_some() {}
                Ok(false)
            }
            Reply::HangUp | Reply::Held(_) => Ok(false),
        }
    }
}

/// `None` at the end of the connection.
async fn line<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut BufReader<S>,
) -> std::io::Result<Option<String>> {
    let mut line = Vec::new();
    stream.read_until(b'\n', &mut line).await?;
    let Some(line) = line.strip_suffix(b"\n") else { return Ok(None) };
    let line = line.strip_suffix(b"\r").expect("CR before LF");
    assert!(!line.contains(&b'\r') && line.len() <= 998, "{:?}", String::from_utf8_lossy(line));
    Ok(Some(String::from_utf8(line.to_vec()).expect("ASCII")))
}

/// A mail up to the line with the dot.
async fn data<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut BufReader<S>,
) -> std::io::Result<Option<String>> {
    let mut data = String::new();
    loop {
        let Some(line) = line(stream).await? else { return Ok(None) };
        if line == "." {
            return Ok(Some(data));
        }
        data.push_str(line.strip_prefix('.').unwrap_or(&line));
        data.push_str("\r\n");
    }
}
