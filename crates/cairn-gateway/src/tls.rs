//! TLS: the certificate, its key, and whose certificates clients may show.
//!
//! The files are read again every few seconds; when they changed and fit together, handshakes from then on use them,
//! and connections that stand go on. Files that do not fit are reported and change nothing.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::server::danger::ClientCertVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig, crypto};

use crate::GatewayError;

/// Whether clients show a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientCertificates {
    /// They may; one that does not hold is refused.
    Optional,
    /// They must.
    Required,
}

/// How the gateway speaks TLS.
#[derive(Debug, Clone)]
pub struct TlsOptions {
    /// The certificate and its chain, PEM, the gateway's own first.
    pub certificate: PathBuf,
    /// Its private key, PEM (PKCS#8, SEC1 or PKCS#1); refused when everybody may read it.
    pub key: PathBuf,
    /// The authorities of client certificates, PEM; `None` asks no client for one.
    pub clients: Option<(PathBuf, ClientCertificates)>,
    /// How long a handshake may take. Default 10 s.
    pub handshake_timeout: Duration,
    /// How often the files are looked at. Default 5 s.
    pub reload: Duration,
}

impl TlsOptions {
    /// A certificate and its key, with the defaults of everything else.
    #[must_use]
    pub fn with(certificate: PathBuf, key: PathBuf) -> Self {
        let (handshake_timeout, reload) = (Duration::from_secs(10), Duration::from_secs(5));
        Self { certificate, key, clients: None, handshake_timeout, reload }
    }
}

/// What the files held when they were read.
#[derive(PartialEq, Eq)]
struct Files {
    certificate: Vec<u8>,
    key: Vec<u8>,
    clients: Option<Vec<u8>>,
}

/// The files, and what handshakes use of them.
pub(crate) struct Tls {
    pub options: TlsOptions,
    now: RwLock<(Files, Arc<ServerConfig>)>,
}

impl Tls {
    /// Reads the files.
    ///
    /// # Errors
    /// [`GatewayError::Tls`] names the file and what is wrong with it.
    pub fn open(options: TlsOptions) -> Result<Self, GatewayError> {
        let files = Files::read(&options)?;
        let config = files.config(&options)?;
        Ok(Self { options, now: RwLock::new((files, config)) })
    }

    /// What the next handshake uses.
    pub fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(self.now.read().unwrap_or_else(PoisonError::into_inner).1.clone())
    }

    /// Reads the files again; whether they had changed.
    ///
    /// # Errors
    /// [`GatewayError::Tls`]; handshakes then use what they used.
    pub fn reload(&self) -> Result<bool, GatewayError> {
        let files = Files::read(&self.options)?;
        if self.now.read().unwrap_or_else(PoisonError::into_inner).0 == files {
            return Ok(false);
        }
        let config = files.config(&self.options)?;
        *self.now.write().unwrap_or_else(PoisonError::into_inner) = (files, config);
        Ok(true)
    }
}

impl Files {
    fn read(options: &TlsOptions) -> Result<Self, GatewayError> {
        let read = |path: &Path| std::fs::read(path).map_err(|error| wrong(path, error));
        check_private(&options.key)?;
        Ok(Self {
            certificate: read(&options.certificate)?,
            key: read(&options.key)?,
            clients: options.clients.as_ref().map(|(path, _)| read(path)).transpose()?,
        })
    }

    fn config(&self, options: &TlsOptions) -> Result<Arc<ServerConfig>, GatewayError> {
        let chain = certificates(&options.certificate, &self.certificate)?;
        let key = PrivateKeyDer::from_pem_slice(&self.key).map_err(|error| wrong(&options.key, error))?;
        let provider = Arc::new(crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(|error| wrong(&options.certificate, error))?;
        let verifier = match (&options.clients, &self.clients) {
            (Some((path, how)), Some(bytes)) => client_verifier(path, bytes, *how, provider)?,
            _ => WebPkiClientVerifier::no_client_auth(),
        };
        let mut config = builder
            .with_client_cert_verifier(verifier)
            .with_single_cert(chain, key)
            .map_err(|error| wrong(&options.certificate, error))?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }
}

fn client_verifier(
    path: &Path,
    authorities: &[u8],
    how: ClientCertificates,
    provider: Arc<crypto::CryptoProvider>,
) -> Result<Arc<dyn ClientCertVerifier>, GatewayError> {
    let mut roots = RootCertStore::empty();
    for authority in certificates(path, authorities)? {
        roots.add(authority).map_err(|error| wrong(path, error))?;
    }
    let mut builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
    if how == ClientCertificates::Optional {
        builder = builder.allow_unauthenticated();
    }
    builder.build().map_err(|error| wrong(path, error))
}

fn certificates(path: &Path, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, GatewayError> {
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let chain = chain.map_err(|error| wrong(path, error))?;
    if chain.is_empty() {
        return Err(wrong(path, "there is no certificate in it"));
    }
    Ok(chain)
}

/// A key that everybody on the machine may read is nobody's.
fn check_private(path: &Path) -> Result<(), GatewayError> {
    use std::os::unix::fs::PermissionsExt;
    let mode = std::fs::metadata(path).map_err(|error| wrong(path, error))?.permissions().mode();
    if mode & 0o007 != 0 {
        return Err(wrong(path, "others may read or write it: chmod o= first"));
    }
    Ok(())
}

fn wrong(path: &Path, reason: impl ToString) -> GatewayError {
    GatewayError::Tls { path: path.to_owned(), reason: reason.to_string() }
}
