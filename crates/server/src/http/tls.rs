//! TLS on the public listener: certificate and key from their files, and again when the operator says so. A
//! connection keeps what it began with, and files that are not right never replace those in use.

use super::limits::Limits;
use super::tls_records::Records;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::pem::{self, PemObject};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{self, ServerConfig, crypto, version};
use tokio_rustls::server::TlsStream;
use zeroize::Zeroizing;

/// Where they are, in PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The server's certificate first, then those that lead to a root.
    pub certificate: PathBuf,
    pub key: PathBuf,
}

/// What is wrong with a file, without anything of what is in it.
#[derive(Debug, thiserror::Error)]
#[error("{}: {problem}", path.display())]
pub struct TlsError {
    path: PathBuf,
    problem: Problem,
}

#[derive(Debug, thiserror::Error)]
enum Problem {
    #[error("cannot be read: {0}")]
    Unreadable(io::Error),
    #[error(
        "others may read it or its group may write it (mode {0:04o}), expected mode 0600, or 0640 for a group of its readers"
    )]
    Exposed(u32),
    #[error("not PEM: {0}, expected {1}")]
    Malformed(pem::Error, &'static str),
    #[error("nothing of use in it, expected {0}")]
    Empty(&'static str),
    #[error("cannot be used: {0}")]
    Unusable(rustls::Error),
    #[error("is not the key of the certificate in {}", .0.display())]
    OfAnother(PathBuf),
}

const CHAIN: &str = "one or more blocks CERTIFICATE, the server's own first";
const KEY: &str = "one block PRIVATE KEY that is not encrypted";

/// HTTP/2 first; whoever offers neither gets HTTP/1.1.
const PROTOCOLS: [&[u8]; 2] = [HTTP_2, b"http/1.1"];
pub(super) const HTTP_2: &[u8] = b"h2";

/// What handshakes begin with from now on.
pub struct Tls {
    files: TlsFiles,
    config: RwLock<Arc<ServerConfig>>,
}

impl Tls {
    pub fn open(files: TlsFiles) -> Result<Self, TlsError> {
        let config = RwLock::new(Arc::new(load(&files)?));
        Ok(Self { files, config })
    }

    /// Reads the files again. After an error the old ones stay in use.
    pub fn reload(&self) -> Result<(), TlsError> {
        let config = Arc::new(load(&self.files)?);
        *self.config.write().unwrap_or_else(PoisonError::into_inner) = config;
        Ok(())
    }

    pub(super) async fn handshake(
        &self,
        socket: TcpStream,
        limits: &Limits,
    ) -> io::Result<TlsStream<Records<TcpStream>>> {
        let config = Arc::clone(&self.config.read().unwrap_or_else(PoisonError::into_inner));
        let records = Records::new(socket, limits.write_stall);
        timeout(limits.handshake, TlsAcceptor::from(config).accept(records)).await?
    }
}

fn load(files: &TlsFiles) -> Result<ServerConfig, TlsError> {
    let at = |path: &Path| {
        let path = path.to_path_buf();
        move |problem| TlsError { path, problem }
    };
    let chain = read_chain(&files.certificate).map_err(at(&files.certificate))?;
    let key = read_key(&files.key).map_err(at(&files.key))?;
    let failed = |error| match error {
        rustls::Error::InconsistentKeys(_) => at(&files.key)(Problem::OfAnother(files.certificate.clone())),
        error => at(&files.certificate)(Problem::Unusable(error)),
    };
    // No early data, which an attacker could send again: it is off unless asked for.
    let mut config = ServerConfig::builder_with_provider(Arc::new(crypto::aws_lc_rs::default_provider()))
        .with_protocol_versions(&[&version::TLS13, &version::TLS12])
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key))
        .map_err(failed)?;
    config.alpn_protocols = PROTOCOLS.map(<[u8]>::to_vec).into();
    Ok(config)
}

fn read_chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, Problem> {
    let text = std::fs::read(path).map_err(Problem::Unreadable)?;
    let chain = CertificateDer::pem_slice_iter(&text).collect::<Result<Vec<_>, _>>();
    match chain {
        Ok(chain) if chain.is_empty() => Err(Problem::Empty(CHAIN)),
        Ok(chain) => Ok(chain),
        Err(error) => Err(Problem::Malformed(error, CHAIN)),
    }
}

fn read_key(path: &Path) -> Result<PrivateKeyDer<'static>, Problem> {
    let mut file = File::open(path).map_err(Problem::Unreadable)?;
    // Of what was opened: the file at the path may be another one by now.
    let mode = file.metadata().map_err(Problem::Unreadable)?.permissions().mode() & 0o7777;
    if mode & 0o027 != 0 {
        return Err(Problem::Exposed(mode));
    }
    let mut text = Zeroizing::new(Vec::new());
    file.read_to_end(&mut text).map_err(Problem::Unreadable)?;
    PrivateKeyDer::from_pem_slice(&text).map_err(|error| match error {
        pem::Error::NoItemsFound => Problem::Empty(KEY),
        error => Problem::Malformed(error, KEY),
    })
}
