//! `cairn node refused`: what the network refused for good and is set aside, listed; and sent again.

use std::path::PathBuf;
use std::sync::Arc;

use cairn_core::report::ReportBody;
use cairn_edge::send::aside::{Place, SetAside, ask_again, is_asked, set_aside};
use cairn_log::Disk;
use clap::Subcommand;
use serde::Serialize;

use super::status::is_running;
use crate::config::node::NodeFolder;
use crate::failure::Failure;
use crate::output::Output;
use crate::words::{count, utc};

/// Arguments of `cairn node refused`.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Args {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    which: Which,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Have them sent again, each once and under the name that it had, such as when the cause is mended or another gateway is asked.
    ///
    /// They are queued behind what waits, now or when the node runs next. What stands in the log all the same is answered as
    /// known, and nothing is paid twice; what is refused again is set aside again.
    Again(Which),
}

#[derive(Debug, clap::Args)]
struct Which {
    /// The node's folder
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Only those with this code
    #[arg(long, value_name = "CODE")]
    code: Option<String>,
    /// Only those that this gateway refused
    #[arg(long, value_name = "URL")]
    gateway: Option<String>,
}

impl Which {
    fn is_meant(&self, row: &SetAside) -> bool {
        self.code.as_ref().is_none_or(|code| row.refusal.code == *code)
            && self.gateway.as_ref().is_none_or(|gateway| row.refusal.gateways.contains(gateway))
    }

    /// The node's folder, and the disk with what is set aside.
    fn open(&self) -> Result<(NodeFolder, Arc<dyn Disk>), Failure> {
        let folder = NodeFolder::named(self.dir.as_deref())?;
        let path = folder.receipts();
        if !path.is_dir() {
            let what = format!("{} has sent nothing yet", folder.root().display());
            return Err(Failure::wrong("NODE-REFUSED", what).hint("is it the folder of a node? name it with --dir"));
        }
        let disk: Arc<dyn Disk> = super::disk(&path)?;
        Ok((folder, disk))
    }

    /// What is meant of it.
    fn rows(&self, disk: &dyn Disk) -> Result<Vec<SetAside>, Failure> {
        let mut rows = set_aside(disk)?;
        rows.retain(|row| self.is_meant(row));
        Ok(rows)
    }
}

#[derive(Debug, Serialize)]
struct Row {
    boot: u32,
    seq: u32,
    /// When it was measured, ms since 1970 UTC, as it says.
    measured_ms: Option<u64>,
    /// What its body is, such as `sensing/1`.
    schema: Option<String>,
    /// When it was refused, ms since 1970 UTC, if that is known.
    at_ms: Option<u64>,
    code: String,
    detail: String,
    hint: Option<String>,
    /// Who refused it.
    gateways: Vec<String>,
}

#[derive(Debug, Serialize)]
struct List {
    refused: Vec<Row>,
    /// Whether what was asked for before is still to be queued.
    again: bool,
}

#[derive(Debug, Serialize)]
struct Again {
    again: usize,
    running: bool,
}

/// Runs the command.
///
/// # Errors
/// `NODE-REFUSED`, and those of the disk.
pub fn run(args: &Args, output: Output) -> Result<(), Failure> {
    match &args.command {
        None => list(&args.which, output),
        Some(Command::Again(which)) => again(which, output),
    }
}

fn list(which: &Which, output: Output) -> Result<(), Failure> {
    let (_, disk) = which.open()?;
    let rows = which.rows(&*disk)?;
    let row = |SetAside { refusal, payload, .. }: SetAside| {
        let (boot, seq) = refusal.name?;
        Some(Row {
            boot,
            seq,
            measured_ms: refusal.measured_ms,
            schema: ReportBody::decode(&payload).ok().map(|body| body.schema),
            at_ms: refusal.at_ms,
            code: refusal.code,
            detail: refusal.detail,
            hint: refusal.hint,
            gateways: refusal.gateways,
        })
    };
    let list = List { refused: rows.into_iter().filter_map(row).collect(), again: is_asked(&*disk)? };
    output.show(&list, text)
}

fn text(List { refused, again }: &List) -> String {
    let mut text = format!("{} set aside\n", count(refused.len() as u64, "refused report is", "refused reports are"));
    for Row { boot, seq, measured_ms, at_ms, code, detail, gateways, .. } in refused {
        let measured = measured_ms.map_or_else(|| "at no known time".to_owned(), utc);
        let at = at_ms.map(|ms| format!(" at {}", utc(ms))).unwrap_or_default();
        text.push_str(&format!("  boot {boot}, seq {seq}: measured {measured}\n"));
        text.push_str(&format!("    refused{at} by {}: {code}: {detail}\n", gateways.join(" and ")));
    }
    let mut hints: Vec<&String> = refused.iter().filter_map(|row| row.hint.as_ref()).collect();
    hints.sort_unstable();
    hints.dedup();
    hints.into_iter().for_each(|hint| text.push_str(&format!("  hint: {hint}\n")));
    if *again {
        text.push_str("  some of it is to be sent again, and is queued when the node runs\n");
    } else if !refused.is_empty() {
        text.push_str("  is the cause mended, or another gateway named? send them again: cairn node refused again\n");
    }
    text
}

fn again(which: &Which, output: Output) -> Result<(), Failure> {
    let (folder, disk) = which.open()?;
    let places: Vec<Place> = which.rows(&*disk)?.iter().filter_map(|row| Some((row.file, row.refusal.name?))).collect();
    if places.is_empty() {
        return Err(
            Failure::wrong("NODE-REFUSED", "nothing of the kind is set aside").hint("see what is: cairn node refused")
        );
    }
    if !ask_again(&*disk, &places)? {
        return Err(Failure::wrong("NODE-REFUSED", "what was asked for before is not queued yet")
            .hint("start the node, or wait until what waits is sent: cairn node status"));
    }
    let again = Again { again: places.len(), running: is_running(&folder) };
    output.show(&again, |Again { again, running }| {
        let when = if *running { "as soon as what waits is sent" } else { "when the node runs: cairn node run" };
        format!("{} sent again, {when}\n", count(*again as u64, "report is", "reports are"))
    })
}
