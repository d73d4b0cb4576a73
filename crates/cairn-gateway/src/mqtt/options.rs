//! Which broker, and as whom.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use cairn_core::NetworkId;
use rumqttc::v5::MqttOptions;
use rumqttc::{TlsConfiguration, Transport};
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto};

use crate::GatewayError;

/// Bytes of one message: what a few dozen reports take.
pub(super) const MESSAGE_BYTES_MAX: usize = 256 << 10;
/// What a packet has beside its message, at most: topic and properties.
const PACKET_BYTES_MORE: usize = 68 << 10;
/// How long a broker keeps what comes for a gateway that is away.
const SESSION_S: u32 = 7 * 86_400;
/// How long nothing may be heard of the broker.
const KEEP_ALIVE: Duration = Duration::from_secs(20);

/// The operator's broker.
#[derive(Clone)]
pub struct BrokerOptions {
    /// Its name or address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// PEM file of the authorities that certify it; with one the connection is TLS, without one it is not.
    pub authority: Option<PathBuf>,
    /// As whom.
    pub login: Option<(String, String)>,
    /// The client's name at the broker; the same after a restart, or messages for it stay where they are. By default it
    /// follows from the network's id.
    pub client_id: Option<String>,
    /// The group of gateways that share the messages; empty for a gateway that has all of them.
    pub group: String,
    /// Messages that are here at once.
    pub in_flight_max: u16,
}

impl fmt::Debug for BrokerOptions {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let login = self.login.as_ref().map(|(name, _)| name);
        let Self { host, port, authority, client_id, group, in_flight_max, .. } = self;
        write!(
            out,
            "BrokerOptions {{ {host}:{port}, {authority:?}, {login:?}, {client_id:?}, {group}, {in_flight_max} }}"
        )
    }
}

impl BrokerOptions {
    /// The client of a network.
    ///
    /// # Errors
    /// [`GatewayError::Tls`] where the authorities cannot be used.
    pub(super) fn client(&self, network: NetworkId) -> Result<MqttOptions, GatewayError> {
        let id = self.client_id.clone().unwrap_or_else(|| format!("cairn-{}", &network.0.to_hex()[..16]));
        let mut options = MqttOptions::new(id, self.host.clone(), self.port);
        let packet_bytes = u32::try_from(MESSAGE_BYTES_MAX + PACKET_BYTES_MORE).unwrap_or(u32::MAX);
        options
            .set_manual_acks(true)
            .set_clean_start(false)
            .set_session_expiry_interval(Some(SESSION_S))
            .set_receive_maximum(Some(self.in_flight_max.max(1)))
            .set_max_packet_size(Some(packet_bytes))
            .set_keep_alive(KEEP_ALIVE);
        if let Some((name, password)) = &self.login {
            options.set_credentials(name, password);
        }
        if let Some(path) = &self.authority {
            options.set_transport(Transport::tls_with_config(TlsConfiguration::Rustls(tls(path)?)));
        }
        Ok(options)
    }
}

fn tls(path: &Path) -> Result<Arc<ClientConfig>, GatewayError> {
    let wrong = |reason: String| GatewayError::Tls { path: path.to_owned(), reason };
    let pem = std::fs::read(path).map_err(|error| wrong(error.to_string()))?;
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        let certificate = certificate.map_err(|error| wrong(error.to_string()))?;
        roots.add(certificate).map_err(|error| wrong(error.to_string()))?;
    }
    if roots.is_empty() {
        return Err(wrong("there is no certificate in it".to_owned()));
    }
    let config = ClientConfig::builder_with_provider(Arc::new(crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| wrong(error.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}
