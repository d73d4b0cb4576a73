//! Topics of an MQTT broker: what Zigbee2MQTT, Home Assistant, Tasmota and others publish.
//!
//! A message that the broker kept (retained) is old, so it is no reading, unless it says when it was measured. For the same
//! reason the broker keeps messages for this client while it is away only where they say their time and the client has a name.

use rumqttc::{Event, Packet, Publish, QoS, SubscribeReasonCode};

use std::time::Duration;

use super::feed::{About, Backoff, Feed, UNREAD};
use crate::broker::{Broker, BrokerError, Heard, Link};
use crate::map::Mapping;
use crate::{Ended, Raw, Source, SourceTrouble, Stop};

/// The longest wait between two attempts to connect.
const PATIENCE: Duration = Duration::from_secs(60);

/// Messages of some topics.
pub struct MqttSource {
    topics: Vec<String>,
    mapping: Mapping,
    keeps: bool,
    link: Link,
}

impl MqttSource {
    /// Subscribes to `topics` (with `+` and `#`), and reads what comes by `mapping`.
    ///
    /// # Errors
    /// [`BrokerError`].
    pub fn of(broker: &Broker, topics: Vec<String>, mapping: Mapping) -> Result<Self, BrokerError> {
        let keeps = mapping.says_time() && broker.client_id.is_some();
        let link = Link::to(broker.options(keeps)?, None)?;
        Ok(Self { topics, mapping, keeps, link })
    }

    /// Answers `false` when it was asked to stop.
    fn hear(&mut self, event: Event, feed: &mut Feed<'_>) -> bool {
        match event {
            Event::Incoming(Packet::ConnAck(_)) => {
                self.link.keep_session(self.keeps);
                for topic in &self.topics {
                    // With room for each, since nothing else is asked of a fresh connection.
                    let _ = self.link.client.try_subscribe(topic, QoS::AtLeastOnce);
                }
                true
            }
            Event::Incoming(Packet::SubAck(ack)) => {
                if ack.return_codes.contains(&SubscribeReasonCode::Failure) {
                    feed.fails(About::Way, UNREAD, "the broker refuses a topic");
                } else {
                    feed.works(About::Way);
                }
                true
            }
            Event::Incoming(Packet::Publish(message)) => self.take(&message, feed),
            _ => true,
        }
    }

    fn take(&mut self, message: &Publish, feed: &mut Feed<'_>) -> bool {
        let is_old = message.retain && !self.mapping.says_time();
        if !is_old && !feed.take(&self.mapping, &message.payload, None) {
            return false;
        }
        // One that is not acknowledged comes again with the session.
        let _ = self.link.client.try_ack(message);
        true
    }
}

impl Source for MqttSource {
    fn name(&self) -> String {
        format!("mqtt {}", self.topics.join(" "))
    }

    fn run(mut self: Box<Self>, out: &dyn Fn(Raw) -> bool, trouble: &dyn Fn(SourceTrouble), stop: &Stop) -> Ended {
        let mut feed = Feed::new(out, trouble, stop);
        let mut backoff = Backoff::up_to(PATIENCE);
        while !stop.is_set() {
            match self.link.listen(stop) {
                Heard::Event(event) => {
                    if matches!(event, Event::Incoming(_)) {
                        backoff.reset();
                    }
                    if !self.hear(event, &mut feed) {
                        break;
                    }
                }
                Heard::Lost(detail) => {
                    // A message that is too large would come again with the session for ever.
                    if detail.to_ascii_lowercase().contains("payload size") {
                        self.link.forget_session();
                    }
                    feed.fails(About::Way, UNREAD, format!("the broker: {detail}"));
                    let _ = stop.wait(backoff.next());
                }
                Heard::Stopped => break,
            }
        }
        Ended::Stopped
    }
}
