//! `cairn node approve`: the owner of an address lets a device join that was set up elsewhere.

use std::path::PathBuf;

use cairn_core::DeviceId;
use cairn_core::geo::Cell;
use cairn_core::statement::{Body, Signer, Statement};
use serde::Serialize;

use crate::connect::{Connect, network_id};
use crate::failure::Failure;
use crate::keys::wallet_from;
use crate::output::Output;
use crate::promises::PromiseFile;
use crate::submission::accepted_index;
use crate::work::countersign;

/// Arguments of `cairn node approve`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// What `cairn node setup` wrote: enrol.cbor
    file: PathBuf,
    /// The owner's wallet: a key file or a keystore
    #[arg(long, value_name = "FILE")]
    owner: PathBuf,
    /// The file with the keystore's password
    #[arg(long, value_name = "FILE")]
    owner_password_file: Option<PathBuf>,
    #[command(flatten)]
    connect: Connect,
}

#[derive(Debug, Serialize)]
struct Approved {
    device: String,
    owner: String,
    cell: String,
    index: u64,
    network_id: String,
    rehearsed: Vec<String>,
    promises: PathBuf,
}

/// Runs the command.
///
/// # Errors
/// `NODE-JOIN` for a file that is no device's word, `NET-KEY` for another owner's wallet, or the gateway's refusal.
pub fn run(args: &Args, output: Output) -> Result<(), Failure> {
    let wrong = |what: String| {
        Failure::wrong("NODE-JOIN", format!("{}: {what}", args.file.display()))
            .hint("take the file enrol.cbor that `cairn node setup` wrote on the device")
    };
    let bytes = std::fs::read(&args.file).map_err(|error| Failure::io("read", &args.file, &error))?;
    let mut statement = Statement::parse(&bytes).map_err(|error| wrong(error.to_string()))?;
    let Body::Enrol(enrol) = statement.body.clone() else { return Err(wrong("nobody joins by it".to_owned())) };
    let client = args.connect.client()?;
    let info = client.network()?;
    let network = network_id(&info)?;
    let is_signed = statement.is_signed_by(&Signer::Key(enrol.key)) && statement.signatures_hold(Some(&network));
    if !is_signed || statement.signed.len() != 1 {
        return Err(wrong(format!("the device did not sign it for {}", info.name)));
    }
    let wallet = wallet_from(&args.owner, args.owner_password_file.as_deref())?;
    if *enrol.owner.address() != wallet.address() {
        return Err(Failure::wrong("NET-KEY", format!("the device joins {}, which this wallet is not", enrol.owner))
            .hint("sign with that account's wallet, or set the device up again with --owner and this one"));
    }
    countersign(&mut statement, &network, &wallet);
    let mut promises = PromiseFile::beside(&args.file, None)?;
    let submitted = client.submit_statement(&statement.encode())?;
    promises.keep(&submitted.response.promise)?;
    let cell = Cell::of(enrol.cell).map_or_else(|| format!("{:x}", enrol.cell), |cell| cell.to_string());
    let approved = Approved {
        device: DeviceId::of_key(&enrol.key.multicodec()).to_string(),
        owner: enrol.owner.to_string(),
        cell,
        index: accepted_index(&submitted)?,
        network_id: info.network_id,
        rehearsed: info.rehearsed,
        promises: promises.path().to_owned(),
    };
    output.show(&approved, |Approved { device, owner, cell, index, .. }| {
        format!("{device} is enrolled by entry {index}\n  owner   {owner}\n  cell    {cell}")
    })
}
