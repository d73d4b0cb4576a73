//! Another key for the same device.
//!
//! The next key is on disk before the network hears of it, and takes the former one's place once the network has said that it
//! holds. In between whoever starts the node asks which of the two holds: so a crash at any point costs neither key.

use std::path::{Path, PathBuf};

use cairn_client::Client;
use cairn_core::DeviceId;
use cairn_core::statement::{Body, Draft, Rotate};
use cairn_ledger::wall_ms;
use cairn_log::Disk;
use serde::Serialize;

use super::own_file;
use crate::command::node::setup::keep_text;
use crate::config::node::{NodeConfig, NodeFolder};
use crate::connect::network_id;
use crate::failure::Failure;
use crate::keys::{Algorithm, Key, wallet_from};
use crate::output::Output;
use crate::promises::PromiseFile;
use crate::submission::accepted_index;
use crate::work::countersign;

/// How long the statement stays valid: a day, by the network's time.
const EXPIRY_MS: u64 = 86_400_000;

/// Arguments of `cairn node key rotate`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The owner's wallet: a key file or a keystore [default: owner.key of the node's folder]
    #[arg(long, value_name = "FILE")]
    owner: Option<PathBuf>,
    /// The file with the keystore's password
    #[arg(long, value_name = "FILE")]
    owner_password_file: Option<PathBuf>,
    /// The node's folder
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

#[derive(Debug, Serialize)]
struct Rotated {
    device: String,
    /// The key that holds now, `did:key`.
    public: String,
    /// The entry that says so; absent where an earlier call was interrupted behind it.
    #[serde(skip_serializing_if = "Option::is_none")]
    index: Option<u64>,
    file: PathBuf,
    former: PathBuf,
}

/// Runs the command.
///
/// # Errors
/// `EDGE-LOCKED` while the node runs, `NET-KEY`, or the gateway's refusal.
pub fn run(args: &Args, output: Output) -> Result<(), Failure> {
    let folder = super::super::folder(args.dir.as_deref())?;
    let config = NodeConfig::read(&folder)?;
    let file = own_file(&folder, &config)?;
    let device = config.device(&folder)?.device;
    // A node that runs would go on signing with the former key, and be refused.
    let disk = super::super::disk(&folder.queue())?;
    let _lock = disk.lock_writer().map_err(|_| {
        Failure::wrong("EDGE-LOCKED", "the node is running").hint("stop it first: systemctl stop cairn-node")
    })?;
    let client = super::super::reach(&config)?;
    let info = client.network()?;
    let network = network_id(&info)?;
    let next = next_of(&file);
    let current = Key::read(&file)?.signing()?;
    let algorithm = match current {
        cairn_core::key::SecretKey::Ed25519(_) => Algorithm::Ed25519,
        cairn_core::key::SecretKey::P256(_) => Algorithm::P256,
    };
    keep_text(&next, &Key::generate(algorithm)?.text("a device"))?;
    let key = Key::read(&next)?.signing()?;
    let known = client.device(&device)?;
    let mut index = None;
    if known.key == current.public().did() {
        let owner = args.owner.clone().unwrap_or_else(|| folder.owner_key());
        let wallet = wallet_from(&owner, args.owner_password_file.as_deref())?;
        let expiry_ms = info.time_ms.max(wall_ms()).saturating_add(EXPIRY_MS);
        let body = Body::Rotate(Rotate { device, key: key.public() });
        let mut statement = Draft::of(Some(network), body, wall_ms(), expiry_ms).signed_by(&key).finish();
        countersign(&mut statement, &network, &wallet);
        let mut promises = PromiseFile::beside(&file, None)?;
        let submitted = client.submit_statement(&statement.encode())?;
        promises.keep(&submitted.response.promise)?;
        index = Some(accepted_index(&submitted)?);
    } else if known.key != key.public().did() {
        let what = format!("{device} signs with {} now, which is neither key of this folder", known.key);
        return Err(Failure::wrong("NET-KEY", what).hint("it was rotated elsewhere: restore a copy of that key"));
    }
    let former = swap(&file)?;
    let rotated = Rotated { device: device.to_string(), public: key.public().did(), index, file, former };
    output.show(&rotated, |Rotated { device, public, file, former, .. }| {
        format!("{device} signs with {public}\n  key     {}\n  former  {}", file.display(), former.display())
    })
}

/// Finishes a rotation that was interrupted: asks the network which key holds. Answers whether there was one.
///
/// # Errors
/// Those of the disk, and the gateway's while it cannot be told.
pub fn finish(
    folder: &NodeFolder,
    config: &NodeConfig,
    device: &DeviceId,
    reach: impl Fn() -> Result<Client, Failure>,
) -> Result<bool, Failure> {
    let Some(file) = config.key.file().map(|file| folder.at(file)) else { return Ok(false) };
    let next = next_of(&file);
    if !next.exists() {
        return Ok(false);
    }
    let key = Key::read(&next)?.signing()?;
    let known = reach()?.device(device)?;
    if known.key == key.public().did() {
        swap(&file)?;
        return Ok(true);
    }
    // The network never heard of it: a later rotation takes it up again.
    Ok(false)
}

fn next_of(file: &Path) -> PathBuf {
    with(file, "next")
}

fn with(file: &Path, what: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(format!(".{what}"));
    PathBuf::from(name)
}

/// Puts the next key in the place of the former one, in one step; where the former one is then.
fn swap(file: &Path) -> Result<PathBuf, Failure> {
    let failed = |error: std::io::Error| Failure::io("replace", file, &error);
    let former = (1..).map(|number: u32| with(file, &format!("former-{number}"))).find(|path| !path.exists());
    let former = former.ok_or_else(|| Failure::failed("NET-IO", "no name is left for the former key"))?;
    std::fs::hard_link(file, &former).map_err(failed)?;
    std::fs::rename(next_of(file), file).map_err(failed)?;
    let folder = file.parent().unwrap_or(Path::new("."));
    std::fs::File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)?;
    Ok(former)
}
