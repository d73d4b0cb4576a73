//! `cairn ledger`: everything that is derived from the log, checked or made again.

use std::path::PathBuf;
use std::sync::Arc;

use cairn_ledger::{Difference, LedgerOptions, Rebuilt, check_views, rebuild_views};
use cairn_log::{Log, LogOptions, StdDisk};
use clap::Subcommand;
use serde::Serialize;

use crate::command::log::reader;
use crate::config::{Config, Folder};
use crate::failure::Failure;
use crate::output::Output;
use crate::words::count;

/// Arguments of `cairn ledger`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Fold the log again from its first entry, and write every view that is not what it implies.
    Rebuild(RebuildArgs),
}

/// Arguments of `cairn ledger rebuild`.
#[derive(Debug, clap::Args)]
struct RebuildArgs {
    /// The network's folder.
    #[arg(default_value = ".")]
    dir: PathBuf,
    /// Only compare, byte by byte, and write nothing: the network may run meanwhile.
    #[arg(long)]
    check: bool,
}

/// What was compared.
#[derive(Debug, Serialize)]
struct Report {
    /// Entries folded.
    entries: u64,
    /// Entries that the fold refused.
    void: u64,
    /// Epochs that they close.
    epochs: u64,
    /// Files of theirs compared.
    files: u64,
    bytes: u64,
    state_root: String,
    /// Files that were not what the log implies.
    differing: u64,
    first_difference: Option<Place>,
    /// Epochs with a folder that these entries do not close.
    beyond: Vec<u64>,
    /// Whether what differed was written again.
    written: bool,
}

#[derive(Debug, Serialize)]
struct Place {
    epoch: u64,
    file: PathBuf,
    /// The first byte that differs; absent if the file is missing.
    byte: Option<u64>,
}

/// Runs the command.
///
/// # Errors
/// When views differ and are only compared, or the log or the views cannot be read.
pub fn run(args: &Args, output: Output) -> Result<(), Failure> {
    let Command::Rebuild(args) = &args.command;
    let folder = Folder::at(&args.dir);
    let config = Config::read(&folder)?;
    let options = LedgerOptions { snapshots_kept: config.storage.snapshots_kept };
    let bar = output.progress("reading log", 0);
    let mut progress = |done, total| {
        bar.set_length(total);
        bar.set_position(done);
    };
    let rebuilt = if args.check {
        check_views(&folder.views(), &reader(&folder)?, options, &mut progress)
    } else {
        // Open for writing, the log lets nobody else write the views meanwhile.
        let disk = StdDisk::create(folder.log()).map_err(|error| Failure::io("open", &folder.log(), &error))?;
        let (log, _) = Log::open(Arc::new(disk), LogOptions::default())?;
        rebuild_views(&folder.views(), &log.reader(), options, &mut progress)
    }?;
    bar.finish_and_clear();
    let report = Report::of(rebuilt, &folder, !args.check);
    match &report.first_difference {
        Some(place) if args.check => {
            let failure = Failure::wrong("NET-REBUILD", format!("{} is not what the log implies", place.words()))
                .hint("views are derived: stop the network and run `cairn ledger rebuild`");
            output.show_wrong(&report, text, failure)
        }
        _ => output.show(&report, text),
    }
}

impl Report {
    fn of(rebuilt: Rebuilt, folder: &Folder, written: bool) -> Self {
        let Rebuilt { entries, void, epochs, files, bytes, state_root, differing, first, beyond } = rebuilt;
        let place = |Difference { epoch, path, byte }: Difference| {
            let file = path.strip_prefix(folder.root()).map_or(path.clone(), PathBuf::from);
            Place { epoch, file, byte }
        };
        let (state_root, first_difference) = (state_root.to_hex(), first.map(place));
        Self { entries, void, epochs, files, bytes, state_root, differing, first_difference, beyond, written }
    }
}

impl Place {
    fn words(&self) -> String {
        let file = self.file.display();
        self.byte.map_or_else(|| format!("`{file}` is missing, which"), |byte| format!("`{file}` from byte {byte} on"))
    }
}

fn text(report: &Report) -> String {
    let Report { entries, void, epochs, files, differing, beyond, written, state_root, .. } = report;
    let (entries, epochs) = (count(*entries, "entry", "entries"), count(*epochs, "epoch", "epochs"));
    let mut text = format!("folded {entries} from the first on, {void} of them void: {epochs} closed\n");
    let files = count(*files, "file", "files");
    text.push_str(&match (differing, written) {
        (0, _) => format!("{files} compared, all equal\n"),
        (_, true) => format!("{files} compared, {differing} differed and their epochs were written again\n"),
        (_, false) => format!("{files} compared, {differing} differ\n"),
    });
    if !beyond.is_empty() {
        let beyond = count(beyond.len() as u64, "epoch", "epochs");
        let what = if *written { "removed" } else { "not compared" };
        text.push_str(&format!("{beyond} beyond these entries {what}\n"));
    }
    text + "state root " + state_root
}
