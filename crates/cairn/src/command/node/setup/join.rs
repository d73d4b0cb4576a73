//! The device joins its owner: at once where the owner's wallet is here, else by a file that the owner signs elsewhere.

use std::path::{Path, PathBuf};
use std::time::Duration;

use cairn_api::{DeviceInfo, NetworkInfo};
use cairn_client::Client;
use cairn_core::statement::{Body, Draft, Enrol, Mobility, Role};
use cairn_ledger::wall_ms;
use serde::Serialize;

use super::owner::Owner;
use super::place::Standing;
use super::{absolute, keep_text};
use crate::config::node::{DeviceKey, KeyConfig, NodeConfig, NodeFolder};
use crate::connect::network_id;
use crate::failure::Failure;
use crate::keys::{Algorithm, Key};
use crate::promises::PromiseFile;
use crate::submission::accepted_index;
use crate::work::countersign;

/// How long the statement stays valid: a day where it is said at once.
const EXPIRY_MS: u64 = 86_400_000;
/// And a month where the owner signs elsewhere.
const ELSEWHERE_MS: u64 = 30 * EXPIRY_MS;

/// What is said of a device that joins.
#[derive(Debug)]
pub struct Asked {
    pub owner: Owner,
    pub place: Standing,
    pub model: String,
}

/// How the device stands with the network.
#[derive(Debug, Serialize)]
pub struct Joined {
    /// The owner, CAIP-10.
    pub owner: String,
    cell: String,
    /// The entry that enrolled it; absent while the owner has not signed.
    enrolled_index: Option<u64>,
    /// Whether it was enrolled before this was said.
    was_enrolled: bool,
    /// What the owner is to sign.
    #[serde(skip_serializing_if = "Option::is_none")]
    awaiting: Option<PathBuf>,
}

impl Joined {
    /// The file that the owner is to sign.
    #[must_use]
    pub fn awaiting(&self) -> Option<&Path> {
        self.awaiting.as_deref()
    }

    /// In words.
    #[must_use]
    pub fn standing(&self) -> String {
        let Self { cell, .. } = self;
        match (self.enrolled_index, self.was_enrolled) {
            (Some(index), true) => format!("was enrolled by entry {index}, in cell {cell}"),
            (Some(index), false) => format!("enrolled by entry {index}, in cell {cell}"),
            (None, _) => format!("not enrolled: the owner has to sign; cell {cell}"),
        }
    }

    /// What is worth saying beside.
    #[must_use]
    pub fn note(&self) -> Option<&'static str> {
        self.awaiting
            .is_some()
            .then_some("note: what is measured before the owner has let the device join does not count")
    }
}

/// How long a device that has just joined does not measure: gateways tell the time to a second or two, and what is dated before the
/// device joined is refused.
const SETTLING: Duration = Duration::from_secs(4);

/// The device's key: the configuration's, a PKCS#8 file's, or the folder's own, which is made where there is none.
///
/// # Errors
/// `NET-KEY`, `NET-RANDOM`, and those of the disk.
pub fn device_key(
    pem: Option<&Path>,
    before: Option<&NodeConfig>,
    folder: &NodeFolder,
) -> Result<(Option<PathBuf>, DeviceKey), Failure> {
    if let Some(config) = before {
        return Ok((None, config.device(folder)?));
    }
    if let Some(pem) = pem {
        let pem = absolute(pem);
        let key = KeyConfig::of_pem(&pem).open(folder)?;
        return Ok((Some(pem), key));
    }
    keep_text(&folder.device_key(), &Key::generate(Algorithm::Ed25519)?.text("a device"))?;
    Ok((None, KeyConfig::default().open(folder)?))
}

/// What the network knows of the device, if it does; it must sign with this key.
///
/// # Errors
/// `NET-KEY`, `NODE-ROLE`, or the gateway's.
pub fn known(client: &Client, key: &DeviceKey) -> Result<Option<DeviceInfo>, Failure> {
    let known = match client.device(&key.device) {
        Ok(known) => known,
        Err(error) if error.is_not_found() => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    if known.key != key.signer.public().did() {
        let what = format!("{} signs with {} now", key.device, known.key);
        return Err(Failure::wrong("NET-KEY", what).hint("use the device's current key, or another folder"));
    }
    if known.role != "device" {
        let what = format!("{} is enrolled as a {}, which does not measure", key.device, known.role);
        return Err(Failure::wrong("NODE-ROLE", what).hint("take another key: another folder makes one"));
    }
    Ok(Some(known))
}

/// Enrols the device, unless that was done.
///
/// # Errors
/// The gateway's refusal, or those of the disk.
pub fn join(
    client: &Client,
    info: &NetworkInfo,
    key: &DeviceKey,
    folder: &NodeFolder,
    known: Option<DeviceInfo>,
    asked: Option<Asked>,
) -> Result<Joined, Failure> {
    let Some(asked) = asked else {
        let known = known.ok_or_else(|| Failure::failed("NET-ANSWER", "the device is neither known nor described"))?;
        let (owner, cell, index) = (known.owner, known.cell, Some(known.enrolled_index));
        return Ok(Joined { owner, cell, enrolled_index: index, was_enrolled: true, awaiting: None });
    };
    let Asked { owner, place, model } = asked;
    let enrol = Enrol {
        key: key.signer.public(),
        owner: owner.account.clone(),
        role: Role::Device,
        classes: vec![cairn_classes::sensing::SCHEMA.to_owned()],
        model,
        mobility: Mobility::Fixed,
        cell: place.cell.index(),
        exact: place.exact.map(|position| (position.lat_e7, position.lon_e7)),
        altitude_cm: place.altitude_cm,
    };
    let network = network_id(info)?;
    let lasts_ms = if owner.wallet.is_some() { EXPIRY_MS } else { ELSEWHERE_MS };
    let expiry_ms = info.time_ms.max(wall_ms()).saturating_add(lasts_ms);
    let mut statement = Draft::of(Some(network), Body::Enrol(enrol), wall_ms(), expiry_ms).finish();
    let signed = key.sign(&mut statement, &network);
    signed.map_err(|error| Failure::failed(error.code(), &error))?;
    let (owned_by, cell) = (owner.account.to_string(), place.cell.to_string());
    let Some(wallet) = owner.wallet else {
        let path = folder.joining();
        super::secret::replace_bytes(&path, &statement.encode())?;
        let awaiting = Some(absolute(&path));
        return Ok(Joined { owner: owned_by, cell, enrolled_index: None, was_enrolled: false, awaiting });
    };
    countersign(&mut statement, &network, &wallet);
    let mut promises = PromiseFile::beside(&folder.device_key(), None)?;
    let submitted = client.submit_statement(&statement.encode())?;
    promises.keep(&submitted.response.promise)?;
    let index = Some(accepted_index(&submitted)?);
    super::replace_text(&folder.joined(), &format!("{}\n", client.network()?.time_ms))?;
    std::thread::sleep(SETTLING);
    Ok(Joined { owner: owned_by, cell, enrolled_index: index, was_enrolled: false, awaiting: None })
}
