//! TLS to the server as `sslmode` wants it. Must never check less than the mode that was asked for.

use super::open_error::OpenError;
use crate::config::{PostgresTls, RootCertificates};
use std::path::Path;
use std::sync::Arc;
use tokio_postgres::config::SslMode;
use tokio_postgres_rustls::MakeRustlsConnect;
use tokio_rustls::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use tokio_rustls::rustls::client::verify_server_cert_signed_by_trust_anchor;
use tokio_rustls::rustls::crypto::{self, CryptoProvider, WebPkiSupportedAlgorithms};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::server::ParsedCertificate;
use tokio_rustls::rustls::{ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};

/// How to begin, and with what.
#[derive(Clone)]
pub(super) struct Tls {
    pub(super) mode: SslMode,
    pub(super) connector: MakeRustlsConnect,
}

impl Tls {
    /// Reads the root certificates.
    pub(super) fn new(wanted: &PostgresTls) -> Result<Self, OpenError> {
        let provider = Arc::new(crypto::aws_lc_rs::default_provider());
        let algorithms = provider.signature_verification_algorithms;
        let (mode, roots) = match wanted {
            PostgresTls::Off => (SslMode::Disable, None),
            PostgresTls::Preferred => (SslMode::Prefer, None),
            PostgresTls::Unverified => (SslMode::Require, None),
            PostgresTls::Trusted(from) | PostgresTls::Verified(from) => {
                (SslMode::Require, Some(root_certificates(from)?))
            }
        };
        let builder = client_config(provider)?;
        let config = match (wanted, roots) {
            (PostgresTls::Verified(_), Some(roots)) => builder.with_root_certificates(roots),
            (_, roots) => builder
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(NameIgnored { roots, algorithms })),
        };
        Ok(Self { mode, connector: MakeRustlsConnect::new(config.with_no_client_auth()) })
    }
}

fn client_config(
    provider: Arc<CryptoProvider>,
) -> Result<tokio_rustls::rustls::ConfigBuilder<ClientConfig, tokio_rustls::rustls::WantsVerifier>, OpenError>
{
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    builder.map_err(|error| OpenError::Certificates(error.to_string()))
}

fn root_certificates(from: &RootCertificates) -> Result<RootCertStore, OpenError> {
    let mut roots = RootCertStore::empty();
    match from {
        RootCertificates::System => {
            let loaded = rustls_native_certs::load_native_certs();
            // A system has broken ones among hundreds.
            let (usable, _) = roots.add_parsable_certificates(loaded.certs);
            if usable == 0 {
                let error = loaded.errors.first().map(ToString::to_string).unwrap_or_default();
                return Err(OpenError::Certificates(format!("the system has no root certificates {error}")));
            }
        }
        RootCertificates::File(path) => add_from_file(&mut roots, path).map_err(OpenError::Certificates)?,
    }
    Ok(roots)
}

fn add_from_file(roots: &mut RootCertStore, path: &Path) -> Result<(), String> {
    let failed = |error: String| format!("sslrootcert {}: {error}", path.display());
    let certificates = CertificateDer::pem_file_iter(path).map_err(|error| failed(error.to_string()))?;
    for certificate in certificates {
        let certificate = certificate.map_err(|error| failed(error.to_string()))?;
        roots.add(certificate).map_err(|error| failed(error.to_string()))?;
    }
    if roots.is_empty() { Err(failed("no certificate in PEM is in it".to_owned())) } else { Ok(()) }
}

/// Takes a server by any name: `verify-ca` with roots, and below that any server at all.
#[derive(Debug)]
struct NameIgnored {
    roots: Option<RootCertStore>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ServerCertVerifier for NameIgnored {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if let Some(roots) = &self.roots {
            let certificate = ParsedCertificate::try_from(end_entity)?;
            let algorithms = self.algorithms.all;
            verify_server_cert_signed_by_trust_anchor(&certificate, roots, intermediates, now, algorithms)?;
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        crypto::verify_tls12_signature(message, certificate, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        crypto::verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
