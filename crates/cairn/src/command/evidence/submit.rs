//! `cairn evidence submit`: the conflict that a proof holds, said to the network.

use std::path::PathBuf;

use cairn_core::statement::{self, Body, Draft};
use cairn_evidence::Accusation;
use cairn_ledger::wall_ms;
use serde::Serialize;

use super::read_evidence;
use crate::connect::{Connect, network_id};
use crate::failure::Failure;
use crate::keys::Key;
use crate::output::Output;
use crate::promises::PromiseFile;
use crate::submission::accepted_index;

/// How long the statement may wait to be received: a day.
const EXPIRY_MS: u64 = 86_400_000;

/// Arguments of `cairn evidence submit`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The proof, of a conflict.
    file: PathBuf,
    /// Key file of whoever says it: anybody's, for the network believes the reports and not the sender.
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// Where the gateway's promise is kept [default: the key file with .promises]
    #[arg(long, value_name = "FILE")]
    promises: Option<PathBuf>,
    #[command(flatten)]
    connect: Connect,
}

#[derive(Debug, Serialize)]
struct Submitted {
    index: u64,
    network_id: String,
    sentence: String,
    promises: PathBuf,
}

/// Submits it, when it proves something of the gateway's own network.
pub(super) fn run(args: &Args, output: Output) -> Result<(), Failure> {
    let evidence = read_evidence(&args.file)?;
    let Accusation::Conflict(conflict) = &evidence.accusation else {
        let kind = evidence.accusation.kind().word();
        return Err(Failure::wrong("EVD-KIND", format!("a network takes conflicts; this is a proof of {kind}"))
            .hint("show it to whoever relies on the operator or the witness"));
    };
    let key = Key::read(&args.key)?;
    let client = args.connect.client()?;
    let network = client.network()?;
    let id = network_id(&network)?;
    let found = evidence.check_in(&id)?;
    let body = statement::Conflict { first: conflict.first.clone(), second: conflict.second.clone() };
    let expiry_ms = network.time_ms.max(wall_ms()).saturating_add(EXPIRY_MS);
    let draft = Draft::of(Some(id), Body::Conflict(body), wall_ms(), expiry_ms);
    let draft = match &key {
        Key::Signing(key) => draft.signed_by(key),
        Key::Wallet(wallet) => draft.signed_by_wallet(wallet),
    };
    let mut promises = PromiseFile::beside(&args.key, args.promises.as_deref())?;
    let submitted = client.submit_statement(&draft.finish().encode())?;
    promises.keep(&submitted.response.promise)?;
    let shown = Submitted {
        index: accepted_index(&submitted)?,
        network_id: network.network_id,
        sentence: found.sentence,
        promises: promises.path().to_owned(),
    };
    output.show(&shown, |shown| format!("logged as entry {}: {}", shown.index, shown.sentence))
}
