//! `[mqtt]` of `network.toml`: the broker that devices publish their reports at.

use std::path::{Path, PathBuf};

use cairn_gateway::BrokerOptions;
use serde::Deserialize;

use crate::failure::Failure;

/// The port of MQTT without, and with TLS.
const PORTS: (u16, u16) = (1_883, 8_883);

/// The operator's broker.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MqttConfig {
    /// `mqtt://host:1883`, or `mqtts://host:8883` for TLS.
    broker: String,
    /// PEM file of the authorities that certify the broker; needed for TLS.
    authority: Option<PathBuf>,
    /// As whom the gateway connects.
    user: Option<String>,
    /// The file whose first line is the password.
    password_file: Option<PathBuf>,
    /// The client's name at the broker; left out, it follows from the network's id.
    client_id: Option<String>,
    /// The group of gateways that share the messages; empty for a gateway that has all of them.
    #[serde(default = "group")]
    group: String,
    /// Messages that are taken at once.
    #[serde(default = "in_flight")]
    in_flight: u16,
}

fn group() -> String {
    "cairn".to_owned()
}

const fn in_flight() -> u16 {
    256
}

fn wrong(what: impl Into<String>) -> Failure {
    Failure::wrong("NET-CONFIG", format!("[mqtt]: {}", what.into()))
        .hint("such as broker = \"mqtt://127.0.0.1:1883\"; the operator's guide has all of it")
}

impl MqttConfig {
    /// Whether it says something, and nothing that cannot be meant; no file is read.
    ///
    /// # Errors
    /// `NET-CONFIG`.
    pub fn check(&self) -> Result<(), Failure> {
        self.address().map(drop)
    }

    /// What the gateway is started with; files are beside `network.toml`, in the folder at `root`.
    ///
    /// # Errors
    /// `NET-CONFIG`, and `NET-IO` where the password cannot be read.
    pub fn options(&self, root: &Path) -> Result<BrokerOptions, Failure> {
        let (host, port) = self.address()?;
        let password = |file: &PathBuf| password(&root.join(file));
        let password = self.password_file.as_ref().map(password).transpose()?.unwrap_or_default();
        Ok(BrokerOptions {
            host,
            port,
            authority: self.authority.as_ref().map(|file| root.join(file)),
            login: self.user.clone().map(|user| (user, password)),
            client_id: self.client_id.clone(),
            group: self.group.clone(),
            in_flight_max: self.in_flight,
        })
    }

    /// The broker's host and port, if everything else can be meant too.
    fn address(&self) -> Result<(String, u16), Failure> {
        let (host, port, is_tls) =
            address(&self.broker).ok_or_else(|| wrong(format!("`{}` is no address of a broker", self.broker)))?;
        if is_tls != self.authority.is_some() {
            return Err(wrong("mqtts:// goes with `authority`, and mqtt:// without"));
        }
        let is_name =
            |name: &str| !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
        if !(self.group.is_empty() || is_name(&self.group))
            || self.client_id.as_deref().is_some_and(|id| !is_name(id) || id.len() > 64)
        {
            return Err(wrong("group and client_id are letters, digits, `-`, `_` and `.`"));
        }
        if self.in_flight == 0 {
            return Err(wrong("in_flight is at least 1"));
        }
        if self.password_file.is_some() && self.user.is_none() {
            return Err(wrong("password_file goes with `user`"));
        }
        Ok((host, port))
    }
}

fn password(file: &Path) -> Result<String, Failure> {
    let text = std::fs::read_to_string(file).map_err(|error| Failure::io("read", file, &error))?;
    Ok(text.lines().next().unwrap_or_default().to_owned())
}

/// Host, port, and whether it is TLS.
fn address(text: &str) -> Option<(String, u16, bool)> {
    let (rest, is_tls) = match text.split_once("://")? {
        ("mqtt", rest) => (rest, false),
        ("mqtts", rest) => (rest, true),
        _ => return None,
    };
    let default = if is_tls { PORTS.1 } else { PORTS.0 };
    // An address of IPv6 stands in brackets.
    let (host, port) = match rest.strip_prefix('[') {
        Some(rest) => {
            let (host, after) = rest.split_once(']')?;
            (format!("[{host}]"), after.strip_prefix(':').or(after.is_empty().then_some("")))
        }
        None => match rest.split_once(':') {
            Some((host, port)) => (host.to_owned(), Some(port)),
            None => (rest.to_owned(), Some("")),
        },
    };
    let port = match port? {
        "" if rest.ends_with(':') => return None,
        "" => default,
        digits => digits.parse().ok().filter(|port| *port > 0)?,
    };
    let is_host = !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.:[]".contains(&byte));
    is_host.then_some((host, port, is_tls))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize)]
    struct Shown {
        mqtt: Option<MqttConfig>,
    }

    fn options(text: &str) -> Result<String, String> {
        let read: Shown = toml::from_str(text).map_err(|error| error.to_string())?;
        let config = read.mqtt.ok_or("nothing")?;
        config.options(Path::new("/net")).map(|options| format!("{options:?}")).map_err(|failure| failure.code)
    }

    #[test]
    fn brokers_have_addresses() {
        for (text, expected) in [
            ("mqtt://127.0.0.1", Some(("127.0.0.1", 1_883, false))),
            ("mqtts://broker.example", Some(("broker.example", 8_883, true))),
            ("mqtt://broker:11883", Some(("broker", 11_883, false))),
            ("mqtt://[::1]:1884", Some(("[::1]", 1_884, false))),
            ("mqtt://[::1]", Some(("[::1]", 1_883, false))),
            ("mqtt://", None),
            ("mqtt://a:", None),
            ("mqtt://a:0", None),
            ("mqtt://a:70000", None),
            ("mqtt://a/b", None),
            ("http://a", None),
            ("a:1883", None),
        ] {
            let expected = expected.map(|(host, port, is_tls)| (host.to_owned(), port, is_tls));
            assert_eq!(address(text), expected, "{text}");
        }
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        for text in [
            "broker = \"mqtts://a\"",
            "broker = \"mqtt://a\"\nauthority = \"ca.pem\"",
            "broker = \"mqtt://a\"\ngroup = \"a/+\"",
            "broker = \"mqtt://a\"\nin_flight = 0",
            "broker = \"mqtt://a\"\npassword_file = \"p\"",
        ] {
            assert_eq!(options(&format!("[mqtt]\n{text}")), Err("NET-CONFIG".to_owned()), "{text}");
        }
        assert!(options("[mqtt]\nbrokers = 1").is_err());
    }

    #[test]
    fn the_operators_guide_shows_every_value_with_its_default() {
        let guide = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/guides/operator.md");
        let guide = std::fs::read_to_string(guide).unwrap();
        let block = guide.split("```toml\n").find(|block| block.starts_with("[mqtt]")).unwrap();
        let block = block.split("```").next().unwrap();
        let least = "[mqtt]\nbroker = \"mqtt://127.0.0.1:1883\"";
        assert_eq!(options(block), options(least));
        // The others have no default.
        assert_eq!(block.lines().filter(|line| line.contains(" = ")).count(), 7);
    }
}
