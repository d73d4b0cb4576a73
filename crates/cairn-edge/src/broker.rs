//! An MQTT broker as a client sees it: its address, who one is there, TLS, and a connection that is made again.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rumqttc::{AsyncClient, Event, EventLoop, LastWill, MqttOptions, TlsConfiguration, Transport};
use serde::Deserialize;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::{self, ClientConfig, RootCertStore};

use crate::Stop;
use crate::map::PAYLOAD_BYTES_MAX;

/// The ports of MQTT, plain and over TLS.
const PORTS: (u16, u16) = (1_883, 8_883);
/// The most bytes of a password file.
const PASSWORD_BYTES_MAX: usize = 4_096;
/// How long nothing may be heard of a broker.
const KEEP_ALIVE: Duration = Duration::from_secs(30);
/// How often a connection looks whether it should end.
const LOOK: Duration = Duration::from_millis(250);
/// Requests that wait to be sent.
const WAITING_MAX: usize = 256;

/// A broker as it stands in a configuration.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Broker {
    /// `mqtt://HOST[:PORT]`, or `mqtts://…` over TLS.
    pub url: String,
    /// The user name.
    pub user: Option<String>,
    /// A file that holds the password, on one line.
    pub password_file: Option<PathBuf>,
    /// A PEM file of the authorities that are believed over TLS [default: the system's].
    pub ca: Option<PathBuf>,
    /// The client's id; where one is named, the broker keeps a session for it [default: one at random].
    pub client_id: Option<String>,
}

/// A broker that cannot be one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the broker: {what}")]
pub struct BrokerError {
    /// What is wrong.
    pub what: String,
}

impl BrokerError {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        "EDGE-BROKER"
    }

    fn of(what: impl Into<String>) -> Self {
        Self { what: what.into() }
    }
}

impl Broker {
    /// A broker that asks for nothing.
    #[must_use]
    pub fn at(url: &str) -> Self {
        Self { url: url.to_owned(), user: None, password_file: None, ca: None, client_id: None }
    }

    /// Host, port, and whether it is TLS.
    fn address(&self) -> Result<(String, u16, bool), BrokerError> {
        let wrong = || BrokerError::of(format!("`{}` is not like mqtt://host:1883 or mqtts://host", self.url));
        let (rest, is_tls) = match (self.url.strip_prefix("mqtt://"), self.url.strip_prefix("mqtts://")) {
            (Some(rest), _) => (rest, false),
            (_, Some(rest)) => (rest, true),
            _ => return Err(wrong()),
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let default = if is_tls { PORTS.1 } else { PORTS.0 };
        let (host, port) = match rest.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((host, "")) => (host, default),
            Some((host, port)) => (host, port.strip_prefix(':').and_then(|port| port.parse().ok()).ok_or_else(wrong)?),
            None => match rest.split_once(':') {
                Some((host, port)) => (host, port.parse().map_err(|_| wrong())?),
                None => (rest, default),
            },
        };
        let is_host = !host.is_empty() && !host.contains(['/', '@', '?', '#', ' ']);
        if is_host { Ok((host.to_owned(), port, is_tls)) } else { Err(wrong()) }
    }

    /// What is said to the broker when connecting.
    ///
    /// # Errors
    /// [`BrokerError`]: an address that is none, or a file that cannot be read.
    pub(crate) fn options(&self, keeps_session: bool) -> Result<MqttOptions, BrokerError> {
        let (host, port, is_tls) = self.address()?;
        let id = match &self.client_id {
            Some(id) => id.clone(),
            None => random_id()?,
        };
        let mut options = MqttOptions::new(id, host, port);
        options.set_keep_alive(KEEP_ALIVE).set_clean_session(!(keeps_session && self.client_id.is_some()));
        options.set_max_packet_size(PAYLOAD_BYTES_MAX + 65_536, PAYLOAD_BYTES_MAX + 65_536);
        options.set_manual_acks(true);
        if let Some(user) = &self.user {
            options.set_credentials(user, self.password()?);
        }
        if is_tls {
            let config = TlsConfiguration::Rustls(Arc::new(self.tls()?));
            options.set_transport(Transport::tls_with_config(config));
        }
        Ok(options)
    }

    fn password(&self) -> Result<String, BrokerError> {
        let Some(path) = &self.password_file else { return Ok(String::new()) };
        let text = std::fs::read_to_string(path);
        let text = text.map_err(|error| BrokerError::of(format!("cannot read {}: {error}", path.display())))?;
        let line = text.lines().next().unwrap_or_default();
        if line.is_empty() || line.len() > PASSWORD_BYTES_MAX {
            return Err(BrokerError::of(format!("{} holds no password on its first line", path.display())));
        }
        Ok(line.to_owned())
    }

    fn tls(&self) -> Result<ClientConfig, BrokerError> {
        let mut roots = RootCertStore::empty();
        match &self.ca {
            Some(path) => {
                let wrong = |error: &dyn core::fmt::Display| BrokerError::of(format!("{}: {error}", path.display()));
                for certificate in CertificateDer::pem_file_iter(path).map_err(|error| wrong(&error))? {
                    let certificate = certificate.map_err(|error| wrong(&error))?;
                    roots.add(certificate).map_err(|error| wrong(&error))?;
                }
            }
            None => {
                roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            }
        }
        if roots.is_empty() {
            return Err(BrokerError::of("there are no certificates to believe; name a file as `ca`"));
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let config = config.map_err(|error| BrokerError::of(error.to_string()))?;
        Ok(config.with_root_certificates(roots).with_no_client_auth())
    }
}

fn random_id() -> Result<String, BrokerError> {
    let mut random = [0; 8];
    getrandom::fill(&mut random).map_err(|error| BrokerError::of(error.to_string()))?;
    Ok(random.iter().fold("cairn-".to_owned(), |id, byte| format!("{id}{byte:02x}")))
}

/// What a connection heard.
pub(crate) enum Heard {
    Event(Event),
    /// The connection is lost; the next one is made when it is listened to again.
    Lost(String),
    Stopped,
}

/// A connection to a broker, and a thread of its own to run on.
pub(crate) struct Link {
    pub(crate) client: AsyncClient,
    events: EventLoop,
    runtime: tokio::runtime::Runtime,
}

impl Link {
    /// Not connected yet; `will` is what the broker says in its name when it is gone.
    pub(crate) fn to(mut options: MqttOptions, will: Option<LastWill>) -> Result<Self, BrokerError> {
        if let Some(will) = will {
            options.set_last_will(will);
        }
        let (client, events) = AsyncClient::new(options, WAITING_MAX);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| BrokerError::of(error.to_string()))?;
        Ok(Self { client, events, runtime })
    }

    /// Waits for the next event. A connection that is being made is never given up for the sake of looking at `stop`.
    pub(crate) fn listen(&mut self, stop: &Stop) -> Heard {
        let Self { events, runtime, .. } = self;
        runtime.block_on(async {
            let poll = events.poll();
            tokio::pin!(poll);
            loop {
                tokio::select! {
                    heard = &mut poll => return match heard {
                        Ok(event) => Heard::Event(event),
                        Err(error) => Heard::Lost(error.to_string()),
                    },
                    () = tokio::time::sleep(LOOK) => if stop.is_set() { return Heard::Stopped },
                }
            }
        })
    }

    /// Sends what waits, until the connection ends or `at_most` is over.
    pub(crate) fn drain(&mut self, at_most: Duration) {
        let Self { events, runtime, .. } = self;
        runtime.block_on(async {
            let all = async { while events.poll().await.is_ok() {} };
            // Nobody waits longer for a broker that does not take it.
            let _ = tokio::time::timeout(at_most, all).await;
        });
    }

    /// From the next connection on the broker forgets what it kept.
    pub(crate) fn forget_session(&mut self) {
        self.events.mqtt_options.set_clean_session(true);
    }

    /// From the next connection on the broker keeps a session again, if `keeps`.
    pub(crate) fn keep_session(&mut self, keeps: bool) {
        self.events.mqtt_options.set_clean_session(!keeps);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_brokers_are_read() {
        let cases = [
            ("mqtt://broker", Some(("broker", 1_883, false))),
            ("mqtt://broker:1884/", Some(("broker", 1_884, false))),
            ("mqtts://broker.example", Some(("broker.example", 8_883, true))),
            ("mqtt://[::1]:1884", Some(("::1", 1_884, false))),
            ("mqtt://[::1]", Some(("::1", 1_883, false))),
            ("broker:1883", None),
            ("http://broker", None),
            ("mqtt://", None),
            ("mqtt://broker:port", None),
            ("mqtt://user:password@broker", None),
            ("mqtt://broker/topic", None),
        ];
        for (url, expected) in cases {
            let found = Broker::at(url).address().ok();
            assert_eq!(found.as_ref().map(|(host, port, is_tls)| (host.as_str(), *port, *is_tls)), expected, "{url}");
        }
    }

    #[test]
    fn a_session_is_kept_only_for_a_client_with_a_name() {
        let named = Broker { client_id: Some("garden".to_owned()), ..Broker::at("mqtt://broker") };
        for (broker, keeps, is_clean) in
            [(&named, true, false), (&named, false, true), (&Broker::at("mqtt://broker"), true, true)]
        {
            assert_eq!(broker.options(keeps).unwrap().clean_session(), is_clean);
        }
        let missing = Broker { user: Some("u".to_owned()), password_file: Some("/nothing".into()), ..named };
        assert_eq!(missing.options(true).unwrap_err().code(), "EDGE-BROKER");
    }
}
