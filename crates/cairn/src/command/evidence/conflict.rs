//! `cairn evidence conflict`: two reports of one device under one name.

use std::path::PathBuf;

use cairn_core::DeviceId;
use cairn_core::entry::{Entry, EntryKind};
use cairn_core::key::PublicKey;
use cairn_core::report::Report;
use cairn_evidence::{Evidence, EvidenceError, chain_of};

use super::{Founding, read_bytes, write};
use crate::failure::Failure;
use crate::output::Output;
use crate::served::{Served, source_named};

/// Arguments of `cairn evidence conflict`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// One signed report, or the entry that holds it.
    one: PathBuf,
    /// The other.
    other: PathBuf,
    /// Write the proof into this file.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// The device's first key, did:key, if both are signed with it [default: what the log of --from says of the device]
    #[arg(long, value_name = "DID")]
    key: Option<String>,
    /// A statement about the device's owner or key, or the entry that holds it; in the order of the log. Instead of reading
    /// the log of --from.
    #[arg(long = "statement", value_name = "FILE", conflicts_with = "key")]
    statements: Vec<PathBuf>,
    #[command(flatten)]
    founding: Founding,
}

/// Makes the proof.
pub(super) fn run(args: &Args, output: Output) -> Result<(), Failure> {
    let one = body_of(read_bytes(&args.one, ENTRY_BYTES_MAX)?, EntryKind::Report);
    let other = body_of(read_bytes(&args.other, ENTRY_BYTES_MAX)?, EntryKind::Report);
    let genesis = args.founding.read()?;
    let device = Report::parse(&one)
        .map(|report| report.device())
        .map_err(|error| Failure::wrong(error.code(), format!("{} is no report: {error}", args.one.display())))?;
    let (key, chain) = args.keys(&genesis, device, output)?;
    let evidence = Evidence::conflict(&genesis, &key, &chain, &one, &other)?;
    write(&evidence, &args.out, output)
}

/// The most bytes of a file with an entry.
const ENTRY_BYTES_MAX: u64 = 1 << 17;

/// What an entry of a kind holds; any other bytes are what they are.
fn body_of(bytes: Vec<u8>, kind: EntryKind) -> Vec<u8> {
    match Entry::decode(&bytes) {
        Ok(entry) if entry.kind == kind => entry.body.to_vec(),
        _ => bytes,
    }
}

impl Args {
    /// The device's first key, and the statements since.
    fn keys(&self, genesis: &[u8], device: DeviceId, output: Output) -> Result<(PublicKey, Vec<Vec<u8>>), Failure> {
        if let Some(did) = &self.key {
            let key = PublicKey::parse_did(did).map_err(|error| Failure::usage("NET-KEY", error))?;
            return Ok((key, Vec::new()));
        }
        let statements = if self.statements.is_empty() {
            output.say(format!("reading the log for what was said of the owners and keys of {device}"));
            let source = source_named(self.founding.from.as_deref())?;
            Served::by(&*source)?.statements_about(device)?
        } else {
            let read = |path: &PathBuf| Ok(body_of(read_bytes(path, ENTRY_BYTES_MAX)?, EntryKind::Statement));
            self.statements.iter().map(read).collect::<Result<_, Failure>>()?
        };
        chain_of(genesis, device, &statements).map_err(|error: EvidenceError| error.into())
    }
}
