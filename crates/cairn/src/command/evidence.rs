//! `cairn evidence`: portable proofs that somebody contradicted himself, checked offline and made from what one holds.
//!
//! Whatever is made here is checked before it is written: no file accuses anybody of what it does not prove.

use std::path::{Path, PathBuf};

use cairn_core::{Account, Hash, NetworkId};
use cairn_evidence::{EVIDENCE_BYTES_MAX, Evidence, Finding};
use clap::Subcommand;
use serde::Serialize;

use crate::failure::Failure;
use crate::output::Output;

mod conflict;
pub mod fork;
mod promise;
mod submit;

/// Arguments of `cairn evidence`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Check a proof, offline: who did what, or why it proves nothing.
    Check(CheckArgs),
    /// Make a proof of two reports that one device signed under one name.
    Conflict(conflict::Args),
    /// Make a proof of a promise and a receipt, or of two promises, that contradict each other.
    Promise(promise::Args),
    /// Make a proof of two checkpoints that no one log has.
    Fork(fork::ForkArgs),
    /// Make a proof of two receipts with different entries at one index.
    Receipts(fork::ReceiptsArgs),
    /// Submit the conflict that a proof holds to the network, where it stops the pay for that name.
    Submit(submit::Args),
}

/// Arguments of `cairn evidence check`.
#[derive(Debug, clap::Args)]
struct CheckArgs {
    /// The proof.
    file: PathBuf,
    /// The network's id: about which network it must be. Anybody can found one that nobody cares about.
    #[arg(long, value_name = "ID")]
    network: Option<String>,
}

/// Where a network's founding words are found.
#[derive(Debug, clap::Args)]
pub struct Founding {
    /// The network's genesis: entry 0, as `cairn proof 0 --entry FILE` writes it [default: entry 0 of --from]
    #[arg(long, value_name = "FILE")]
    genesis: Option<PathBuf>,
    /// Address of a gateway, or a folder that `cairn log export` has written [default: the environment's CAIRN_URL, or
    /// http://127.0.0.1:8640]
    #[arg(long, value_name = "URL|DIR")]
    from: Option<String>,
}

#[derive(Debug, Serialize)]
struct Guilty {
    role: &'static str,
    name: String,
    keys: Vec<String>,
}

/// What a proof shows, with `--json`.
#[derive(Debug, Serialize)]
struct Shown {
    proven: bool,
    kind: &'static str,
    network_id: String,
    /// Whether the network was named by the caller; absent of a proof that was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pinned: Option<bool>,
    sentence: String,
    guilty: Vec<Guilty>,
    on_word_of: Vec<String>,
    /// Where it was written, of one that was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    written: Option<PathBuf>,
}

/// Runs the command.
///
/// # Errors
/// When nothing is proven, with the reason; or a file or the network cannot be read.
pub fn run(args: &Args, output: Output) -> Result<(), Failure> {
    match &args.command {
        Command::Check(args) => check(args, output),
        Command::Conflict(args) => conflict::run(args, output),
        Command::Promise(args) => promise::run(args, output),
        Command::Fork(args) => fork::run(args, output),
        Command::Receipts(args) => fork::receipts(args, output),
        Command::Submit(args) => submit::run(args, output),
    }
}

fn check(args: &CheckArgs, output: Output) -> Result<(), Failure> {
    let pinned = args.network.as_deref().map(parse_network).transpose()?;
    let evidence = read_evidence(&args.file).map_err(disproved)?;
    let found = match &pinned {
        Some(network) => evidence.check_in(network),
        None => evidence.check(),
    };
    let found = found.map_err(|error| disproved(error.into()))?;
    show(&found, Some(pinned.is_some()), None, output)
}

/// A failure that says with `--json` that nothing is proven.
fn disproved(failure: Failure) -> Failure {
    failure.with_document(Some(serde_json::json!({ "proven": false })))
}

fn parse_network(text: &str) -> Result<NetworkId, Failure> {
    let id = Hash::from_hex(text).map(NetworkId);
    id.ok_or_else(|| Failure::usage("NET-ID", format!("`{text}` is not a network id: 64 hex digits")))
}

/// Reads a file of evidence, of bounded size.
fn read_evidence(path: &Path) -> Result<Evidence, Failure> {
    Ok(Evidence::decode(&read_bytes(path, EVIDENCE_BYTES_MAX as u64 + 1)?)?)
}

/// The first bytes of a file, as many as anything read here may have.
fn read_bytes(path: &Path, bytes_max: u64) -> Result<Vec<u8>, Failure> {
    use std::io::Read;
    let failed = |error| Failure::io("read", path, &error);
    let mut bytes = Vec::new();
    std::fs::File::open(path).map_err(failed)?.take(bytes_max).read_to_end(&mut bytes).map_err(failed)?;
    Ok(bytes)
}

/// Text from a file.
fn read_text(path: &Path, code: &str) -> Result<String, Failure> {
    let bytes = read_bytes(path, EVIDENCE_BYTES_MAX as u64)?;
    String::from_utf8(bytes).map_err(|_| Failure::wrong(code, format!("{} is not text", path.display())))
}

/// The genesis payload in a file: that, the statement around it, or entry 0.
///
/// # Errors
/// `EVD-GENESIS`, or that it cannot be read.
pub fn read_genesis(path: &Path) -> Result<Vec<u8>, Failure> {
    let bytes = read_bytes(path, 1 << 17)?;
    let none = || Failure::wrong("EVD-GENESIS", format!("{} holds no genesis", path.display()));
    crate::served::genesis_in(&bytes).ok_or_else(|| none().hint("entry 0 is one: cairn proof 0 --entry FILE"))
}

impl Founding {
    /// The genesis payload.
    fn read(&self) -> Result<Vec<u8>, Failure> {
        let Some(path) = &self.genesis else {
            let source = crate::served::source_named(self.from.as_deref())?;
            return crate::served::Served::by(&*source)?.genesis();
        };
        read_genesis(path)
    }
}

/// Writes evidence into a file that must not exist yet, and shows what it proves.
fn write(evidence: &Evidence, path: &Path, output: Output) -> Result<(), Failure> {
    use std::io::Write;
    let found = evidence.check()?;
    let mut file =
        std::fs::OpenOptions::new().write(true).create_new(true).open(path).map_err(|error| match error.kind() {
            std::io::ErrorKind::AlreadyExists => {
                Failure::wrong("EVD-EXISTS", format!("{} exists; proofs are never overwritten", path.display()))
            }
            _ => Failure::io("write", path, &error),
        })?;
    file.write_all(&evidence.encode())
        .and_then(|()| file.sync_all())
        .map_err(|error| Failure::io("write", path, &error))?;
    show(&found, None, Some(path), output)
}

/// Writes evidence into a folder, made if need be, under a name that tells kind and content; its path.
///
/// # Errors
/// When it cannot be written, or proves nothing.
pub fn keep(evidence: &Evidence, folder: &Path) -> Result<PathBuf, Failure> {
    evidence.check()?;
    std::fs::create_dir_all(folder).map_err(|error| Failure::io("make", folder, &error))?;
    let path = folder.join(evidence.file_name());
    std::fs::write(&path, evidence.encode()).map_err(|error| Failure::io("write", &path, &error))?;
    Ok(path)
}

fn show(found: &Finding, pinned: Option<bool>, written: Option<&Path>, output: Output) -> Result<(), Failure> {
    let guilty = found.guilty.iter();
    let shown = Shown {
        proven: true,
        kind: found.kind.word(),
        network_id: found.network.to_string(),
        pinned,
        sentence: found.sentence.clone(),
        guilty: guilty.map(|who| Guilty { role: who.role(), name: who.name(), keys: who.keys() }).collect(),
        on_word_of: found.on_word_of.iter().map(Account::to_string).collect(),
        written: written.map(Path::to_owned),
    };
    output.show(&shown, text)
}

fn text(shown: &Shown) -> String {
    let mut text = format!("proven: {}\n  network  {}\n", shown.sentence, shown.network_id);
    for Guilty { role, name, keys } in &shown.guilty {
        text.push_str(&format!(
            "  guilty   {role} {}, key {}\n",
            name.escape_default(),
            keys.join(" and ").escape_default()
        ));
    }
    for owner in &shown.on_word_of {
        text.push_str(&format!(
            "  by word  of {owner}, whose statement made the key the device's: the log tells whether\n"
        ));
        text.push_str("           the device was that owner's then\n");
    }
    if shown.pinned == Some(false) {
        text.push_str("  note     anybody can found a network; say with --network which one it must be\n");
    }
    if let Some(path) = &shown.written {
        text.push_str(&format!("written to {}\n", path.display()));
    }
    text
}
