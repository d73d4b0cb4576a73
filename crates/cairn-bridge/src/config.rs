//! `bridge.toml`, and the table of devices beside it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use cairn_core::report::ClockSource;
use cairn_core::{DeviceId, Hash, NetworkId};
use cairn_edge::map::MappingConfig;
use cairn_edge::send::RefusedConfig;
use cairn_edge::time::ClockConfig;
use serde::Deserialize;

use crate::chirpstack::USUAL_FIELDS;
use crate::senml::{NameRule, SenderClock};
use crate::{Adapter, BridgeError};

/// The longest of either document, in bytes.
const BYTES_MAX: u64 = 4 << 20;
/// The shortest secret that is one.
const SECRET_CHARS_MIN: usize = 16;

/// A bridge as it is configured. Paths are relative to the document's folder.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BridgeConfig {
    /// Where reports are sent, the first that answers.
    pub gateways: Vec<String>,
    /// The network's id, 64 hexadecimal digits: then no gateway is needed for the first start either [default: what the folder
    /// knows, and at the first start what the first gateway says that answers].
    pub network: Option<String>,
    /// The key that the log signs its checkpoints with; with the next one, nobody is believed who names others [default: what the
    /// first gateway says].
    pub log_vkey: Option<String>,
    /// The key that promises are signed with; likewise.
    pub promise_vkey: Option<String>,
    /// The bridge's key file.
    pub key: PathBuf,
    /// The table of devices, as `cairn bridge enrol` writes it.
    #[serde(default = "devices")]
    pub devices: PathBuf,
    /// Where it listens.
    #[serde(default = "listen")]
    pub listen: SocketAddr,
    /// How much is taken.
    #[serde(default)]
    pub limits: Limits,
    /// What becomes of reports that are refused for good; as a node's.
    #[serde(default)]
    pub refused: RefusedConfig,
    /// Who is asked for the time.
    #[serde(default)]
    pub clock: ClockConfig,
    /// SenML is taken, under `/senml`.
    pub senml: Option<SenmlConfig>,
    /// Uplinks of ChirpStack are taken, under `/chirpstack`.
    pub chirpstack: Option<ChirpStackConfig>,
    /// Pushes of Sensor.Community are taken, under `/v1/push-sensor-data/`.
    pub sensor_community: Option<CommunityConfig>,
}

fn devices() -> PathBuf {
    "devices.toml".into()
}

fn listen() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 4390))
}

/// How much is taken.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Bytes of one request's body.
    pub body_bytes: usize,
    /// Reports of one device in an hour, in the long run.
    pub reports_per_hour: u32,
    /// Reports of one device at once.
    pub reports_at_once: u32,
    /// Bytes of originals that are kept; the oldest go first.
    pub originals_bytes: u64,
    /// Bytes of reports that wait; the oldest go first.
    pub queue_bytes: u64,
}

impl Default for Limits {
    /// 64 KiB; 360 an hour, which is one in ten seconds, 60 at once; 256 MiB; 64 MiB.
    fn default() -> Self {
        Self {
            body_bytes: 64 << 10,
            reports_per_hour: 360,
            reports_at_once: 60,
            originals_bytes: 256 << 20,
            queue_bytes: 64 << 20,
        }
    }
}

/// What a request has to carry.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SecretConfig {
    /// The header, such as `Authorization`.
    pub header: String,
    /// A file with its value on one line.
    pub file: PathBuf,
}

/// `[senml]`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SenmlConfig {
    /// What requests carry.
    pub secret: Option<SecretConfig>,
    /// Whose clock absolute times are from: `none`, `rtc`, `network`, `ntp` or `gnss` [default: rtc].
    pub clock: Option<String>,
    /// How far off it may be, ms [default: a minute].
    pub clock_error_ms: Option<u64>,
    /// What names say, beside the usual ones.
    #[serde(default)]
    pub name: Vec<NameRule>,
}

impl SenmlConfig {
    /// The clock of the senders.
    ///
    /// # Errors
    /// `BRG-CONFIG`.
    pub fn sender_clock(&self) -> Result<SenderClock, BridgeError> {
        let source = match self.clock.as_deref() {
            None | Some("rtc") => ClockSource::Rtc,
            Some("none") => ClockSource::None,
            Some("network") => ClockSource::Network,
            Some("ntp") => ClockSource::Ntp,
            Some("gnss") => ClockSource::Gnss,
            Some(other) => {
                let what = format!("`senml.clock = \"{other}\"`: it is none, rtc, network, ntp or gnss");
                return Err(BridgeError::Config { what });
            }
        };
        Ok(SenderClock { source, error_ms: self.clock_error_ms.unwrap_or(60_000) })
    }
}

/// `[chirpstack]`: a secret, and a mapping whose pointers begin at the event, such as `/object/temperature`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChirpStackConfig {
    /// What requests carry.
    pub secret: Option<SecretConfig>,
    /// What is read [default: what codecs usually call it].
    pub map: Option<MappingConfig>,
}

impl ChirpStackConfig {
    /// The mapping.
    ///
    /// # Errors
    /// `EDGE-MAPPING`, `EDGE-UNIT`.
    pub fn mapping(&self) -> Result<cairn_edge::map::Mapping, BridgeError> {
        let usual = || toml::from_str(USUAL_FIELDS).expect("the usual fields are a mapping");
        Ok(cairn_edge::map::Mapping::of(&self.map.clone().unwrap_or_else(usual))?)
    }
}

/// `[sensor_community]`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CommunityConfig {
    /// What requests carry.
    pub secret: Option<SecretConfig>,
}

/// A device that the bridge speaks for.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, serde::Serialize)]
#[serde(deny_unknown_fields)]
pub struct DeviceRow {
    /// Where it comes from and what it is called there: `chirpstack:24e124136b502217`, `sensor-community:esp8266-1234567`,
    /// `senml:urn:dev:mac:0024befffe804ff1`.
    pub external: String,
    /// Its id in the network.
    pub device: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    #[serde(default)]
    device: Vec<DeviceRow>,
}

impl BridgeConfig {
    /// Reads a document; paths in it are made those of its folder.
    ///
    /// # Errors
    /// `BRG-CONFIG`, with the line; `BRG-IO`.
    pub fn read(path: &Path) -> Result<Self, BridgeError> {
        let mut config: Self = parse(&text(path)?)?;
        let folder = path.parent().unwrap_or(Path::new(""));
        config.key = folder.join(&config.key);
        config.devices = folder.join(&config.devices);
        for secret in config.secrets_mut() {
            secret.file = folder.join(&secret.file);
        }
        config.check()?;
        Ok(config)
    }

    fn secrets_mut(&mut self) -> impl Iterator<Item = &mut SecretConfig> {
        let senml = self.senml.as_mut().and_then(|adapter| adapter.secret.as_mut());
        let chirpstack = self.chirpstack.as_mut().and_then(|adapter| adapter.secret.as_mut());
        let community = self.sensor_community.as_mut().and_then(|adapter| adapter.secret.as_mut());
        [senml, chirpstack, community].into_iter().flatten()
    }

    /// The adapters that are on, each with its secret.
    pub fn adapters(&self) -> impl Iterator<Item = (Adapter, Option<&SecretConfig>)> {
        let senml = self.senml.as_ref().map(|adapter| (Adapter::Senml, adapter.secret.as_ref()));
        let chirpstack = self.chirpstack.as_ref().map(|adapter| (Adapter::ChirpStack, adapter.secret.as_ref()));
        let community = self.sensor_community.as_ref().map(|adapter| (Adapter::Community, adapter.secret.as_ref()));
        [senml, chirpstack, community].into_iter().flatten()
    }

    fn check(&self) -> Result<(), BridgeError> {
        let refused = |what: String| Err(BridgeError::Config { what });
        if self.gateways.is_empty() {
            return refused("`gateways` names none".to_owned());
        }
        if self.adapters().next().is_none() {
            return refused("nothing comes in: give it [senml], [chirpstack] or [sensor_community]".to_owned());
        }
        if self.limits.reports_per_hour == 0 || self.limits.reports_at_once == 0 || self.limits.body_bytes == 0 {
            return refused("a limit of zero takes nothing".to_owned());
        }
        self.network_id()?;
        self.refused.check().or_else(refused)?;
        self.clock.check().or_else(|what| refused(format!("[clock]: {what}")))?;
        let open = self.adapters().find(|(_, secret)| secret.is_none());
        match open {
            // Whoever can post speaks for every device of the table.
            Some((adapter, _)) if !self.listen.ip().is_loopback() => refused(format!(
                "`listen = \"{}\"` is not this machine alone, and {} asks for no secret",
                self.listen,
                adapter.name()
            )),
            _ => Ok(()),
        }
    }

    /// The network, where it is named.
    ///
    /// # Errors
    /// `BRG-CONFIG` for what is no id.
    pub fn network_id(&self) -> Result<Option<NetworkId>, BridgeError> {
        let what = |text: &String| format!("`network = \"{text}\"`: a network's id is 64 hexadecimal digits");
        let id =
            |text: &String| Hash::from_hex(text).map(NetworkId).ok_or_else(|| BridgeError::Config { what: what(text) });
        self.network.as_ref().map(id).transpose()
    }

    /// The table of devices.
    ///
    /// # Errors
    /// `BRG-CONFIG`, `BRG-IO`.
    pub fn table(&self) -> Result<BTreeMap<(Adapter, String), DeviceId>, BridgeError> {
        table(&text(&self.devices)?)
    }

    /// The secrets by adapter: header and value.
    ///
    /// # Errors
    /// `BRG-CONFIG`, `BRG-IO`.
    pub fn secrets(&self) -> Result<BTreeMap<Adapter, Option<(String, String)>>, BridgeError> {
        let read = |(adapter, secret): (Adapter, Option<&SecretConfig>)| {
            let Some(secret) = secret else { return Ok((adapter, None)) };
            let value = text(&secret.file)?.trim().to_owned();
            if value.len() < SECRET_CHARS_MIN || !value.bytes().all(|byte| (0x20..0x7f).contains(&byte)) {
                let what = format!(
                    "`{}` is no secret: a line of at least {SECRET_CHARS_MIN} characters",
                    secret.file.display()
                );
                return Err(BridgeError::Config { what });
            }
            Ok((adapter, Some((secret.header.to_ascii_lowercase(), value))))
        };
        self.adapters().map(read).collect()
    }
}

fn text(path: &Path) -> Result<String, BridgeError> {
    let named = |what: String| BridgeError::Config { what: format!("`{}`: {what}", path.display()) };
    let meta = std::fs::metadata(path).map_err(|error| named(error.to_string()))?;
    if meta.len() > BYTES_MAX {
        return Err(named(format!("more than {BYTES_MAX} bytes")));
    }
    std::fs::read_to_string(path).map_err(|error| named(error.to_string()))
}

fn parse<T: for<'de> Deserialize<'de>>(text: &str) -> Result<T, BridgeError> {
    toml::from_str(text).map_err(|error| BridgeError::Config { what: error.to_string() })
}

fn table(text: &str) -> Result<BTreeMap<(Adapter, String), DeviceId>, BridgeError> {
    let refused =
        |row: &DeviceRow, why: &str| BridgeError::Config { what: format!("device `{}`: {why}", row.external) };
    let mut table = BTreeMap::new();
    for row in parse::<Table>(text)?.device {
        let (adapter, name) = row.external.split_once(':').unwrap_or_default();
        let adapter = Adapter::named(adapter)
            .filter(|_| !name.is_empty())
            .ok_or_else(|| refused(&row, "it begins with senml:, chirpstack: or sensor-community:"))?;
        // Both are told in either case by those who send them.
        let name = if adapter == Adapter::Senml { name.to_owned() } else { name.to_ascii_lowercase() };
        let device = DeviceId::parse(&row.device).map_err(|_| refused(&row, "`device` is no device id"))?;
        if table.insert((adapter, name), device).is_some() {
            return Err(refused(&row, "it stands twice"));
        }
    }
    Ok(table)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEAST: &str = "gateways = [\"http://127.0.0.1:4380\"]\nkey = \"bridge.key\"\n[senml]\n";

    fn checked(text: &str) -> Result<BridgeConfig, String> {
        let config: BridgeConfig = parse(text).map_err(|error| error.to_string())?;
        config.check().map(|()| config).map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_not_said_is_the_safe_choice() {
        let config = checked(LEAST).unwrap();
        assert!(config.listen.ip().is_loopback());
        assert_eq!(config.refused.options().aside_bytes_max, 8 << 20);
        let said = checked(&format!("{LEAST}[refused]\nsize_mib = 3\nin_a_row = 4\nsecond_after_s = 5\n")).unwrap();
        let options = said.refused.options();
        assert_eq!((options.aside_bytes_max, options.refused_in_a_row, options.second_after_ms), (3 << 20, 4, 5_000));
        let clock = config.senml.unwrap_or_default().sender_clock().unwrap();
        assert_eq!((clock.source, clock.error_ms), (ClockSource::Rtc, 60_000));
        let chirpstack: ChirpStackConfig = parse("").unwrap();
        assert!(chirpstack.mapping().is_ok());
    }

    #[test]
    fn what_would_let_anybody_speak_or_nothing_in_is_refused() {
        let cases = [
            ("is not this machine alone", LEAST.replace("[senml]", "listen = \"0.0.0.0:4390\"\n[senml]")),
            ("nothing comes in", LEAST.replace("[senml]\n", "")),
            ("names none", LEAST.replace("\"http://127.0.0.1:4380\"", "")),
            ("unknown field", LEAST.replace("[senml]", "[senml]\nclocks = \"rtc\"")),
            ("64 hexadecimal", LEAST.replace("[senml]", "network = \"7\"\n[senml]")),
            ("[clock]", LEAST.replace("[senml]", "clock = { error_max_s = 0 }\n[senml]")),
            ("in_a_row are at least 1", LEAST.replace("[senml]", "refused = { in_a_row = 0 }\n[senml]")),
            ("takes nothing", LEAST.replace("[senml]", "limits = { reports_per_hour = 0 }\n[senml]")),
        ];
        for (expected, text) in cases {
            let found = checked(&text).unwrap_err();
            assert!(found.contains(expected), "{expected}: {found}");
        }
        let open = LEAST
            .replace("[senml]", "listen = \"0.0.0.0:4390\"\n[senml]\nsecret = { header = \"X-Secret\", file = \"s\" }");
        assert!(checked(&open).is_ok(), "with a secret it may");
        assert!(parse::<SenmlConfig>("clock = \"sundial\"").unwrap().sender_clock().is_err());
    }

    #[test]
    fn the_table_names_each_device_once() {
        let device = DeviceId([7; 16]);
        let row = |external: &str| format!("[[device]]\nexternal = \"{external}\"\ndevice = \"{device}\"\n");
        let read = table(&[row("chirpstack:24E124136B502217"), row("senml:urn:dev:Ab:1")].concat()).unwrap();
        assert_eq!(read[&(Adapter::ChirpStack, "24e124136b502217".to_owned())], device);
        assert_eq!(read[&(Adapter::Senml, "urn:dev:Ab:1".to_owned())], device);
        for bad in [
            row("mqtt:x"),
            row("senml:"),
            row("senml"),
            [row("senml:a"), row("senml:a")].concat(),
            row("senml:a").replace("dev1", "dev2"),
        ] {
            assert_eq!(table(&bad).unwrap_err().code(), "BRG-CONFIG", "{bad}");
        }
    }
}
