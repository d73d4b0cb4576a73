//! `cairn node key`: a copy of the device's key elsewhere, and another key instead of it.

use std::path::{Path, PathBuf};

use cairn_chain::Keystore;
use cairn_chain::keystore::{Cost, RANDOM_BYTES};
use cairn_core::DeviceId;
use cairn_core::key::SecretKey;
use clap::Subcommand;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::setup::keep_text;
use crate::config::node::{NodeConfig, NodeFolder};
use crate::failure::Failure;
use crate::keys::{Key, password, random};
use crate::output::Output;

mod rotate;

pub use rotate::finish as finish_rotation;

/// Arguments of `cairn node key`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Write a copy of the device's key, sealed under a password (in the form of a keystore).
    Backup(BackupArgs),
    /// Take a copy as the device's key, in a folder that has none.
    Restore(RestoreArgs),
    /// Make another key, and have the owner tell the network: the device stays the same. The node must not run meanwhile.
    ///
    /// Reports that wait are signed with the next key when they are sent. The former key stays beside it.
    Rotate(rotate::Args),
}

#[derive(Debug, clap::Args)]
struct BackupArgs {
    /// Where the copy goes; it must not exist
    file: PathBuf,
    /// The node's folder
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// A file with the password, which its owner alone can read
    #[arg(long, value_name = "FILE", required_unless_present = "plain")]
    password_file: Option<PathBuf>,
    /// Memory that opening it takes: 2 to this power, in KiB
    #[arg(long, value_name = "N", default_value_t = 17, value_parser = clap::value_parser!(u8).range(10..=19))]
    cost: u8,
    /// Write it without a password: whoever has the copy is the device
    #[arg(long, conflicts_with = "password_file")]
    plain: bool,
}

#[derive(Debug, clap::Args)]
struct RestoreArgs {
    /// The copy
    file: PathBuf,
    /// The node's folder
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// The file with the password
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
}

#[derive(Debug, Serialize)]
struct Copied {
    file: PathBuf,
    public: String,
    device: String,
    sealed: bool,
}

/// What a sealed copy says beside the sealed secret.
#[derive(Debug, Serialize, Deserialize)]
struct Said {
    /// `ed25519` or `p256`.
    algorithm: String,
    /// The public half, `did:key`.
    public: String,
    /// The device.
    device: String,
}

/// Runs the command.
///
/// # Errors
/// Those of the subcommands.
pub fn run(args: &Args, output: Output) -> Result<(), Failure> {
    match &args.command {
        Command::Backup(args) => backup(args, output),
        Command::Restore(args) => restore(args, output),
        Command::Rotate(args) => rotate::run(args, output),
    }
}

/// The key file of ours that a configuration names.
fn own_file(folder: &NodeFolder, config: &NodeConfig) -> Result<PathBuf, Failure> {
    let elsewhere = || {
        Failure::usage("NODE-KEY", "the key is not in a key file of this folder")
            .hint("copy or replace it with the tools that made it")
    };
    config.key.file().map(|file| folder.at(file)).ok_or_else(elsewhere)
}

fn backup(args: &BackupArgs, output: Output) -> Result<(), Failure> {
    let folder = super::folder(args.dir.as_deref())?;
    let config = NodeConfig::read(&folder)?;
    let device = config.device(&folder)?.device;
    let key = Key::read(&own_file(&folder, &config)?)?;
    let secret = key.clone().signing()?;
    let text = match &args.password_file {
        Some(file) => sealed(&secret, &device, &password(file)?, args.cost)?,
        None => key.text(&format!("a copy of that of {device}")),
    };
    if !keep_text(&args.file, &text)? {
        let what = format!("{} exists; keys are never overwritten", args.file.display());
        return Err(Failure::wrong("NET-KEY-EXISTS", what).hint("choose another file"));
    }
    if args.plain {
        output.say("warning: whoever has this copy is the device; keep it where nobody else comes");
    }
    show(output, &args.file, &secret, &device, !args.plain)
}

fn show(output: Output, file: &Path, key: &SecretKey, device: &DeviceId, sealed: bool) -> Result<(), Failure> {
    let copied = Copied { file: file.to_owned(), public: key.public().did(), device: device.to_string(), sealed };
    output.show(&copied, |Copied { file, public, device, .. }| {
        format!("{}\n  public  {public}\n  device  {device}", file.display())
    })
}

fn sealed(key: &SecretKey, device: &DeviceId, password: &str, log_n: u8) -> Result<String, Failure> {
    let secret = Zeroizing::new(key.secret_bytes());
    let json = Keystore::seal_secret(&secret, password, Cost { log_n }, &random::<RANDOM_BYTES>()?)?;
    let algorithm = match key {
        SecretKey::Ed25519(_) => "ed25519",
        SecretKey::P256(_) => "p256",
    };
    let said = Said { algorithm: algorithm.to_owned(), public: key.public().did(), device: device.to_string() };
    let failed = |error: serde_json::Error| Failure::failed("NET-JSON", error);
    let mut document: serde_json::Value = serde_json::from_str(&json).map_err(failed)?;
    document["cairn"] = serde_json::to_value(&said).map_err(failed)?;
    Ok(format!("{document:#}\n"))
}

/// Opens a copy; the key and whose it says that it is.
fn opened(text: &str, password: Option<&str>, path: &Path) -> Result<(SecretKey, Option<String>), Failure> {
    let wrong = |what: &str| Failure::wrong("NET-KEY", format!("{}: {what}", path.display()));
    if !text.trim_start().starts_with('{') {
        return Ok((Key::parse(text).map_err(wrong)?.signing()?, None));
    }
    let document: serde_json::Value = serde_json::from_str(text).map_err(|_| wrong("it is no copy of a key"))?;
    let said: Said = serde_json::from_value(document["cairn"].clone())
        .map_err(|_| wrong("it is not the copy of a device's key").hint("is it a wallet? that is no device's key"))?;
    let password = password.ok_or_else(|| {
        Failure::usage("STL-PASSWORD", "the copy is sealed, and no password is given")
            .hint("name the file that holds it: --password-file FILE")
    })?;
    let secret = Keystore::open_secret(text, password)?;
    let key = match said.algorithm.as_str() {
        "ed25519" => Some(SecretKey::ed25519(*secret)),
        "p256" => SecretKey::p256(*secret),
        _ => None,
    };
    let key = key.filter(|key| key.public().did() == said.public);
    Ok((key.ok_or_else(|| wrong("it holds another key than it says"))?, Some(said.device)))
}

fn restore(args: &RestoreArgs, output: Output) -> Result<(), Failure> {
    let folder = super::folder(args.dir.as_deref())?;
    let text = std::fs::read_to_string(&args.file)
        .map(Zeroizing::new)
        .map_err(|error| Failure::io("read", &args.file, &error))?;
    let password = args.password_file.as_deref().map(password).transpose()?;
    let (key, said) = opened(&text, password.as_deref().map(String::as_str), &args.file)?;
    let device = match &said {
        Some(text) => DeviceId::parse(text).map_err(|error| Failure::wrong("NET-DEVICE", error))?,
        None => DeviceId::of_key(&key.public().multicodec()),
    };
    super::setup::make_folder(folder.root())?;
    let path = folder.device_key();
    if !keep_text(&path, &Key::Signing(key.clone()).text("a device"))? {
        let what = format!("{} exists; keys are never overwritten", path.display());
        return Err(Failure::wrong("NET-KEY-EXISTS", what).hint("take another folder: --dir DIR"));
    }
    output.say(
        "note: the names that the device gave are not in the copy; the network is asked for them at the next start",
    );
    show(output, &path, &key, &device, false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sealed_copy_opens_with_its_password_alone_and_is_the_key() {
        for key in [SecretKey::ed25519([7; 32]), SecretKey::p256([9; 32]).unwrap()] {
            let device = DeviceId([3; 16]);
            let text = sealed(&key, &device, "word", 10).unwrap();
            let path = Path::new("copy");
            let (read, said) = opened(&text, Some("word"), path).unwrap();
            assert_eq!((read.public().did(), said), (key.public().did(), Some(device.to_string())));
            assert_eq!(opened(&text, Some("other"), path).unwrap_err().code, "STL-PASSWORD");
            assert_eq!(opened(&text, None, path).unwrap_err().code, "STL-PASSWORD");
            let other = text.replace(&key.public().did(), &SecretKey::ed25519([8; 32]).public().did());
            assert_eq!(opened(&other, Some("word"), path).unwrap_err().code, "NET-KEY");
            let hex: String = key.secret_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
            assert!(!text.contains(&hex));
        }
        assert_eq!(opened("{}", Some("word"), Path::new("copy")).unwrap_err().code, "NET-KEY");
    }
}
