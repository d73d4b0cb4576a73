//! `cairn keygen`: make a key.

use std::path::PathBuf;

use cairn_core::DeviceId;
use serde::Serialize;

use crate::failure::Failure;
use crate::keys::{Algorithm, Key};
use crate::output::Output;

/// Arguments of `cairn keygen`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Where the key file goes; it must not exist.
    file: PathBuf,
    /// What the key is for: ed25519 and p256 for devices, secp256k1 for an account on an EVM chain.
    #[arg(long, value_enum, default_value = "ed25519")]
    algorithm: Algorithm,
}

#[derive(Debug, Serialize)]
struct Made {
    file: PathBuf,
    public: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    device: Option<String>,
}

/// Runs the command.
///
/// # Errors
/// When the file exists or cannot be written.
pub fn run(args: &Args, output: Output) -> Result<(), Failure> {
    let key = Key::generate(args.algorithm)?;
    let purpose = match args.algorithm {
        Algorithm::Secp256k1 => "an account",
        Algorithm::Ed25519 | Algorithm::P256 => "a device",
    };
    key.write(&args.file, purpose)?;
    let device = match &key {
        Key::Signing(key) => Some(DeviceId::of_key(&key.public().multicodec()).to_string()),
        Key::Wallet(_) => None,
    };
    let made = Made { file: args.file.clone(), public: key.public_name(), device };
    output.show(&made, |made| match &made.device {
        Some(device) => format!("{}\n  public  {}\n  device  {device}", made.file.display(), made.public),
        None => format!("{}\n  address {}", made.file.display(), made.public),
    })
}
