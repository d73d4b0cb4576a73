//! `cairn evidence fork` and `receipts`: two histories of one log.

use std::path::{Path, PathBuf};

use cairn_audit::Source;
use cairn_core::Hash;
use cairn_evidence::Evidence;
use cairn_merkle::note::Note;
use cairn_merkle::tree::leaf_hash;
use cairn_merkle::{Checkpoint, HashReader, NoteVerifier, Receipt};

use super::promise::read_receipt;
use super::{Founding, read_bytes, read_text, write};
use crate::failure::Failure;
use crate::output::Output;
use crate::served::{Served, is_address, source_named};

/// Arguments of `cairn evidence fork`.
#[derive(Debug, clap::Args)]
pub struct ForkArgs {
    /// One side: the address of a gateway, a folder that `cairn log export` has written, or a file with a checkpoint.
    #[arg(value_name = "URL|DIR|FILE")]
    one: String,
    /// The other. Of two sizes the larger side must be an address or a folder: its hashes are needed.
    #[arg(value_name = "URL|DIR|FILE")]
    other: String,
    /// Accuse the witness with this key, which cosigned both sides.
    #[arg(long, value_name = "VKEY")]
    witness: Option<String>,
    /// Write the proof into this file.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// The network's genesis: entry 0, as `cairn proof 0 --entry FILE` writes it [default: entry 0 of the larger side]
    #[arg(long, value_name = "FILE")]
    genesis: Option<PathBuf>,
}

/// Arguments of `cairn evidence receipts`.
#[derive(Debug, clap::Args)]
pub struct ReceiptsArgs {
    /// One receipt, as `cairn proof INDEX --out FILE` writes it.
    one: PathBuf,
    /// The entry that it is of.
    one_entry: PathBuf,
    /// The other receipt.
    other: PathBuf,
    /// The entry that that one is of.
    other_entry: PathBuf,
    /// Write the proof into this file.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    #[command(flatten)]
    founding: Founding,
}

/// A side: its checkpoint, and what serves its hashes, if anything does.
struct Side {
    note: String,
    size: u64,
    source: Option<Box<dyn Source>>,
}

impl Side {
    fn named(name: &str) -> Result<Self, Failure> {
        if is_address(name) || Path::new(name).is_dir() {
            let source = source_named(Some(name))?;
            let Served { note, size, .. } = Served::by(&*source)?;
            return Ok(Self { note, size, source: Some(source) });
        }
        let note = read_text(Path::new(name), "LOG-NOTE")?;
        let checkpoint: Checkpoint = note.parse::<Note>()?.text().parse()?;
        Ok(Self { note, size: checkpoint.size(), source: None })
    }

    fn served(&self) -> Result<Option<Served<'_>>, Failure> {
        self.source.as_deref().map(|source| Served::under(source, self.note.clone())).transpose()
    }
}

/// Hashes that are not to be had, nor needed where both sides have one size.
pub struct Unserved;

impl HashReader for Unserved {
    type Error = Failure;

    fn node(&self, _: u8, _: u64) -> Result<Hash, Failure> {
        Err(Failure::usage("EVD-HASHES", "the larger checkpoint's tree is needed, and the file holds none of it")
            .hint("give the address or folder that serves the log of the larger checkpoint"))
    }
}

/// Makes the proof.
pub(super) fn run(args: &ForkArgs, output: Output) -> Result<(), Failure> {
    let (one, other) = (Side::named(&args.one)?, Side::named(&args.other)?);
    let (larger, smaller) = if one.size >= other.size { (&one, &other) } else { (&other, &one) };
    let served = larger.served()?;
    let genesis = match (&args.genesis, &served, smaller.served()?) {
        (Some(_), ..) => Founding { genesis: args.genesis.clone(), from: None }.read()?,
        (None, Some(served), _) => served.genesis()?,
        (None, None, Some(served)) => served.genesis()?,
        (None, None, None) => {
            return Err(Failure::usage("EVD-GENESIS", "two files, and no genesis that names the log's key")
                .hint("name it with --genesis FILE: cairn proof 0 --entry FILE"));
        }
    };
    let witness = args.witness.as_ref().map(|vkey| vkey.parse::<NoteVerifier>()).transpose()?;
    let evidence = match &served {
        Some(served) => prove(&genesis, witness.as_ref(), &one.note, &other.note, &served.hashes())?,
        None => prove(&genesis, witness.as_ref(), &one.note, &other.note, &Unserved)?,
    };
    write(&evidence, &args.out, output)
}

fn prove<R: HashReader<Error = Failure>>(
    genesis: &[u8],
    witness: Option<&NoteVerifier>,
    one: &str,
    other: &str,
    hashes: &R,
) -> Result<Evidence, Failure> {
    match witness {
        Some(witness) => Evidence::equivocation(genesis, witness, one, other, hashes),
        None => Evidence::fork(genesis, one, other, hashes),
    }
}

/// Makes a proof of two receipts.
pub(super) fn receipts(args: &ReceiptsArgs, output: Output) -> Result<(), Failure> {
    let read = |receipt: &PathBuf, entry: &PathBuf| -> Result<(Receipt, Hash), Failure> {
        Ok((read_receipt(receipt)?, leaf_hash(&read_bytes(entry, 1 << 17)?)))
    };
    let (one, other) = (read(&args.one, &args.one_entry)?, read(&args.other, &args.other_entry)?);
    let genesis = args.founding.read()?;
    let evidence = Evidence::two_leaves(&genesis, (&one.0, one.1), (&other.0, other.1))?;
    write(&evidence, &args.out, output)
}
