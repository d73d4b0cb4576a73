//! A device on the household's broker: Home Assistant finds it by itself, and shows when it last reported, what waits, its score,
//! what it earned, and whether something is wrong. Alerts go the same way.
//!
//! Topics: `homeassistant/…/config` (retained, see Home Assistant's MQTT discovery), and below `cairn/<device>/` `status` (retained
//! JSON), `availability` (retained `online` or `offline`, also said by the broker when this process dies) and `alert` (JSON).
//! Nothing is read from the broker. What cannot be sent is not waited for: a status is overtaken by the next one, and of
//! alerts the last [`ALERTS_MAX`] wait.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use cairn_core::DeviceId;
use rumqttc::{AsyncClient, Event, LastWill, Packet, QoS};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::Stop;
use crate::broker::{Broker, BrokerError, Heard, Link};
use crate::map::format_time;

/// Where Home Assistant looks unless it was told otherwise.
pub const PREFIX: &str = "homeassistant";
/// The most alerts that wait for the broker.
pub const ALERTS_MAX: usize = 64;
/// The wait between two attempts to connect.
const AGAIN: Duration = Duration::from_secs(10);
/// How long the last words may take.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// What is shown of a device.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StatusReport {
    /// When the measured time of its last promised report was, ms since 1970 UTC.
    pub last_report_ms: Option<u64>,
    /// Reports that wait to be sent.
    pub queued: u64,
    /// Its score in the last closed epoch, parts per million.
    pub score_ppm: Option<u32>,
    /// What the last closed epoch paid.
    pub earned: Option<Earned>,
    /// What is wrong, in words; `None` when nothing is.
    pub problem: Option<String>,
}

/// What an epoch paid a device's payee.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Earned {
    /// The epoch.
    pub epoch: u64,
    /// How much, as an exact decimal in tokens.
    pub amount: String,
    /// The token's symbol.
    pub symbol: String,
}

/// Something that a contributor asked to be told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlertMessage {
    /// The stable code.
    pub code: String,
    /// In words.
    pub detail: String,
    /// Whether it is over.
    pub is_over: bool,
    /// When it was noticed, ms since 1970 UTC, if that is known.
    pub at_ms: Option<u64>,
}

/// A message to the broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Its topic.
    pub topic: String,
    /// Its payload.
    pub payload: String,
    /// Whether the broker keeps it for whoever subscribes later.
    pub is_retained: bool,
}

/// Who a device is to Home Assistant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HomeDevice {
    /// The device.
    pub device: DeviceId,
    /// What people call it.
    pub name: String,
    /// Its page, if there is one.
    pub page: Option<String>,
    /// The symbol of the token that it earns.
    pub symbol: String,
}

impl HomeDevice {
    fn topic(&self, what: &str) -> String {
        format!("cairn/{}/{what}", self.device)
    }

    /// The messages by which Home Assistant finds the device, retained.
    #[must_use]
    pub fn discovery(&self, prefix: &str) -> Vec<Message> {
        let id = self.device.to_string();
        let version = env!("CARGO_PKG_VERSION");
        let mut device = json!({
            "identifiers": [format!("cairn_{id}")], "name": self.name, "manufacturer": "Cairn", "model": "node", "sw_version": version,
        });
        if let Some(page) = &self.page {
            device["configuration_url"] = json!(page);
        }
        let symbol = &self.symbol;
        let entities = [
            ("sensor", "last_report", json!({ "name": "Last report", "device_class": "timestamp" })),
            (
                "sensor",
                "queued",
                json!({ "name": "Reports waiting", "state_class": "measurement", "icon": "mdi:tray-full" }),
            ),
            ("sensor", "score", json!({ "name": "Score", "state_class": "measurement", "unit_of_measurement": "%" })),
            (
                "sensor",
                "earned",
                json!({ "name": "Earned in the last epoch", "state_class": "measurement", "unit_of_measurement": symbol, "icon": "mdi:hand-coin" }),
            ),
            ("binary_sensor", "problem", json!({ "name": "Problem", "device_class": "problem" })),
        ];
        let message = |(kind, key, own): (&str, &str, serde_json::Value)| {
            let mut config = own;
            config["unique_id"] = json!(format!("cairn_{id}_{key}"));
            config["state_topic"] = json!(self.topic("status"));
            config["value_template"] = json!(format!("{{{{ value_json.{key} }}}}"));
            config["json_attributes_topic"] = json!(self.topic("status"));
            config["availability_topic"] = json!(self.topic("availability"));
            config["entity_category"] = json!("diagnostic");
            config["device"] = device.clone();
            config["origin"] = json!({ "name": "cairn", "sw_version": version });
            Message {
                topic: format!("{prefix}/{kind}/cairn_{id}/{key}/config"),
                payload: config.to_string(),
                is_retained: true,
            }
        };
        entities.into_iter().map(message).collect()
    }

    /// The state of everything that was announced, retained. What is not known is `None`, which Home Assistant shows as unknown.
    #[must_use]
    pub fn status(&self, status: &StatusReport) -> Message {
        let payload = json!({
            "last_report": status.last_report_ms.map(format_time),
            "queued": status.queued,
            "score": status.score_ppm.map(percent),
            "earned": status.earned.as_ref().map(|earned| &earned.amount),
            "symbol": status.earned.as_ref().map(|earned| &earned.symbol),
            "epoch": status.earned.as_ref().map(|earned| earned.epoch),
            "problem": if status.problem.is_some() { "ON" } else { "OFF" },
            "problem_text": status.problem,
        });
        Message { topic: self.topic("status"), payload: payload.to_string(), is_retained: true }
    }

    /// An alert, which nobody keeps.
    #[must_use]
    pub fn alert(&self, alert: &AlertMessage) -> Message {
        let payload = serde_json::to_string(alert).unwrap_or_default();
        Message { topic: self.topic("alert"), payload, is_retained: false }
    }

    fn availability(&self, is_online: bool) -> Message {
        let payload = if is_online { "online" } else { "offline" };
        Message { topic: self.topic("availability"), payload: payload.to_owned(), is_retained: true }
    }
}

/// Parts per million as per cent, every place shown: 985,000 is `98.5000`.
fn percent(ppm: u32) -> String {
    format!("{}.{:04}", ppm / 10_000, ppm % 10_000)
}

/// What waits for the broker.
#[derive(Default)]
struct Waiting {
    is_connected: bool,
    status: Option<Message>,
    alerts: VecDeque<Message>,
}

/// Keeps a device on the household's broker, on a thread of its own.
pub struct Home {
    device: HomeDevice,
    client: AsyncClient,
    waiting: Arc<Mutex<Waiting>>,
    stop: Stop,
    thread: Option<JoinHandle<()>>,
}

impl Home {
    /// Connects, and goes on connecting; `trouble` is told in words why it cannot, once each time it is lost.
    ///
    /// # Errors
    /// [`BrokerError`] for a broker that can never be one.
    pub fn start(
        broker: &Broker,
        prefix: &str,
        device: HomeDevice,
        trouble: impl Fn(&str) + Send + 'static,
    ) -> Result<Self, BrokerError> {
        let mut options = broker.options(false)?;
        options.set_manual_acks(false);
        let last = device.availability(false);
        let will = LastWill::new(last.topic, last.payload, QoS::AtLeastOnce, true);
        let link = Link::to(options, Some(will))?;
        let (client, waiting, stop) = (link.client.clone(), Arc::new(Mutex::new(Waiting::default())), Stop::default());
        let mut greeting = device.discovery(prefix);
        greeting.push(device.availability(true));
        let last = device.availability(false);
        let (own, own_stop) = (waiting.clone(), stop.clone());
        let run = move || keep(link, &greeting, &last, &own, &own_stop, &trouble);
        let thread = std::thread::Builder::new().name("home".to_owned()).spawn(run);
        let thread = thread.map_err(|error| BrokerError { what: format!("no thread for it: {error}") })?;
        Ok(Self { device, client, waiting, stop, thread: Some(thread) })
    }

    /// Shows a status.
    pub fn show(&self, status: &StatusReport) {
        let message = self.device.status(status);
        let mut waiting = lock(&self.waiting);
        if waiting.is_connected {
            send(&self.client, &message);
        }
        waiting.status = Some(message);
    }

    /// Tells an alert, now or when the broker is there again.
    pub fn alert(&self, alert: &AlertMessage) {
        let message = self.device.alert(alert);
        let mut waiting = lock(&self.waiting);
        if waiting.is_connected && send(&self.client, &message) {
            return;
        }
        if waiting.alerts.len() == ALERTS_MAX {
            waiting.alerts.pop_front();
        }
        waiting.alerts.push_back(message);
    }
}

impl Drop for Home {
    /// Says that the device is away, if the broker hears it in time.
    fn drop(&mut self) {
        self.stop.set();
        if let Some(thread) = self.thread.take() {
            // One that panicked has said so already.
            let _ = thread.join();
        }
    }
}

fn lock(waiting: &Mutex<Waiting>) -> MutexGuard<'_, Waiting> {
    waiting.lock().unwrap_or_else(PoisonError::into_inner)
}

fn send(client: &AsyncClient, message: &Message) -> bool {
    client.try_publish(&message.topic, QoS::AtLeastOnce, message.is_retained, message.payload.clone()).is_ok()
}

fn keep(
    mut link: Link,
    greeting: &[Message],
    last: &Message,
    waiting: &Mutex<Waiting>,
    stop: &Stop,
    trouble: &impl Fn(&str),
) {
    let mut is_said = false;
    while !stop.is_set() {
        match link.listen(stop) {
            Heard::Event(Event::Incoming(Packet::ConnAck(_))) => {
                is_said = false;
                greet(&link.client, greeting, waiting);
            }
            Heard::Event(_) => {}
            Heard::Lost(detail) => {
                lock(waiting).is_connected = false;
                if !core::mem::replace(&mut is_said, true) {
                    trouble(&detail);
                }
                let _ = stop.wait(AGAIN);
            }
            Heard::Stopped => break,
        }
    }
    if core::mem::take(&mut lock(waiting).is_connected) {
        send(&link.client, last);
        let _ = link.client.try_disconnect();
        link.drain(LAST_WORDS);
    }
}

fn greet(client: &AsyncClient, greeting: &[Message], waiting: &Mutex<Waiting>) {
    let mut waiting = lock(waiting);
    waiting.is_connected = true;
    for message in greeting.iter().chain(&waiting.status) {
        send(client, message);
    }
    while let Some(alert) = waiting.alerts.pop_front() {
        if !send(client, &alert) {
            waiting.alerts.push_front(alert);
            break;
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn device() -> HomeDevice {
        HomeDevice {
            device: DeviceId([7; 16]),
            name: "Garden \"<b>\"".to_owned(),
            page: Some("https://gateway/devices/dev1".to_owned()),
            symbol: "CRN".to_owned(),
        }
    }

    fn json(message: &Message) -> Value {
        serde_json::from_str(&message.payload).unwrap()
    }

    #[test]
    fn every_entity_that_is_announced_finds_its_value_in_the_status() {
        let earned = Earned { epoch: 12, amount: "1.25".to_owned(), symbol: "CRN".to_owned() };
        let status = StatusReport {
            last_report_ms: Some(1_700_000_000_000),
            queued: 3,
            score_ppm: Some(985_000),
            earned: Some(earned),
            problem: Some("no gateway answers".to_owned()),
        };
        let (device, mut shown) = (device(), Vec::new());
        let state = device.status(&status);
        for config in device.discovery(PREFIX) {
            assert!(
                config.is_retained && config.topic.starts_with("homeassistant/") && config.topic.ends_with("/config")
            );
            let config = json(&config);
            assert_eq!(config["state_topic"], state.topic.as_str());
            assert_eq!(config["device"]["name"], "Garden \"<b>\"");
            let template = config["value_template"].as_str().unwrap();
            let key = template.strip_prefix("{{ value_json.").unwrap().strip_suffix(" }}").unwrap();
            shown.push(json(&state)[key].clone());
        }
        assert_eq!(
            shown,
            ["2023-11-14T22:13:20.000Z".into(), Value::from(3), "98.5000".into(), "1.25".into(), "ON".into()]
        );
    }

    #[test]
    fn what_is_not_known_is_null_and_no_problem_is_none() {
        let state = json(&device().status(&StatusReport::default()));
        for key in ["last_report", "score", "earned", "epoch", "problem_text"] {
            assert!(state[key].is_null(), "{key}");
        }
        assert_eq!((state["problem"].as_str(), state["queued"].as_u64()), (Some("OFF"), Some(0)));
    }

    #[test]
    fn topics_hold_no_sign_that_means_something_to_a_broker() {
        let alert = AlertMessage { code: "EDGE-CLOCK".into(), detail: "+/#".into(), is_over: false, at_ms: None };
        let all = device().discovery(PREFIX).into_iter().chain([device().alert(&alert), device().availability(true)]);
        for message in all {
            assert!(!message.topic.contains(['+', '#', '\0', ' ']), "{}", message.topic);
        }
    }
}
