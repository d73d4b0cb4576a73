//! Sources as they stand in a configuration: `[[source]]` tables, each with its `kind`.

use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::time::Duration;

use cairn_classes::sensing::Quantity;
use serde::Deserialize;
use thiserror::Error;

use super::file::FileSource;
use super::lines::LineSource;
use super::machine::MachineSource;
use super::mqtt::MqttSource;
use super::poll::PollSource;
use super::serial::{LineSettings, Parity, SerialSource};
use super::simulated::{SIMULATED, SimulatedSource};
use crate::broker::{Broker, BrokerError};
use crate::map::{MapError, Mapping, MappingConfig};
use crate::{Mark, Source};

/// How often a file is looked at for more.
const LOOK: Duration = Duration::from_millis(500);
/// How often a serial device that is not there is looked for, at the least.
const PATIENCE: Duration = Duration::from_secs(30);
/// The longest time between two readings of something that is asked.
const EVERY_S_MAX: u64 = 86_400;

/// A source.
#[derive(Debug, Clone, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum SourceConfig {
    /// Lines on standard input.
    Stdin(StdinConfig),
    /// Lines that are added to a file.
    File(FileConfig),
    /// Lines of a serial device.
    Serial(SerialConfig),
    /// Messages of an MQTT broker.
    Mqtt(MqttConfig),
    /// A document that is asked for over HTTP.
    Http(HttpConfig),
    /// The machine's own sensors.
    Machine(MachineConfig),
    /// Made-up readings, in a network that rehearses them.
    Simulated(SimulatedConfig),
}

/// Lines on standard input.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StdinConfig {
    /// How a line is read.
    pub map: MappingConfig,
}

/// Lines that are added to a file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileConfig {
    /// The file; it need not be there yet.
    pub path: PathBuf,
    /// Whether it is read from its start when it is first met [default: from its end].
    #[serde(default)]
    pub from_start: bool,
    /// How a line is read.
    pub map: MappingConfig,
}

/// Lines of a serial device.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SerialConfig {
    /// The device, such as `/dev/ttyUSB0`; better one of `/dev/serial/by-id`.
    pub path: PathBuf,
    /// Bits per second [default: 9600].
    pub baud: Option<u32>,
    /// 7 or 8 [default: 8].
    pub data_bits: Option<u8>,
    /// `none`, `even` or `odd` [default: none].
    #[serde(default)]
    pub parity: Parity,
    /// 1 or 2 [default: 1].
    pub stop_bits: Option<u8>,
    /// How a line is read.
    pub map: MappingConfig,
}

/// Messages of an MQTT broker.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MqttConfig {
    /// The broker.
    pub broker: Broker,
    /// Topics, with `+` and `#`.
    pub topics: Vec<String>,
    /// How a message is read.
    pub map: MappingConfig,
}

/// A document that is asked for over HTTP.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HttpConfig {
    /// `http://…` or `https://…`.
    pub url: String,
    /// Seconds between two requests [default: 60].
    pub every_s: Option<u64>,
    /// A file that holds a token, sent as `authorization: Bearer …`.
    pub bearer_file: Option<PathBuf>,
    /// How the answer is read.
    pub map: MappingConfig,
}

/// The machine's own sensors.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MachineConfig {
    /// Where the system's files are [default: `/`].
    pub root: Option<PathBuf>,
    /// Files that are read, as `cairn node setup` shows them [default: the first of each quantity].
    #[serde(default)]
    pub sensors: Vec<String>,
    /// Seconds between two looks [default: 60].
    pub every_s: Option<u64>,
}

/// Made-up readings.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SimulatedConfig {
    /// What they follow from; give each device its own.
    pub seed: u64,
    /// What is made up.
    pub quantities: Vec<Quantity>,
    /// Seconds between two of them [default: 60].
    pub every_s: Option<u64>,
}

/// A source that cannot be one.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// The mapping.
    #[error(transparent)]
    Map(#[from] MapError),
    /// The broker.
    #[error(transparent)]
    Broker(#[from] BrokerError),
    /// Made-up readings where nothing says that they are.
    #[error("this network does not declare that its devices may be simulated")]
    Simulated,
    /// Anything else.
    #[error("the source: {what}")]
    Source {
        /// What is wrong.
        what: String,
    },
}

impl ConfigError {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Map(error) => error.code(),
            Self::Broker(error) => error.code(),
            Self::Simulated => "EDGE-SIMULATED",
            Self::Source { .. } => "EDGE-SOURCE",
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::Map(error) => error.hint(),
            Self::Broker(_) => "look at `broker` of the source".to_owned(),
            Self::Simulated => {
                format!("its genesis has no line under `rehearsed` that begins with `{SIMULATED}`; use one that has")
            }
            Self::Source { .. } => "look at the [[source]] table in node.toml".to_owned(),
        }
    }
}

impl SourceConfig {
    /// What it is called: the name of its troubles and of its marks. Two sources of one name are one too many.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::Stdin(_) => "stdin".to_owned(),
            Self::File(config) => format!("file {}", config.path.display()),
            Self::Serial(config) => format!("serial {}", config.path.display()),
            Self::Mqtt(config) => format!("mqtt {}", config.topics.join(" ")),
            Self::Http(config) => config.url.clone(),
            Self::Machine(_) => "machine".to_owned(),
            Self::Simulated(config) => format!("simulated {}", config.seed),
        }
    }

    /// The source, ready to run. `rehearsed` is what the network's genesis declares, `mark` where one of [`SourceConfig::name`]
    /// goes on.
    ///
    /// # Errors
    /// [`ConfigError`] for what can never work; what may pass, such as a broker that is away, is told while it runs.
    pub fn open(&self, rehearsed: &[String], mark: Option<Mark>) -> Result<Box<dyn Source>, ConfigError> {
        let wrong = |what: String| ConfigError::Source { what };
        Ok(match self {
            Self::Stdin(config) => {
                let fd: OwnedFd = rustix::io::dup(std::io::stdin())
                    .map_err(|error| wrong(format!("standard input cannot be read: {error}")))?;
                Box::new(LineSource::of("stdin", fd, Mapping::of(&config.map)?))
            }
            Self::File(config) => {
                Box::new(FileSource::of(&config.path, Mapping::of(&config.map)?, config.from_start, LOOK, mark))
            }
            Self::Serial(config) => {
                let settings = settings(config).map_err(wrong)?;
                Box::new(SerialSource::of(&config.path, settings, Mapping::of(&config.map)?, PATIENCE))
            }
            Self::Mqtt(config) => {
                let is_topic = |topic: &String| !topic.is_empty() && topic.len() <= 1_024 && !topic.contains('\0');
                if config.topics.is_empty() || config.topics.len() > 64 || !config.topics.iter().all(is_topic) {
                    return Err(wrong("it has one to 64 `topics`".to_owned()));
                }
                Box::new(MqttSource::of(&config.broker, config.topics.clone(), Mapping::of(&config.map)?)?)
            }
            Self::Http(config) => {
                if !config.url.starts_with("http://") && !config.url.starts_with("https://") {
                    return Err(wrong(format!("`{}` is not like http://host/data.json", config.url)));
                }
                let every = every(config.every_s).map_err(wrong)?;
                let headers = bearer(config).map_err(wrong)?;
                Box::new(PollSource::of(&config.url, headers, Mapping::of(&config.map)?, every))
            }
            Self::Machine(config) => {
                let root = config.root.clone().unwrap_or_else(|| PathBuf::from("/"));
                Box::new(MachineSource::of(&root, config.sensors.clone(), every(config.every_s).map_err(wrong)?))
            }
            Self::Simulated(config) => {
                let every = every(config.every_s).map_err(wrong)?;
                if config.quantities.is_empty() {
                    return Err(wrong("it has `quantities`".to_owned()));
                }
                let made = SimulatedSource::of(rehearsed, config.seed, config.quantities.clone(), every);
                Box::new(made.ok_or(ConfigError::Simulated)?)
            }
        })
    }
}

fn every(seconds: Option<u64>) -> Result<Duration, String> {
    match seconds.unwrap_or(60) {
        seconds @ 1..=EVERY_S_MAX => Ok(Duration::from_secs(seconds)),
        other => Err(format!("`every_s` is 1 to {EVERY_S_MAX}, not {other}")),
    }
}

fn settings(config: &SerialConfig) -> Result<LineSettings, String> {
    let default = LineSettings::default();
    let data_bits = config.data_bits.unwrap_or(default.data_bits);
    let stop_bits = config.stop_bits.unwrap_or(default.stop_bits);
    let baud = config.baud.unwrap_or(default.baud);
    if !(7..=8).contains(&data_bits) || !(1..=2).contains(&stop_bits) || !(50..=4_000_000).contains(&baud) {
        return Err("`baud` is 50 to 4000000, `data_bits` 7 or 8, `stop_bits` 1 or 2".to_owned());
    }
    Ok(LineSettings { baud, data_bits, parity: config.parity, stop_bits })
}

fn bearer(config: &HttpConfig) -> Result<Vec<(String, String)>, String> {
    let Some(path) = &config.bearer_file else { return Ok(Vec::new()) };
    let text = std::fs::read_to_string(path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    let token = text.trim();
    let is_token = !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic());
    if is_token {
        Ok(vec![("authorization".to_owned(), format!("Bearer {token}"))])
    } else {
        Err(format!("{} holds no token", path.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize)]
    struct Document {
        source: Vec<SourceConfig>,
    }

    fn open(toml: &str) -> Result<String, String> {
        let document: Document = toml::from_str(toml).map_err(|error| error.to_string())?;
        let config = &document.source[0];
        config
            .open(&["simulated devices".to_owned()], None)
            .map(|source| source.name())
            .map_err(|error| error.code().to_owned())
    }

    #[test]
    fn sources_are_made_of_what_is_configured() {
        let number = "map = { format = \"number\", field = [{ quantity = \"co2\" }] }";
        let cases = [
            (format!("kind = \"stdin\"\n{number}"), "stdin"),
            (format!("kind = \"file\"\npath = \"/var/log/air.csv\"\n{number}"), "file /var/log/air.csv"),
            (format!("kind = \"serial\"\npath = \"/dev/ttyUSB0\"\nbaud = 115200\nparity = \"even\"\n{number}"), "serial /dev/ttyUSB0"),
            (
                "kind = \"mqtt\"\nbroker.url = \"mqtt://localhost\"\ntopics = [\"zigbee2mqtt/garden\"]\nmap.preset = \"zigbee2mqtt\"".to_owned(),
                "mqtt zigbee2mqtt/garden",
            ),
            ("kind = \"http\"\nurl = \"http://station/data.json\"\nmap.preset = \"airrohr\"".to_owned(), "http station/data.json"),
            ("kind = \"machine\"".to_owned(), "machine"),
            ("kind = \"simulated\"\nseed = 7\nquantities = [\"pm10\"]".to_owned(), "simulated 7"),
        ];
        for (toml, name) in cases {
            assert_eq!(open(&format!("[[source]]\n{toml}")).as_deref(), Ok(name), "{toml}");
        }
    }

    #[test]
    fn nothing_is_made_up_where_that_is_not_declared() {
        let config: SourceConfig = toml::from_str("kind = \"simulated\"\nseed = 7\nquantities = [\"pm10\"]").unwrap();
        let refused = config.open(&["a rehearsal of something else".to_owned()], None);
        assert_eq!(refused.err().map(|error| error.code()), Some("EDGE-SIMULATED"));
    }

    #[test]
    fn what_cannot_be_a_source_is_refused_before_it_runs() {
        let preset = "map.preset = \"zigbee2mqtt\"";
        for (toml, code) in [
            (format!("kind = \"serial\"\npath = \"/dev/ttyUSB0\"\ndata_bits = 9\n{preset}"), "EDGE-SOURCE"),
            (format!("kind = \"mqtt\"\nbroker.url = \"broker\"\ntopics = [\"a\"]\n{preset}"), "EDGE-BROKER"),
            (format!("kind = \"mqtt\"\nbroker.url = \"mqtt://broker\"\ntopics = []\n{preset}"), "EDGE-SOURCE"),
            (format!("kind = \"http\"\nurl = \"station\"\n{preset}"), "EDGE-SOURCE"),
            (format!("kind = \"http\"\nurl = \"http://station\"\nevery_s = 0\n{preset}"), "EDGE-SOURCE"),
            (format!("kind = \"http\"\nurl = \"http://station\"\nbearer_file = \"/nothing\"\n{preset}"), "EDGE-SOURCE"),
            ("kind = \"stdin\"\nmap = { preset = \"none of ours\" }".to_owned(), "EDGE-MAPPING"),
        ] {
            assert_eq!(open(&format!("[[source]]\n{toml}")).unwrap_err(), code, "{toml}");
        }
        for unknown in ["kind = \"stdin\"\nmap = {}\ncolour = 1", "kind = \"telepathy\"", "map = {}"] {
            let error = open(&format!("[[source]]\n{unknown}")).unwrap_err();
            assert!(error.contains("unknown") || error.contains("missing"), "{unknown}: {error}");
        }
    }
}
