//! What only a gateway can tell a bridge: that it is one of the same network, that the bridge is enrolled as one under this key, and
//! that its devices are its owner's. Nothing is sent to a gateway before it has told so; it is asked again, and said.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use cairn_api::DeviceInfo;
use cairn_bridge::BridgeConfig;
use cairn_client::{Client, Retries};
use cairn_core::key::{PublicKey, SecretKey};
use cairn_core::{DeviceId, NetworkId};
use cairn_edge::Stop;
use cairn_edge::send::{Gateway, HttpGateway, Keys, Taken, Trouble};
use cairn_merkle::NoteVerifier;

use crate::command::node::Board;
use crate::connect::device_of_key;
use crate::failure::Failure;
use crate::keys::random;

/// Who says so.
const WHO: &str = "network";
/// The first and the longest wait between two looks.
const AGAIN_MS: core::ops::RangeInclusive<u64> = 1_000..=300_000;
/// What to do about a device that the network will not take the bridge's word for.
const DOUBTFUL_HINT: &str = "let the bridge's owner enrol it: `cairn bridge enrol`; or take it out of the table";
/// Devices of which it is said that the network will not take the bridge's word for them.
const DOUBTFUL_MAX: usize = 100;

/// What gateways are held to.
#[derive(Debug, Clone)]
pub struct Held {
    /// The bridge.
    pub device: DeviceId,
    /// The network.
    pub network: NetworkId,
    /// The bridge's key.
    key: PublicKey,
    /// The key of promises that is configured.
    promises: Option<NoteVerifier>,
}

impl Held {
    /// What a configuration says.
    ///
    /// # Errors
    /// `BRG-KEYS` for a key of promises that is none.
    pub fn of(config: &BridgeConfig, network: NetworkId, key: &SecretKey) -> Result<Self, Failure> {
        let parse = |text: &String| {
            text.trim_end().parse::<NoteVerifier>().map_err(|error| {
                Failure::wrong("BRG-KEYS", format!("`{}` is no key of promises: {error}", text.trim_end()))
                    .hint("ask the operator for it, and write it into bridge.toml as promise_vkey")
            })
        };
        let promises = config.promise_vkey.as_ref().map(parse).transpose()?;
        let device = DeviceId::of_key(&key.public().multicodec());
        Ok(Self { device, network, key: key.public(), promises })
    }
}

/// A gateway that is held to what the bridge knows.
pub struct Way {
    gateway: HttpGateway,
    client: Client,
    held: Held,
}

/// The gateways of a configuration.
///
/// # Errors
/// `NET-URL`.
pub fn ways(config: &BridgeConfig, held: &Held) -> Result<Vec<Way>, Failure> {
    let way = |url: &String| {
        let client = Client::patient(url, Retries { attempts: 1, ..Retries::default() })?;
        Ok(Way { gateway: HttpGateway::at(url, held.network)?, client, held: held.clone() })
    };
    config.gateways.iter().map(way).collect()
}

/// What keeps the bridge from sending.
fn waits(failure: Failure) -> Trouble {
    let Failure { code, message, hint, .. } = failure;
    Trouble { code, detail: format!("{message}; what comes in waits"), hint, wait_ms: None }
}

impl Way {
    /// What the network says of the bridge, if that is what it has to be.
    fn standing(&self) -> Result<DeviceInfo, Trouble> {
        let Held { device, key, .. } = &self.held;
        let known = device_of_key(&self.client, device, key, "enrol it: `cairn enrol --role bridge`").map_err(waits)?;
        if known.role != "bridge" {
            let what = format!("{device} is enrolled as a {}, not as a bridge", known.role);
            return Err(waits(Failure::wrong("BRG-ROLE", what).hint(
                "make another key, enrol it with `cairn enrol --role bridge`, and give it a folder of its own",
            )));
        }
        Ok(known)
    }

    /// The devices that the network will not take the bridge's word for, each with the reason.
    fn doubtful(&self, own: &DeviceInfo, subjects: &BTreeSet<DeviceId>) -> Result<BTreeMap<DeviceId, String>, Trouble> {
        let mut doubtful = BTreeMap::new();
        for subject in subjects {
            let why = match self.client.device(subject) {
                Ok(info) if info.owner != own.owner => {
                    format!("it is owned by {}, and the bridge by {}", info.owner, own.owner)
                }
                Ok(info) if info.retired_index.is_some() => "it is retired".to_owned(),
                Ok(_) => continue,
                Err(error) if error.is_not_found() => "it is not enrolled".to_owned(),
                Err(error) => return Err(error.into()),
            };
            doubtful.insert(*subject, why);
        }
        Ok(doubtful)
    }
}

impl Gateway for Way {
    fn name(&self) -> String {
        self.gateway.name()
    }

    fn keys(&mut self) -> Result<Keys, Trouble> {
        let keys = self.gateway.keys().map_err(|trouble| match trouble.code.as_str() {
            "EDGE-NETWORK" => {
                let what = format!("{}, and the bridge is of {}", trouble.detail, self.held.network);
                waits(Failure::wrong(trouble.code, what).hint("look at `network` and `gateways` in bridge.toml"))
            }
            _ => trouble,
        })?;
        match &self.held.promises {
            Some(believed) if believed.to_string() != keys.promises.to_string() => {
                let (name, named) = (self.name(), &keys.promises);
                let what = format!("{name} names {named} as the key of promises, and {believed} is believed");
                Err(waits(Failure::wrong("BRG-KEYS", what).hint(
                    "look at `gateways` in bridge.toml; if the operator says that the key has changed, write that one there \
                     as promise_vkey",
                )))
            }
            _ => Ok(keys),
        }
    }

    fn boot_told(&mut self, _: DeviceId) -> Result<Option<u32>, Trouble> {
        Ok(self.standing()?.last_name.map(|(boot, _)| boot))
    }

    fn submit(&mut self, reports: &[Vec<u8>]) -> Result<Taken, Trouble> {
        self.gateway.submit(reports)
    }

    fn proof(&mut self, index: u64) -> Result<Option<String>, Trouble> {
        self.gateway.proof(index)
    }

    fn entry(&mut self, index: u64) -> Result<Option<Vec<u8>>, Trouble> {
        self.gateway.entry(index)
    }
}

/// Asks until a gateway has told what it has to, and nothing is wrong with any device; says what is wrong until then.
pub fn look(mut ways: Vec<Way>, mut subjects: BTreeSet<DeviceId>, board: &Board, stop: &Stop) {
    let (mut wait_ms, mut told, mut doubted) = (*AGAIN_MS.start(), None::<Trouble>, BTreeSet::new());
    loop {
        match ask(&mut ways, &subjects) {
            Ok(doubtful) => {
                board.over(WHO, None);
                told = None;
                subjects.retain(|subject| doubtful.contains_key(subject));
                subjects.iter().filter(|subject| !doubted.contains(*subject)).take(DOUBTFUL_MAX).for_each(|subject| {
                    let detail = format!("reports of it will be refused: {}", doubtful[subject]);
                    board.wrong(&subject.to_string(), "BRG-SUBJECT", &detail, Some(DOUBTFUL_HINT));
                });
                doubted.iter().filter(|subject| !subjects.contains(*subject)).for_each(|subject: &DeviceId| {
                    board.over(&subject.to_string(), None);
                });
                doubted.clone_from(&subjects);
                if subjects.is_empty() {
                    return;
                }
                wait_ms = *AGAIN_MS.end();
            }
            Err(trouble) if told.as_ref() == Some(&trouble) => {}
            Err(trouble) => {
                if told.is_some_and(|told| told.code != trouble.code) {
                    board.over(WHO, None);
                }
                board.wrong(WHO, &trouble.code, &trouble.detail, trouble.hint.as_deref());
                told = Some(trouble);
            }
        }
        // Bridges that lost one gateway do not come back to it at once.
        let jitter = random::<2>().map_or(0, |bytes| u64::from(u16::from_le_bytes(bytes)) * wait_ms / 65_536);
        if stop.wait(Duration::from_millis(wait_ms / 2 + jitter / 2)) {
            return;
        }
        wait_ms = (wait_ms * 2).min(*AGAIN_MS.end());
    }
}

/// Asks the gateways one after the other; what is wrong with the first of them counts if all of them are of no use.
fn ask(ways: &mut [Way], subjects: &BTreeSet<DeviceId>) -> Result<BTreeMap<DeviceId, String>, Trouble> {
    let mut first = None;
    for way in ways {
        let asked = way.keys().and_then(|_| way.standing()).and_then(|own| way.doubtful(&own, subjects));
        match asked {
            Ok(doubtful) => return Ok(doubtful),
            Err(trouble) => first = first.or(Some(trouble)),
        }
    }
    Err(first.unwrap_or_else(|| Trouble::of("BRG-CONFIG", "`gateways` names none")))
}
