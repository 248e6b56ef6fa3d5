//! Certificates that sign themselves, as files for the service, and the other side of a handshake.

use einmal::http::TlsFiles;
use rcgen::{CertifiedKey, generate_simple_self_signed};
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion, crypto, version};

pub(crate) struct Certificate {
    pub(crate) der: CertificateDer<'static>,
    pub(crate) pem: String,
    pub(crate) key_pem: String,
}

impl Certificate {
    pub(crate) fn new() -> Self {
        Self::of("127.0.0.1")
    }

    /// For another name.
    pub(crate) fn of(name: &str) -> Self {
        let CertifiedKey { cert, signing_key } = generate_simple_self_signed([name.to_owned()]).unwrap();
        Self { der: cert.der().clone(), pem: cert.pem(), key_pem: signing_key.serialize_pem() }
    }

    /// As `chain.pem` and `key.pem`.
    pub(crate) fn write(&self, directory: &Path) -> TlsFiles {
        let files = TlsFiles { certificate: directory.join("chain.pem"), key: directory.join("key.pem") };
        fs::write(&files.certificate, &self.pem).unwrap();
        fs::write(&files.key, &self.key_pem).unwrap();
        fs::set_permissions(&files.key, fs::Permissions::from_mode(0o600)).unwrap();
        files
    }
}

pub(crate) const BOTH: &[&SupportedProtocolVersion] = &[&version::TLS13, &version::TLS12];

/// A handshake that trusts these certificates and offers these protocols.
pub(crate) async fn handshake(
    address: SocketAddr,
    trusted: &[&Certificate],
    versions: &[&'static SupportedProtocolVersion],
    protocols: &[&str],
) -> io::Result<TlsStream<TcpStream>> {
    handshake_over(TcpStream::connect(address).await?, trusted, versions, protocols).await
}

/// The same over a socket that is connected already.
pub(crate) async fn handshake_over(
    stream: TcpStream,
    trusted: &[&Certificate],
    versions: &[&'static SupportedProtocolVersion],
    protocols: &[&str],
) -> io::Result<TlsStream<TcpStream>> {
    stream.set_nodelay(true)?;
    let mut roots = RootCertStore::empty();
    for certificate in trusted {
        roots.add(certificate.der.clone()).unwrap();
    }
    let provider = Arc::new(crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_protocol_versions(versions).unwrap();
    let mut config = builder.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
    let name = ServerName::try_from("127.0.0.1").unwrap();
    TlsConnector::from(Arc::new(config)).connect(name, stream).await
}

/// What the other side showed.
pub(crate) fn shown(stream: &TlsStream<TcpStream>) -> CertificateDer<'static> {
    stream.get_ref().1.peer_certificates().unwrap()[0].clone().into_owned()
}

/// A plain socket whose other end goes through the TLS stream.
pub(crate) async fn tunnel(mut stream: TlsStream<TcpStream>) -> TcpStream {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let ours = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    ours.set_nodelay(true).unwrap();
    let (mut theirs, _) = listener.accept().await.unwrap();
    theirs.set_nodelay(true).unwrap();
    tokio::spawn(async move { tokio::io::copy_bidirectional(&mut theirs, &mut stream).await });
    ours
}
