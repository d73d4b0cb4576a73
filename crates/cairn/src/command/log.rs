//! `cairn log`: the log of a network's folder, exported as static files, checked from its first byte to its last, or
//! repaired as far as something else tells what was there.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use cairn_core::Hash;
use cairn_core::entry::{Entry, EntryKind};
use cairn_core::epoch::EpochStatement;
use cairn_core::statement::{Body, Statement};
use cairn_log::{LogError, LogReader, StdDisk};
use cairn_merkle::Checkpoint;
use cairn_merkle::note::Note;
use cairn_merkle::witness::parse_history;
use cairn_witness::{History, PAGE_NOTES_MAX};
use clap::Subcommand;
use serde::Serialize;

use crate::config::Folder;
use crate::failure::{Exit, Failure};
use crate::output::Output;
use crate::words::count;

/// The tables of an epoch that are exported.
const TABLES: [&str; 3] = ["statement.cbor", "verdicts.cborseq", "payouts.cborseq"];
/// What judges remember after an epoch: exported where that is something.
const SALES: &str = "sales.cborseq";
const CARRY: &str = "carry.cborseq";
const SNAPSHOT: &str = "snapshot.cbor";

/// Arguments of `cairn log`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Write the log under its last checkpoint as a static tlog-tiles tree, with the tables of its epochs beside it.
    Export(ExportArgs),
    /// Read every byte of the log and name the first thing that is wrong.
    Check(CheckArgs),
    /// Make again what follows from the entries of a stopped network's log: hashes, places, commit records.
    Repair(CheckArgs),
}

/// Arguments of `cairn log export`.
#[derive(Debug, clap::Args)]
struct ExportArgs {
    /// The network's folder.
    dir: PathBuf,
    /// Where the files go: an empty folder, or one with an earlier export of the same log.
    out: PathBuf,
    /// Export every snapshot that is kept, not only the last one.
    #[arg(long)]
    snapshots: bool,
}

/// Arguments of `cairn log check` and `cairn log repair`.
#[derive(Debug, clap::Args)]
struct CheckArgs {
    /// The network's folder.
    #[arg(default_value = ".")]
    dir: PathBuf,
}

#[derive(Debug, Serialize)]
struct Exported {
    out: PathBuf,
    origin: String,
    entries: u64,
    root: String,
    epochs: u64,
    policies: usize,
    /// Cosigned checkpoints of the history.
    witnessed: u64,
    /// The epochs whose snapshot was exported.
    snapshots: Vec<u64>,
}

/// What a check of a log found in order.
#[derive(Debug, Serialize)]
pub struct Sound {
    entries: u64,
    commits: u64,
    segments: u64,
    checkpoint_size: Option<u64>,
    root: String,
}

/// What was repaired, and the log as it is now.
#[derive(Debug, Serialize)]
struct Mended {
    /// Commit records that were broken or missing.
    commits: u64,
    /// Records of their copy that were.
    copied: u64,
    /// Entries hashed again.
    rehashed: u64,
    #[serde(flatten)]
    log: Sound,
}

/// Runs the command.
///
/// # Errors
/// When the folder holds no log, the log is damaged, or files cannot be written.
pub fn run(args: &Args, output: Output) -> Result<(), Failure> {
    match &args.command {
        Command::Export(args) => {
            let exported = export(args, output)?;
            output.show(&exported, |exported| {
                let Exported { out, origin, entries, epochs, .. } = exported;
                let (entries, epochs) = (count(*entries, "entry", "entries"), count(*epochs, "epoch", "epochs"));
                let out = out.display();
                format!("{entries} of {origin} and the tables of {epochs} are in {out}\n\nCheck it: cairn audit {out}")
            })
        }
        Command::Check(args) => {
            let sound = check(&Folder::at(&args.dir))?;
            output.show(&sound, text)
        }
        Command::Repair(args) => {
            let mended = repair(&Folder::at(&args.dir))?;
            output.show(&mended, |mended| {
                let Mended { commits, copied, rehashed, log } = mended;
                let commits = count(*commits, "commit record", "commit records");
                let copied = count(*copied, "of their copies", "of their copies");
                let rehashed = count(*rehashed, "entry", "entries");
                format!("mended {commits} and {copied}; hashed {rehashed} again\n{}", text(log))
            })
        }
    }
}

/// In words.
pub fn text(sound: &Sound) -> String {
    let Sound { entries, commits, segments, checkpoint_size, root } = sound;
    let (entries, commits) = (count(*entries, "entry", "entries"), count(*commits, "commit", "commits"));
    let segments = count(*segments, "segment", "segments");
    let checkpoint = match checkpoint_size {
        Some(size) => format!("the checkpoint over {size} holds"),
        None => "no checkpoint was published yet".to_owned(),
    };
    format!("the log is sound: {entries} in {commits} and {segments}; {checkpoint}\nroot {root}")
}

fn disk(folder: &Folder) -> Result<StdDisk, Failure> {
    let path = folder.log();
    if !path.is_dir() {
        let what = format!("{} holds no log", folder.root().display());
        return Err(Failure::usage("NET-NO-LOG", what).hint("`cairn up` begins one in a network's folder"));
    }
    StdDisk::create(&path).map_err(|error| Failure::io("open", &path, &error))
}

/// Checks the log of a folder.
///
/// # Errors
/// The first thing that is wrong.
pub fn check(folder: &Folder) -> Result<Sound, Failure> {
    Ok(Sound::of(&cairn_log::check(&disk(folder)?).map_err(wrong)?))
}

impl Sound {
    fn of(checked: &cairn_log::Checked) -> Self {
        Self {
            entries: checked.entries,
            commits: checked.commits,
            segments: checked.segments,
            checkpoint_size: checked.checkpoint_size,
            root: checked.root.to_hex(),
        }
    }
}

/// Repairs the log of a folder.
fn repair(folder: &Folder) -> Result<Mended, Failure> {
    let cairn_log::Repaired { commits, copied, rehashed, checked } =
        cairn_log::repair(std::sync::Arc::new(disk(folder)?)).map_err(wrong)?;
    Ok(Mended { commits, copied, rehashed, log: Sound::of(&checked) })
}

/// The log of a folder as of its last checkpoint.
///
/// # Errors
/// When there is none.
pub fn reader(folder: &Folder) -> Result<LogReader, Failure> {
    LogReader::open(&disk(folder)?).map_err(wrong)
}

/// A log that is not what it should be is what the command was asked about; a disk that fails is not.
fn wrong(error: LogError) -> Failure {
    let is_wrong = !matches!(error, LogError::Io { .. } | LogError::Locked);
    let failure = Failure::from(error);
    if is_wrong { Failure { exit: Exit::Wrong, ..failure } } else { failure }
}

fn export(args: &ExportArgs, output: Output) -> Result<Exported, Failure> {
    let folder = Folder::at(&args.dir);
    let reader = reader(&folder)?;
    let checkpoint = cairn_log::export(&reader, &args.out).map_err(wrong)?;
    let witnessed = export_witnessed(&folder, checkpoint.size(), &args.out)?;
    let policies = policies(&reader, checkpoint.size())?;
    let epochs = closed_epochs(&folder, checkpoint.size())?;
    let bar = output.progress("epochs", epochs.len() as u64);
    let mut snapshots = Vec::new();
    for (at, (number, statement)) in epochs.iter().enumerate() {
        let from = folder.views().join("epochs").join(format!("{number:010}"));
        let to = args.out.join("epochs").join(number.to_string());
        std::fs::create_dir_all(&to).map_err(|error| Failure::io("make", &to, &error))?;
        for table in TABLES {
            copy(&from.join(table), &to.join(table))?;
        }
        for table in [SALES, CARRY] {
            if std::fs::metadata(from.join(table)).is_ok_and(|file| file.len() > 0) {
                copy(&from.join(table), &to.join(table))?;
            }
        }
        if let Some(document) = policies.get(&statement.policy_hash) {
            let path = to.join("policy.toml");
            std::fs::write(&path, document).map_err(|error| Failure::io("write", &path, &error))?;
        }
        let is_wanted = args.snapshots || at + 1 == epochs.len();
        if is_wanted && from.join(SNAPSHOT).exists() {
            copy(&from.join(SNAPSHOT), &to.join(SNAPSHOT))?;
            snapshots.push(*number);
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(Exported {
        out: args.out.clone(),
        origin: checkpoint.origin().to_owned(),
        entries: checkpoint.size(),
        root: checkpoint.root().to_hex(),
        epochs: epochs.len() as u64,
        policies: policies.len(),
        witnessed,
        snapshots,
    })
}

/// Writes the history of cosigned checkpoints, if there is one, up to `size` entries; how many.
fn export_witnessed(folder: &Folder, size: u64, out: &Path) -> Result<u64, Failure> {
    if !folder.witnessed().is_dir() {
        return Ok(0);
    }
    let path = folder.witnessed();
    let disk = StdDisk::create(&path).map_err(|error| Failure::io("open", &path, &error))?;
    let history = History::open(std::sync::Arc::new(disk), cairn_gateway::WITNESSED_FILE, 0)?;
    let (mut text, mut taken, mut read) = (String::new(), 0, 0);
    loop {
        let page = parse_history(&history.page(read, PAGE_NOTES_MAX)?)?;
        if page.is_empty() {
            break;
        }
        read += page.len() as u64;
        // The network may have gone on while this was exported.
        let is_covered = |note: &&Note| note.text().parse().is_ok_and(|c: Checkpoint| c.size() <= size);
        for note in page.iter().filter(is_covered) {
            text.push_str(&note.to_string());
            taken += 1;
        }
    }
    let path = out.join("witnessed");
    std::fs::write(&path, text).map_err(|error| Failure::io("write", &path, &error))?;
    Ok(taken)
}

fn copy(from: &Path, to: &Path) -> Result<(), Failure> {
    std::fs::copy(from, to).map(drop).map_err(|error| {
        Failure::io("copy", from, &error).hint("views are derived: stop and start `cairn up` to make them again")
    })
}

/// The policy documents in the log, by hash. An epoch takes the one that its statement names, so that those which were
/// never in force are left aside.
fn policies(reader: &LogReader, size: u64) -> Result<BTreeMap<Hash, Vec<u8>>, Failure> {
    let mut policies = BTreeMap::new();
    for chunk in reader.entries(0..size) {
        for (_, bytes) in chunk.map_err(wrong)?.iter() {
            let statement = match Entry::decode(bytes) {
                Ok(entry) if entry.kind == EntryKind::Statement => Statement::parse(entry.body),
                _ => continue,
            };
            if let Ok(Statement { body: Body::Policy(policy), .. }) = statement {
                policies.insert(Hash::of(&policy.document), policy.document);
            }
        }
    }
    Ok(policies)
}

/// The epochs that an audit of the first `size` entries closes: those whose end is below that.
fn closed_epochs(folder: &Folder, size: u64) -> Result<Vec<(u64, EpochStatement)>, Failure> {
    let views = folder.views().join("epochs");
    let mut epochs = Vec::new();
    for number in 0.. {
        let path = views.join(format!("{number:010}")).join(TABLES[0]);
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => break,
            Err(error) => return Err(Failure::io("read", &path, &error)),
        };
        let statement = EpochStatement::decode(&bytes).map_err(|error| {
            Failure::wrong("NET-VIEW", format!("{}: {error}", path.display()))
                .hint("views are derived: delete the `views` folder and start `cairn up` again")
        })?;
        if statement.to >= size {
            break;
        }
        epochs.push((number, statement));
    }
    Ok(epochs)
}
