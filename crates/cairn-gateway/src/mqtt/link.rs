//! The connection to the broker: what is delivered on it is taken, and acknowledged in the order of delivery.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use cairn_api::MessageResult;
use cairn_core::DeviceId;
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{Packet, Publish, SubscribeReasonCode};
use rumqttc::v5::{AsyncClient, Event, EventLoop};
use tokio::sync::{Mutex, OwnedSemaphorePermit, Semaphore, mpsc, watch};
use tokio::task::JoinHandle;

use super::intake::{Told, take};
use super::options::BrokerOptions;
use super::{Counts, one_more, topics};
use crate::front::Front;
use crate::problem::report_failure;

/// Between two tries to reach the broker,
const PAUSE_MIN: Duration = Duration::from_millis(100);
/// and at most.
const PAUSE_MAX: Duration = Duration::from_secs(30);
/// While there is no room to acknowledge.
const ROOM_PAUSE: Duration = Duration::from_millis(2);
/// How long what is under way may take when the gateway ends.
const LAST_WAIT: Duration = Duration::from_secs(5);

/// How often the connection broke. Who holds it can acknowledge on this connection, and on no other.
type Connection = Arc<Mutex<u64>>;

/// A message under way: what it was delivered as, on which connection, and what becomes of it.
struct UnderWay {
    publish: Publish,
    connection: u64,
    taken: JoinHandle<Option<Told>>,
}

struct Link {
    front: Arc<Front>,
    counts: Arc<Counts>,
    client: AsyncClient,
    connection: Connection,
    places: Arc<Semaphore>,
    ending: watch::Receiver<bool>,
    under_way: mpsc::UnboundedSender<UnderWay>,
    topic: String,
}

/// Takes what the broker delivers until the gateway ends.
pub(crate) async fn keep(
    front: Arc<Front>,
    counts: Arc<Counts>,
    options: BrokerOptions,
    mut ending: watch::Receiver<bool>,
) {
    let client = match options.client(front.network) {
        Ok(client) => client,
        Err(error) => return report_failure(&error),
    };
    let room = usize::from(options.in_flight_max.max(1));
    let (client, mut events) = AsyncClient::new(client, room.saturating_mul(4));
    let (under_way, taken) = mpsc::unbounded_channel();
    let mut link = Link {
        topic: topics::shared(&options.group, front.network),
        front,
        counts,
        client,
        connection: Connection::default(),
        // Beside those that the broker waits for, as many that it does not.
        places: Arc::new(Semaphore::new(room.saturating_mul(2).min(Semaphore::MAX_PERMITS))),
        ending: ending.clone(),
        under_way,
    };
    let acknowledging = tokio::spawn(acknowledge(link.acknowledging(), taken));
    let mut pause = PAUSE_MIN;
    loop {
        let event = tokio::select! {
            biased;
            _ = ending.wait_for(|ending| *ending) => break,
            event = events.poll() => event,
        };
        match event {
            Ok(Event::Incoming(packet)) => {
                pause = PAUSE_MIN;
                link.heard(packet).await;
            }
            Ok(Event::Outgoing(_)) => {}
            Err(error) => {
                link.broke(&mut events, &error).await;
                tokio::select! {
                    _ = ending.wait_for(|ending| *ending) => break,
                    () = tokio::time::sleep(pause) => pause = (pause * 2).min(PAUSE_MAX),
                }
            }
        }
    }
    link.finish(&mut events, acknowledging).await;
}

impl Link {
    fn acknowledging(&self) -> Acknowledging {
        Acknowledging {
            front: self.front.clone(),
            counts: self.counts.clone(),
            client: self.client.clone(),
            connection: self.connection.clone(),
        }
    }

    async fn heard(&mut self, packet: Packet) {
        match packet {
            Packet::ConnAck(_) => self.subscribe(),
            Packet::SubAck(answer) => {
                let taken = |code: &SubscribeReasonCode| matches!(code, SubscribeReasonCode::Success(_));
                let taken = answer.return_codes.iter().all(taken);
                self.counts.connected.store(taken, Ordering::Relaxed);
                if !taken {
                    report_failure(&format_args!("the broker refuses {}: {:?}", self.topic, answer.return_codes));
                }
            }
            Packet::Publish(publish) => self.take(publish).await,
            _ => {}
        }
    }

    fn subscribe(&self) {
        // There is room: the channel was emptied when the last connection broke.
        if self.client.try_subscribe(self.topic.clone(), QoS::AtLeastOnce).is_err() {
            report_failure(&"no room to ask the broker for reports");
        }
    }

    async fn take(&mut self, publish: Publish) {
        one_more(&self.counts.received);
        let Some(place) = self.place(publish.qos).await else { return one_more(&self.counts.dropped) };
        let (front, counts, mut ending) = (self.front.clone(), self.counts.clone(), self.ending.clone());
        let message = publish.payload.clone();
        let taken = tokio::spawn(async move {
            let _place = place;
            take(&front, &counts, &message, &mut ending).await
        });
        let connection = *self.connection.lock().await;
        // Nobody listens only after the end.
        drop(self.under_way.send(UnderWay { publish, connection, taken }));
    }

    /// A place among the messages that are not decided yet. A broker that delivers more than it was told waits for one, which
    /// needs nothing of this connection to become free; what need not be acknowledged gets none where none is free.
    async fn place(&self, qos: QoS) -> Option<OwnedSemaphorePermit> {
        let places = self.places.clone();
        match qos {
            QoS::AtMostOnce => places.try_acquire_owned().ok(),
            QoS::AtLeastOnce | QoS::ExactlyOnce => places.acquire_owned().await.ok(),
        }
    }

    /// What was not acknowledged on this connection is not acknowledged: the broker delivers it again.
    async fn broke(&mut self, events: &mut EventLoop, error: &dyn std::fmt::Display) {
        one_more(&self.counts.broken);
        if self.counts.connected.swap(false, Ordering::Relaxed) {
            report_failure(&format_args!("the connection to the broker broke: {error}"));
        }
        let mut connection = self.connection.lock().await;
        *connection += 1;
        // An acknowledgement may have come in since the client let go of its own.
        events.clean();
    }

    /// Lets what is under way finish, and takes nothing more.
    async fn finish(self, events: &mut EventLoop, acknowledging: JoinHandle<()>) {
        let Self { client, counts, under_way, .. } = self;
        drop(under_way);
        let polling = async {
            let mut acknowledging = acknowledging;
            loop {
                tokio::select! {
                    biased;
                    _ = &mut acknowledging => break,
                    event = events.poll() => if event.is_err() { break },
                }
            }
            if client.try_disconnect().is_ok() {
                // Until the goodbye is out, after all acknowledgements.
                while !matches!(events.poll().await, Ok(Event::Outgoing(rumqttc::Outgoing::Disconnect)) | Err(_)) {}
            }
        };
        drop(tokio::time::timeout(LAST_WAIT, polling).await);
        counts.connected.store(false, Ordering::Relaxed);
    }
}

struct Acknowledging {
    front: Arc<Front>,
    counts: Arc<Counts>,
    client: AsyncClient,
    connection: Connection,
}

/// Tells and acknowledges, message by message in the order of delivery, as MQTT has it.
async fn acknowledge(link: Acknowledging, mut under_way: mpsc::UnboundedReceiver<UnderWay>) {
    while let Some(UnderWay { publish, connection, taken }) = under_way.recv().await {
        // What was not decided, since the gateway ends or failed at it, is delivered again.
        let Ok(Some(told)) = taken.await else { continue };
        for (device, result) in &told {
            link.tell(*device, result);
        }
        link.acknowledge(&publish, connection).await;
    }
}

impl Acknowledging {
    fn tell(&self, device: Option<DeviceId>, result: &MessageResult) {
        let topic = topics::results(self.front.network, device);
        let body = serde_json::to_vec(result).expect("a result is strings and numbers");
        if self.client.try_publish(topic, QoS::AtMostOnce, false, body).is_err() {
            one_more(&self.counts.unsaid);
        }
    }

    async fn acknowledge(&self, publish: &Publish, delivered_on: u64) {
        if publish.qos == QoS::AtMostOnce {
            return;
        }
        loop {
            {
                let connection = self.connection.lock().await;
                if *connection != delivered_on {
                    return;
                }
                if self.client.try_ack(publish).is_ok() {
                    return one_more(&self.counts.acknowledged);
                }
            }
            tokio::time::sleep(ROOM_PAUSE).await;
        }
    }
}
