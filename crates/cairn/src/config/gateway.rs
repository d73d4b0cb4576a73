//! `[gateway]` of `network.toml`: where the gateway listens, what it takes at most, and its TLS.
//!
//! Every value may be left out; what it is then is said in `cairn_gateway::GatewayOptions`, and in the operator's guide.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use cairn_gateway::{Block, ClientCertificates, GatewayOptions, ProxyHeader, Rate, TlsOptions};
use serde::Deserialize;

use super::{bad_duration, duration_ms};
use crate::failure::Failure;

/// What `admin` says to have no listener of its own.
const OFF: &str = "off";

/// How the gateway runs.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GatewayConfig {
    /// Address and port to listen on.
    pub listen: String,
    /// Address and port of the operator's own listener, or `off`; left out, it is on loopback at the port after that of
    /// `listen`.
    pub admin: Option<String>,
    /// Whether the gateway announces itself on the local network.
    pub announce: bool,
    /// This machine's addresses on the networks where it does; none: all but loopback.
    pub announce_on: Vec<Ipv4Addr>,
    /// The host that its certificate is for; empty: it is reached by its address.
    pub announce_host: String,
    /// Whether `/metrics` is public as well.
    pub metrics_public: bool,
    /// How often a checkpoint is published while the log grows.
    pub checkpoint_ms: u64,
    /// Proxies whose word on a client's address is taken: addresses, or blocks such as `10.0.0.0/8`.
    pub trusted_proxies: Vec<String>,
    /// The header that they name it in: `x-forwarded-for` or `forwarded`.
    pub proxy_header: ProxyHeaderConfig,
    /// Addresses without limits of their own; left out, this machine's.
    pub unlimited: Option<Vec<String>>,
    /// What is taken at most.
    pub limits: LimitsConfig,
    /// TLS; left out, the gateway speaks plain HTTP.
    pub tls: Option<TlsConfig>,
}

/// The header that proxies name a client in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProxyHeaderConfig {
    /// `X-Forwarded-For`.
    XForwardedFor,
    /// `Forwarded`, RFC 7239.
    Forwarded,
}

/// What is taken at most. A rate of 0 limits nothing; a time is written as `30s`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LimitsConfig {
    /// Bytes of a request's head.
    pub head_bytes: usize,
    /// Bytes of a request's body.
    pub body_bytes: usize,
    /// Bytes of requests and answers in memory, in all.
    pub bytes_in_flight: u64,
    /// Of those, for one address.
    pub bytes_per_address: u64,
    /// Reports, statements or observations in one request.
    pub items_per_request: usize,
    /// Requests worked on at once.
    pub requests_in_flight: usize,
    /// Requests that wait for the writer.
    pub queue_requests: usize,
    /// Connections in all.
    pub connections: u32,
    /// Connections of one address.
    pub connections_per_address: u32,
    /// Listeners to events in all.
    pub listeners: u32,
    /// Listeners of one address.
    pub listeners_per_address: u32,
    /// Requests of one address a second.
    pub address_requests_per_s: u32,
    /// Requests of one address at once.
    pub address_requests_burst: u32,
    /// Reports, statements and observations from one address a second.
    pub address_items_per_s: u32,
    /// Reports, statements and observations from one address at once.
    pub address_items_burst: u32,
    /// Reports of one device a second; left out, 10 on the machine's clock and 0 on a recorded one, whose devices send
    /// years in minutes.
    pub device_reports_per_s: Option<u32>,
    /// Reports of one device at once.
    pub device_reports_burst: u32,
    /// Addresses, and devices, whose rates are remembered.
    pub rates_remembered: usize,
    /// For a request's head, and between two requests.
    pub header_timeout: String,
    /// For a body to go on.
    pub body_timeout: String,
    /// For a client to take 64 KiB of its answer.
    pub write_timeout: String,
    /// From a request's head to its answer.
    pub request_timeout: String,
}

/// TLS: PEM files, beside `network.toml` unless their path is absolute. They are read again when they change.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsConfig {
    /// The gateway's certificate and its chain.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
    /// The authorities of client certificates; left out, no client is asked for one.
    pub client_authority: Option<PathBuf>,
    /// Whether clients must show one.
    #[serde(default)]
    pub client_certificates: ClientCertificatesConfig,
    /// For a handshake.
    pub handshake_timeout: Option<String>,
}

/// Whether clients show a certificate.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ClientCertificatesConfig {
    /// They may.
    Optional,
    /// They must.
    #[default]
    Required,
}

impl Default for GatewayConfig {
    fn default() -> Self {
        Self {
            listen: GatewayOptions::default().listen,
            admin: None,
            announce: false,
            announce_on: Vec::new(),
            announce_host: String::new(),
            metrics_public: false,
            checkpoint_ms: 1_000,
            trusted_proxies: Vec::new(),
            proxy_header: ProxyHeaderConfig::XForwardedFor,
            unlimited: None,
            limits: LimitsConfig::default(),
            tls: None,
        }
    }
}

impl Default for LimitsConfig {
    fn default() -> Self {
        let options = GatewayOptions::default();
        let text = |duration: Duration| format!("{}ms", duration.as_millis());
        Self {
            head_bytes: options.head_bytes_max,
            body_bytes: options.body_bytes_max,
            bytes_in_flight: options.bytes_in_flight_max,
            bytes_per_address: options.bytes_per_address_max,
            items_per_request: options.items_per_request_max,
            requests_in_flight: options.requests_in_flight_max,
            queue_requests: options.queue_requests_max,
            connections: options.connections_max,
            connections_per_address: options.connections_per_address_max,
            listeners: options.listeners_max,
            listeners_per_address: options.listeners_per_address_max,
            address_requests_per_s: options.address_requests.per_s,
            address_requests_burst: options.address_requests.burst,
            address_items_per_s: options.address_items.per_s,
            address_items_burst: options.address_items.burst,
            device_reports_per_s: None,
            device_reports_burst: options.device_reports.burst,
            rates_remembered: options.buckets_max,
            header_timeout: text(options.header_timeout),
            body_timeout: text(options.body_timeout),
            write_timeout: text(options.write_timeout),
            request_timeout: text(options.request_timeout),
        }
    }
}

impl GatewayConfig {
    /// What the gateway is started with: in the folder at `root`, and at `listen` if that is given.
    ///
    /// # Errors
    /// `NET-CONFIG`.
    pub fn options(&self, listen: Option<&str>, is_recorded: bool, root: &Path) -> Result<GatewayOptions, Failure> {
        let listen = listen.unwrap_or(&self.listen);
        let limits = &self.limits;
        limits.check()?;
        let defaults = GatewayOptions::default();
        let device_default = if is_recorded { 0 } else { defaults.device_reports.per_s };
        Ok(GatewayOptions {
            listen: listen.to_owned(),
            admin_listen: self.admin_listen(listen),
            metrics_public: self.metrics_public,
            tls: self.tls.as_ref().map(|tls| tls.options(root)).transpose()?,
            checkpoint: Duration::from_millis(self.checkpoint_ms),
            head_bytes_max: limits.head_bytes,
            body_bytes_max: limits.body_bytes,
            bytes_in_flight_max: limits.bytes_in_flight,
            bytes_per_address_max: limits.bytes_per_address,
            items_per_request_max: limits.items_per_request,
            requests_in_flight_max: limits.requests_in_flight,
            queue_requests_max: limits.queue_requests,
            connections_max: limits.connections,
            connections_per_address_max: limits.connections_per_address,
            listeners_max: limits.listeners,
            listeners_per_address_max: limits.listeners_per_address,
            address_requests: Rate { per_s: limits.address_requests_per_s, burst: limits.address_requests_burst },
            address_items: Rate { per_s: limits.address_items_per_s, burst: limits.address_items_burst },
            device_reports: Rate {
                per_s: limits.device_reports_per_s.unwrap_or(device_default),
                burst: limits.device_reports_burst,
            },
            buckets_max: limits.rates_remembered,
            unlimited: self.unlimited.as_deref().map_or(Ok(defaults.unlimited), blocks)?,
            trusted_proxies: blocks(&self.trusted_proxies)?,
            proxy_header: match self.proxy_header {
                ProxyHeaderConfig::XForwardedFor => ProxyHeader::XForwardedFor,
                ProxyHeaderConfig::Forwarded => ProxyHeader::Forwarded,
            },
            header_timeout: duration("header_timeout", &limits.header_timeout)?,
            body_timeout: duration("body_timeout", &limits.body_timeout)?,
            write_timeout: duration("write_timeout", &limits.write_timeout)?,
            request_timeout: duration("request_timeout", &limits.request_timeout)?,
            ..GatewayOptions::default()
        })
    }

    /// The operator's listener: loopback, at the port after the public one's; a free port where that one is free too.
    fn admin_listen(&self, listen: &str) -> Option<String> {
        match self.admin.as_deref() {
            Some(OFF) => None,
            Some(admin) => Some(admin.to_owned()),
            None => {
                let port = listen.rsplit_once(':').and_then(|(_, port)| port.parse::<u16>().ok()).unwrap_or(0);
                let port = if port == 0 { 0 } else { port.checked_add(1).unwrap_or(0) };
                Some(SocketAddr::from(([127, 0, 0, 1], port)).to_string())
            }
        }
    }
}

impl LimitsConfig {
    /// A limit of nothing would stop the network, so it is a mistake.
    fn check(&self) -> Result<(), Failure> {
        let least = [
            ("head_bytes", self.head_bytes as u64),
            ("body_bytes", self.body_bytes as u64),
            ("bytes_in_flight", self.bytes_in_flight),
            ("bytes_per_address", self.bytes_per_address),
            ("items_per_request", self.items_per_request as u64),
            ("requests_in_flight", self.requests_in_flight as u64),
            ("queue_requests", self.queue_requests as u64),
            ("connections", self.connections.into()),
            ("connections_per_address", self.connections_per_address.into()),
            ("listeners", self.listeners.into()),
            ("listeners_per_address", self.listeners_per_address.into()),
            ("address_requests_burst", self.address_requests_burst.into()),
            ("address_items_burst", self.address_items_burst.into()),
            ("device_reports_burst", self.device_reports_burst.into()),
            ("rates_remembered", self.rates_remembered as u64),
        ];
        if let Some((key, _)) = least.iter().find(|(_, value)| *value == 0) {
            return Err(Failure::wrong("NET-CONFIG", format!("{key} = 0 would let nothing through"))
                .hint("a rate is switched off with its `per_s = 0`; a limit is made large"));
        }
        if self.body_bytes as u64 > self.bytes_in_flight {
            return Err(Failure::wrong(
                "NET-CONFIG",
                "body_bytes is more than bytes_in_flight: no such body would fit",
            ));
        }
        Ok(())
    }
}

impl TlsConfig {
    fn options(&self, root: &Path) -> Result<TlsOptions, Failure> {
        let mut options = TlsOptions::with(root.join(&self.certificate), root.join(&self.key));
        let how = match self.client_certificates {
            ClientCertificatesConfig::Optional => ClientCertificates::Optional,
            ClientCertificatesConfig::Required => ClientCertificates::Required,
        };
        options.clients = self.client_authority.as_ref().map(|path| (root.join(path), how));
        if let Some(text) = &self.handshake_timeout {
            options.handshake_timeout = duration("handshake_timeout", text)?;
        }
        Ok(options)
    }
}

fn duration(key: &str, text: &str) -> Result<Duration, Failure> {
    duration_ms(text).map(Duration::from_millis).ok_or_else(|| bad_duration(key, text))
}

fn blocks(texts: &[impl AsRef<str>]) -> Result<Vec<Block>, Failure> {
    let read = |text: &str| text.parse().map_err(|reason: String| Failure::wrong("NET-CONFIG", reason));
    texts.iter().map(|text| read(text.as_ref())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(text: &str) -> Result<GatewayOptions, String> {
        let config: GatewayConfig = toml::from_str(text).map_err(|error| error.to_string())?;
        config.options(None, false, Path::new("/net")).map_err(|failure| failure.code)
    }

    #[test]
    fn what_is_left_out_is_as_the_gateway_has_it() {
        let (read, default) = (options("").unwrap(), GatewayOptions::default());
        let with_admin = GatewayOptions { admin_listen: Some("127.0.0.1:8641".to_owned()), ..default };
        assert_eq!(format!("{read:?}"), format!("{with_admin:?}"));
    }

    #[test]
    fn the_operators_guide_shows_every_value_with_its_default() {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Shown {
            gateway: GatewayConfig,
        }
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/guides/operator.md");
        let guide = std::fs::read_to_string(path).unwrap();
        let block = guide.split("```toml\n").find(|block| block.starts_with("[gateway]")).unwrap();
        let block = block.split("```").next().unwrap();
        let mut shown: Shown = toml::from_str(block).unwrap();
        assert!(shown.gateway.tls.take().is_some_and(|tls| tls.client_authority.is_some()));
        let options = |config: &GatewayConfig| format!("{:?}", config.options(None, false, Path::new("")).unwrap());
        assert_eq!(options(&shown.gateway), options(&GatewayConfig::default()));
        let keys = block.lines().filter(|line| line.contains(" = ")).count();
        assert_eq!(keys, 37, "a value is missing, or one is there twice");
    }

    #[test]
    fn every_value_reaches_the_gateway() {
        let options = options(
            r#"
            listen = "0.0.0.0:443"
            admin = "off"
            trusted_proxies = ["10.0.0.0/8"]
            proxy_header = "forwarded"
            unlimited = []
            [limits]
            body_bytes = 1000
            device_reports_per_s = 3
            device_reports_burst = 30
            write_timeout = "5s"
            [tls]
            certificate = "tls/chain.pem"
            key = "/etc/key.pem"
            client_authority = "tls/clients.pem"
            client_certificates = "optional"
            "#,
        )
        .unwrap();
        assert_eq!((options.admin_listen, options.body_bytes_max), (None, 1_000));
        assert_eq!(options.device_reports, Rate { per_s: 3, burst: 30 });
        assert_eq!((options.unlimited.len(), options.trusted_proxies.len()), (0, 1));
        assert_eq!((options.proxy_header, options.write_timeout), (ProxyHeader::Forwarded, Duration::from_secs(5)));
        let tls = options.tls.unwrap();
        assert_eq!((tls.certificate, tls.key), ("/net/tls/chain.pem".into(), "/etc/key.pem".into()));
        assert_eq!(tls.clients, Some(("/net/tls/clients.pem".into(), ClientCertificates::Optional)));
    }

    #[test]
    fn devices_on_a_recorded_clock_have_no_rate_unless_they_are_given_one() {
        for (text, is_recorded, per_s) in [
            ("", false, 10),
            ("", true, 0),
            ("[limits]\ndevice_reports_per_s = 7", true, 7),
            ("[limits]\ndevice_reports_per_s = 0", false, 0),
        ] {
            let config: GatewayConfig = toml::from_str(text).unwrap();
            let options = config.options(None, is_recorded, Path::new("")).unwrap();
            assert_eq!(options.device_reports.per_s, per_s, "{text:?} {is_recorded}");
        }
    }

    #[test]
    fn the_operators_listener_is_on_loopback_beside_the_public_one() {
        for (listen, admin) in [
            ("127.0.0.1:8640", "127.0.0.1:8641"),
            ("0.0.0.0:80", "127.0.0.1:81"),
            ("[::]:80", "127.0.0.1:81"),
            ("127.0.0.1:0", "127.0.0.1:0"),
            ("127.0.0.1:65535", "127.0.0.1:0"),
        ] {
            let config = GatewayConfig::default();
            assert_eq!(config.admin_listen(listen).as_deref(), Some(admin), "{listen}");
        }
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        for text in [
            "trusted_proxies = [\"proxy.example.org\"]",
            "[limits]\nconnections = 0",
            "[limits]\nbody_bytes = 1000000000",
            "[limits]\nwrite_timeout = \"soon\"",
            "[tls]\ncertificate = \"a\"\nkey = \"b\"\nhandshake_timeout = \"0s\"",
        ] {
            assert_eq!(options(text).err().as_deref(), Some("NET-CONFIG"), "{text}");
        }
        for text in [
            "announce_on = [\"eth0\"]",
            "limit = 1",
            "[limits]\nconections = 1",
            "[tls]\ncertificate = \"a\"",
            "proxy_header = \"x\"",
        ] {
            assert!(options(text).is_err(), "{text}");
        }
    }
}
