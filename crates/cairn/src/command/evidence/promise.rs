//! `cairn evidence promise`: a promise against what the log has, or against another promise.

use std::path::{Path, PathBuf};

use cairn_core::Hash;
use cairn_evidence::{Evidence, EvidenceError};
use cairn_merkle::Receipt;
use cairn_merkle::tree::leaf_hash;

use super::{Founding, read_bytes, read_text, write};
use crate::failure::Failure;
use crate::output::Output;
use crate::promises::read_promises;

/// Arguments of `cairn evidence promise`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The promise, or a file of promises that `cairn send` or `cairn enrol` has kept.
    #[arg(long, value_name = "FILE")]
    promise: PathBuf,
    /// The receipt of what the log has at the promised index, as `cairn proof INDEX --out FILE` writes it.
    #[arg(long, value_name = "FILE", required_unless_present = "second", conflicts_with = "second")]
    receipt: Option<PathBuf>,
    /// The entry that the receipt is of, as `cairn proof INDEX --entry FILE` writes it.
    #[arg(long, value_name = "FILE", required_unless_present_any = ["leaf", "second"])]
    entry: Option<PathBuf>,
    /// The leaf hash of that entry, instead of its bytes.
    #[arg(long, value_name = "HEX", conflicts_with = "entry")]
    leaf: Option<String>,
    /// Another promise or file of promises, that gives an index to another entry.
    #[arg(long, value_name = "FILE")]
    second: Option<PathBuf>,
    /// Write the proof into this file.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    #[command(flatten)]
    founding: Founding,
}

/// Makes the proof.
pub(super) fn run(args: &Args, output: Output) -> Result<(), Failure> {
    let notes = read_promises(&args.promise)?;
    let genesis = args.founding.read()?;
    let evidence = match (&args.second, &args.receipt) {
        (Some(second), _) => {
            let others = read_promises(second)?;
            let pairs = notes.iter().flat_map(|one| others.iter().map(move |other| (one, other)));
            first_proven(pairs.map(|(one, other)| Evidence::two_promises(&genesis, one, other)))?
        }
        (None, Some(receipt)) => {
            let receipt = read_receipt(receipt)?;
            let leaf = args.leaf()?;
            first_proven(notes.iter().map(|note| Evidence::broken_promise(&genesis, note, &receipt, leaf)))?
        }
        (None, None) => unreachable!("the parser asks for one of the two"),
    };
    write(&evidence, &args.out, output)
}

/// The first that proves something; else why the last did not, or the first that is not merely consistent.
fn first_proven(tried: impl Iterator<Item = Result<Evidence, EvidenceError>>) -> Result<Evidence, Failure> {
    let mut why: Option<EvidenceError> = None;
    for result in tried {
        match result {
            Ok(evidence) => return Ok(evidence),
            Err(error) if matches!(why, None | Some(EvidenceError::Consistent { .. })) => why = Some(error),
            Err(_) => {}
        }
    }
    Err(why.map_or_else(|| Failure::wrong("LOG-PROMISE", "there is no promise"), Failure::from))
}

/// Reads a receipt.
pub(super) fn read_receipt(path: &Path) -> Result<Receipt, Failure> {
    Ok(read_text(path, "LOG-RECEIPT")?.parse()?)
}

impl Args {
    fn leaf(&self) -> Result<Hash, Failure> {
        match (&self.leaf, &self.entry) {
            (Some(hex), _) => {
                Hash::from_hex(hex).ok_or_else(|| Failure::usage("LOG-LEAF", format!("`{hex}` is not 64 hex digits")))
            }
            (None, Some(path)) => Ok(leaf_hash(&read_bytes(path, 1 << 17)?)),
            (None, None) => unreachable!("the parser asks for one of the two"),
        }
    }
}
