//! Sending beside measuring: the sender of a node, and what it tells.

use std::sync::Arc;

use cairn_edge::Clock;
use cairn_edge::send::{Gateway, HttpGateway, Refusal, SendEvent, SendOptions, Sender, Sending, SharedQueue};

use super::board::{Board, Event};
use super::disks::Disks;
use crate::config::node::{DeviceKey, NodeConfig, NodeFolder};
use crate::failure::Failure;
use crate::keys::random;

/// What is wrong on this side is told under this name.
const OWN: &str = "sending";

/// The sender of a node.
///
/// # Errors
/// Those of the disk, and keys that are not those that were believed before.
pub fn sender(
    (folder, disks): (&NodeFolder, &Disks),
    config: &NodeConfig,
    key: &DeviceKey,
    queue: &SharedQueue,
    clock: Arc<dyn Clock>,
    board: &Arc<Board>,
) -> Result<Sender, Failure> {
    let network = config.network();
    let gateway = |url: &String| -> Result<Box<dyn Gateway>, Failure> { Ok(Box::new(HttpGateway::at(url, network)?)) };
    let gateways = config.gateways.iter().map(gateway).collect::<Result<_, _>>()?;
    let own = Arc::clone(board);
    let sending = Sending {
        queue: Arc::clone(queue),
        disk: disks.at(&folder.receipts())?,
        signer: Arc::clone(&key.signer),
        device: key.device,
        network,
        gateways,
        clock,
        events: Box::new(move |event| tell(&own, event)),
    };
    let options = SendOptions {
        keys: config.keys()?,
        seed: u64::from_le_bytes(random()?),
        keep_bytes_max: config.receipts_bytes(),
        upgrade_after_ms: config.receipts_after_ms(),
        ..config.refused.options()
    };
    Ok(Sender::open(sending, options)?)
}

/// Tells what happens while sending.
pub fn tell(board: &Board, event: &SendEvent) {
    let who = |gateway: &Option<String>| gateway.clone().unwrap_or_else(|| OWN.to_owned());
    match event {
        SendEvent::Sent { gateway, promised, waiting } => {
            board.tell(&Event::Sent { gateway: gateway.clone(), promised: *promised, waiting: *waiting });
        }
        SendEvent::Doubted { gateway, count, code, detail } => {
            let (code, detail) = (code.clone(), detail.clone());
            board.tell(&Event::Doubted { gateway: gateway.clone(), count: *count, code, detail });
        }
        SendEvent::Refused(refusal) => {
            let Refusal { code, detail, gateways, .. } = refusal.clone();
            board.tell(&Event::Refused { code, detail, gateways });
        }
        SendEvent::Again { count } => board.tell(&Event::Again { count: *count }),
        SendEvent::Trouble { gateway, trouble } => {
            board.wrong(&who(gateway), &trouble.code, &trouble.detail, trouble.hint.as_deref());
        }
        SendEvent::Over { gateway } => board.over(&who(gateway), None),
        SendEvent::AgedOut { receipts, promises, refused } => {
            board.tell(&Event::AgedOut { receipts: *receipts, promises: *promises, refused: *refused });
        }
        SendEvent::Broken(broken) => board.tell(&Event::Broken { index: broken.report.index }),
    }
}
