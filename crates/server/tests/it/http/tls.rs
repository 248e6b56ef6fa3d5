//! TLS on a listener. `process/tls.rs` has it with the program, its configuration and signals.

use super::client::{Client, within_patience};
use super::server::{Server, get_request, probe};
use super::streams::Streams;
use crate::harness::certificate::{BOTH, Certificate, handshake, handshake_over, shown, tunnel};
use einmal::http::{Front, Limits, Tls, TlsFiles};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::time::Instant;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::version;

const OTP: &str = "{\"otp\":\"1\"}";
const SHORT: Duration = Duration::from_millis(300);

/// A server behind TLS.
struct Secured {
    server: Server,
    certificate: Certificate,
    tls: Arc<Tls>,
    directory: TempDir,
}

impl Secured {
    async fn start_with(limits: Limits) -> Self {
        let (directory, certificate) = (TempDir::new().unwrap(), Certificate::new());
        let tls = Arc::new(Tls::open(certificate.write(directory.path())).unwrap());
        let front = Front { tls: Some(Arc::clone(&tls)), ..Front::default() };
        let server = Server::start_behind(front, limits, Duration::ZERO).await;
        Self { server, certificate, tls, directory }
    }

    async fn handshake(&self, protocols: &[&str]) -> TlsStream<TcpStream> {
        handshake(self.server.address, &[&self.certificate], BOTH, protocols).await.unwrap()
    }

    /// By HTTP/1.1.
    async fn connect(&self) -> Client {
        Client::over(tunnel(self.handshake(&[]).await).await)
    }
}

#[tokio::test]
async fn both_versions_of_tls_carry_the_http_that_was_agreed_on() {
    let secured = Secured::start_with(Limits::default()).await;
    for version in [&version::TLS12, &version::TLS13] {
        let (trusted, versions) = ([&secured.certificate], [version]);
        let with = |protocols| handshake(secured.server.address, &trusted, &versions, protocols);
        let by_http1: [&[&str]; 3] = [&[], &["http/1.1"], &["x", "http/1.1"]];
        for offered in by_http1 {
            let mut client = Client::over(tunnel(with(offered).await.unwrap()).await);
            for _ in 0..3 {
                assert_eq!(client.request(probe(OTP)).await.status, 204);
            }
            assert_eq!(client.request(get_request("/nowhere")).await.code(), "not-found");
        }
        let by_http2: [&[&str]; 2] = [&["h2"], &["http/1.1", "h2"]];
        for offered in by_http2 {
            let stream = with(offered).await.unwrap();
            assert_eq!(stream.get_ref().1.alpn_protocol(), Some(b"h2".as_slice()));
            let (client, _) = Streams::over(stream).await;
            assert_eq!(client.probe(OTP).await, 204);
        }
        assert!(with(&["spdy/3"]).await.is_err());
    }
    // HTTP/2 by prior knowledge is for clear text.
    let mut client = secured.connect().await;
    client.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
    assert_eq!(client.answer().await.code(), "bad-request");
}

/// A `ClientHello` of version 3.`minor` that could be answered in each: with suites, groups and signatures of both
/// old and new.
fn client_hello(minor: u8) -> Vec<u8> {
    let suites = [0x00, 0x2f, 0xc0, 0x09, 0xc0, 0x2b, 0xc0, 0x2c];
    let groups = [0, 10, 0, 4, 0, 2, 0, 0x17];
    let signatures = [0, 13, 0, 6, 0, 4, 0x04, 0x03, 0x02, 0x03];
    let extensions = [&groups[..], &signatures].concat();
    let extensions_length = u8::try_from(extensions.len()).unwrap();
    let version = [3, minor];
    let body =
        [&version[..], &[7; 32], &[0], &[0, 8], &suites, &[1, 0], &[0, extensions_length], &extensions];
    let body = body.concat();
    let length = u8::try_from(body.len()).unwrap();
    let handshake = [&[1, 0, 0, length][..], &body].concat();
    [&[22, 3, minor, 0, length + 4][..], &handshake].concat()
}

#[tokio::test]
async fn versions_before_tls_1_2_are_refused_199() {
    const ALERT: u8 = 21;
    const HANDSHAKE: u8 = 22;
    const FATAL_PROTOCOL_VERSION: [u8; 2] = [2, 70];
    let secured = Secured::start_with(Limits { handshake: SHORT, ..Limits::default() }).await;
    for minor in [0, 1, 2, 3] {
        let mut stream = TcpStream::connect(secured.server.address).await.unwrap();
        stream.write_all(&client_hello(minor)).await.unwrap();
        let mut answer = Vec::new();
        within_patience("the alert", stream.read_to_end(&mut answer)).await.unwrap();
        if minor == 3 {
            assert_eq!(answer[0], HANDSHAKE, "the same of TLS 1.2: {answer:?}");
        } else {
            assert_eq!(
                (answer[0], &answer[5..]),
                (ALERT, &FATAL_PROTOCOL_VERSION[..]),
                "3.{minor}: {answer:?}"
            );
        }
    }
    assert_eq!(secured.connect().await.request(probe(OTP)).await.status, 204);
}

#[tokio::test]
async fn a_handshake_that_does_not_end_is_given_up_and_keeps_nobody_waiting_199() {
    let secured = Secured::start_with(Limits { handshake: SHORT, ..Limits::default() }).await;
    let started = Instant::now();
    let mut slow = Vec::new();
    for begun in [&[][..], &client_hello(3)[..20], &[22], &[22, 3, 1, 64, 0]] {
        for _ in 0..10 {
            let mut stream = TcpStream::connect(secured.server.address).await.unwrap();
            stream.write_all(begun).await.unwrap();
            slow.push(stream);
        }
    }
    assert_eq!(secured.connect().await.request(probe(OTP)).await.status, 204);
    let other = started.elapsed();
    for mut stream in slow {
        let read = within_patience("being closed", stream.read_to_end(&mut Vec::new())).await;
        assert_eq!(read.unwrap(), 0);
    }
    assert!((SHORT..SHORT * 10).contains(&started.elapsed()), "{:?}", started.elapsed());
    assert!(other < started.elapsed(), "it waited for {other:?}");
}

#[tokio::test]
async fn what_is_no_tls_gets_no_answer() {
    let secured = Secured::start_with(Limits::default()).await;
    for bytes in [probe(OTP), "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(), "\0".repeat(100)] {
        let mut stream = TcpStream::connect(secured.server.address).await.unwrap();
        stream.write_all(bytes.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        let _ = within_patience("being closed", stream.read_to_end(&mut answer)).await;
        assert!(!answer.starts_with(b"HTTP") && answer.len() < 20, "{answer:?}");
    }
    assert_eq!(secured.server.calls(), 0);
}

#[tokio::test]
async fn new_files_are_for_new_connections_and_wrong_ones_for_none_199() {
    let secured = Secured::start_with(Limits::default()).await;
    let mut old = secured.connect().await;
    assert_eq!(old.request(probe(OTP)).await.status, 204);
    let new = Certificate::new();
    let files = new.write(secured.directory.path());
    let both = [&secured.certificate, &new];
    let show = async || {
        let stream = handshake(secured.server.address, &both, BOTH, &[]).await.unwrap();
        shown(&stream)
    };
    assert!(show().await == secured.certificate.der, "nobody has asked for it yet");
    secured.tls.reload().unwrap();
    assert!(show().await == new.der);
    assert_eq!(old.request(probe(OTP)).await.status, 204, "a connection keeps what it began with");
    fs::write(&files.certificate, &secured.certificate.pem).unwrap();
    assert!(secured.tls.reload().is_err());
    fs::remove_file(&files.certificate).unwrap();
    assert!(secured.tls.reload().is_err());
    assert!(show().await == new.der);
}

#[test]
fn a_file_that_is_not_right_is_named_with_what_was_expected() {
    let directory = TempDir::new().unwrap();
    let certificate = Certificate::new();
    let files = certificate.write(directory.path());
    let refusal = |files: &TlsFiles| Tls::open(files.clone()).map(|_| ()).unwrap_err().to_string();
    let at = |name: &str| directory.path().join(name).display().to_string();
    assert!(Tls::open(files.clone()).is_ok());
    for mode in [0o644, 0o604, 0o602, 0o660] {
        fs::set_permissions(&files.key, fs::Permissions::from_mode(mode)).unwrap();
        let expected = format!(
            "{}: others may read it or its group may write it (mode {mode:04o}), expected mode 0600, \
             or 0640 for a group of its readers",
            at("key.pem")
        );
        assert_eq!(refusal(&files), expected);
    }
    for mode in [0o400, 0o440, 0o640] {
        fs::set_permissions(&files.key, fs::Permissions::from_mode(mode)).unwrap();
        assert!(Tls::open(files.clone()).is_ok(), "{mode:o}");
    }
    fs::set_permissions(&files.key, fs::Permissions::from_mode(0o600)).unwrap();
    let broken = certificate.pem.replace("MI", "!!");
    let text = [
        ("chain.pem", "", "nothing of use in it, expected one or more blocks CERTIFICATE"),
        ("chain.pem", &certificate.key_pem, "nothing of use in it, expected one or more blocks CERTIFICATE"),
        ("chain.pem", &broken, "not PEM: "),
        ("key.pem", &certificate.pem, "nothing of use in it, expected one block PRIVATE KEY"),
        ("key.pem", &Certificate::new().key_pem, "is not the key of the certificate in "),
    ];
    for (name, content, expected) in text {
        let file = directory.path().join(name);
        let before = fs::read(&file).unwrap();
        fs::write(&file, content).unwrap();
        let message = refusal(&files);
        assert!(message.starts_with(&format!("{}: {expected}", at(name))), "{message}");
        assert!(!message.contains("MII") && !message.contains("MIG"), "{message}");
        fs::write(&file, before).unwrap();
    }
    let missing = TlsFiles { key: directory.path().join("none.pem"), ..files };
    assert!(refusal(&missing).starts_with(&format!("{}: cannot be read: ", at("none.pem"))));
}

#[tokio::test]
async fn at_the_end_connections_behind_tls_are_finished_and_closed() {
    let secured = Secured::start_with(Limits::default()).await;
    let mut idle = secured.connect().await;
    assert_eq!(idle.request(probe(OTP)).await.status, 204);
    let mut waiting = secured.connect().await;
    waiting.send(get_request("/user/2025-1/wait")).await;
    while secured.server.calls() < 2 {
        tokio::task::yield_now().await;
    }
    secured.server.shutdown.begin();
    assert!(idle.is_closed().await);
    secured.server.gate.add_permits(1);
    let answer = waiting.answer().await;
    assert_eq!((answer.status, answer.header("connection")), (204, Some("close")));
    assert!(waiting.is_closed().await);
    secured.server.ended().await;
}

/// Nothing of such a request is to be seen above TLS.
#[tokio::test]
async fn a_request_of_which_half_a_record_has_come_is_finished() {
    let secured = Secured::start_with(Limits::default()).await;
    let relay = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = relay.local_addr().unwrap();
    let (hold, mut allowed) = tokio::sync::watch::channel(usize::MAX);
    let server = secured.server.address;
    tokio::spawn(async move {
        let (client, _) = relay.accept().await.unwrap();
        let (mut from_client, mut to_client) = client.into_split();
        let (mut from_server, mut to_server) = TcpStream::connect(server).await.unwrap().into_split();
        tokio::spawn(async move { tokio::io::copy(&mut from_server, &mut to_client).await });
        let mut bytes = [0; 4096];
        while let Ok(length @ 1..) = from_client.read(&mut bytes).await {
            let now = (*allowed.borrow()).min(length);
            to_server.write_all(&bytes[..now]).await.unwrap();
            allowed.wait_for(|bytes| *bytes >= length).await.unwrap();
            to_server.write_all(&bytes[now..length]).await.unwrap();
        }
    });
    let stream = handshake(address, &[&secured.certificate], BOTH, &[]).await.unwrap();
    let mut client = Client::over(tunnel(stream).await);
    assert_eq!(client.request(probe(OTP)).await.status, 204);
    hold.send_replace(100);
    client.send(probe(OTP)).await;
    let mut witness = secured.connect().await;
    assert_eq!(witness.request(probe(OTP)).await.status, 204);
    secured.server.shutdown.begin();
    assert!(witness.is_closed().await, "the drain is over");
    hold.send_replace(usize::MAX);
    assert_eq!(client.answer().await.status, 204);
    secured.server.ended().await;
}

/// TLS takes what the socket does not, up to its own buffer: such an answer looks as if it were sent.
#[tokio::test]
async fn a_client_behind_tls_that_does_not_read_its_answers_is_cut_off() {
    let limits = Limits { write_stall: SHORT, idle: SHORT, head: SHORT, ..Limits::default() };
    let open = limits.open.clone();
    let secured = Secured::start_with(limits).await;
    let mut deaf = Vec::new();
    // Of some of them the last answers are more than the sockets hold, by less than TLS takes.
    for answers in 1..=200 {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4096).unwrap();
        let socket = socket.connect(secured.server.address).await.unwrap();
        let mut stream = handshake_over(socket, &[&secured.certificate], BOTH, &["http/1.1"]).await.unwrap();
        stream.write_all(get_request("/docs").repeat(answers).as_bytes()).await.unwrap();
        deaf.push(stream);
    }
    within_patience("cutting them off", async {
        while open.get() > 0 {
            tokio::time::sleep(SHORT / 10).await;
        }
    })
    .await;
    drop(deaf);
}
