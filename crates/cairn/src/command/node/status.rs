//! `cairn node status`: how the node is, from its own folder and from what its gateways say of the device.

use std::borrow::Cow;
use std::path::PathBuf;

use cairn_api::{DeviceInfo, NetworkInfo};
use cairn_ledger::wall_ms;
use cairn_log::{Disk, StdDisk};
use qrcode::QrCode;
use qrcode::render::unicode::Dense1x2;
use serde::Serialize;

use super::scores::{Scored, scores};
use crate::config::node::{NodeConfig, NodeFolder};
use crate::failure::Failure;
use crate::output::Output;
use crate::words::{count, duration, score, tokens, utc};

mod report;

pub use report::{NodeReport, QueueReport, SourceReport, Trouble};

/// A running node writes its status at least this often, and what changed in it after this time at the earliest: its disk may be
/// flash. What is wrong is written at once.
pub const WRITTEN_EVERY_MS: u64 = 60_000;
pub const NEWS_EVERY_MS: u64 = 10_000;
/// Refusals that are shown in words.
const REFUSALS: usize = 3;
/// Below this score it is said where the reasons are.
const GOOD_PPM: u32 = 900_000;
/// A queue with less room than a tenth is nearly full.
const NEARLY_FULL_PERCENT: u64 = 90;

/// Arguments of `cairn node status`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The node's folder
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Ask no gateway: say what the folder knows
    #[arg(long)]
    offline: bool,
    /// Draw the address of the device's page as a QR code, to be opened on a phone
    #[arg(long)]
    qr: bool,
}

/// Something that is wrong.
#[derive(Debug, Serialize)]
struct Wrong {
    code: String,
    what: String,
    hint: Option<Cow<'static, str>>,
}

/// What an epoch gave.
#[derive(Debug, Serialize)]
struct Pay {
    epoch: u64,
    /// `null` where nothing of it was judged.
    statement: Option<String>,
    /// `null` where it was not scored.
    score_ppm: Option<u32>,
    /// Base units.
    paid: String,
    /// In tokens.
    shown: String,
    /// What says why, where it was judged and did not get nearly everything.
    why: Option<String>,
}

#[derive(Debug, Serialize)]
struct Status {
    device: String,
    network_id: String,
    folder: PathBuf,
    running: bool,
    /// Where the device's page is.
    page: Option<String>,
    owner: Option<String>,
    payee: Option<String>,
    cell: Option<String>,
    /// The last epochs, newest first, as their statements say; absent where no gateway was asked.
    epochs: Option<Vec<Pay>>,
    /// Reports that wait for a verdict.
    open_reports: Option<u64>,
    rehearsed: Vec<String>,
    /// What the node wrote last.
    node: Option<NodeReport>,
    wrong: Vec<Wrong>,
}

/// Runs the command.
///
/// # Errors
/// `NODE-WRONG` when something is wrong, with all that was found.
pub fn run(args: &Args, output: Output) -> Result<(), Failure> {
    let folder = NodeFolder::named(args.dir.as_deref())?;
    let config = NodeConfig::read(&folder)?;
    let status = look(args, &folder, &config)?;
    let text = |status: &Status| {
        let drawn = status.page.as_deref().filter(|_| args.qr).and_then(qr);
        format!("{}{}", text(status), drawn.map(|drawn| format!("\n{drawn}\n")).unwrap_or_default())
    };
    if status.wrong.is_empty() {
        return output.show(&status, text);
    }
    let what = format!("{} wrong", count(status.wrong.len() as u64, "thing is", "things are"));
    let hint = status.wrong.iter().find_map(|wrong| wrong.hint.as_deref());
    let failure = Failure::wrong("NODE-WRONG", what).maybe_hint(hint);
    output.show_wrong(&status, text, failure)
}

fn look(args: &Args, folder: &NodeFolder, config: &NodeConfig) -> Result<Status, Failure> {
    let mut wrong = Vec::new();
    let device = match config.named_device()? {
        Some(device) => device,
        None => config.device(folder)?.device,
    };
    let running = is_running(folder);
    let node = NodeReport::read(folder)?;
    if !running {
        let code = "NODE-STOPPED".to_owned();
        let hint = Some("start it: systemctl start cairn-node, or cairn node run".into());
        wrong.push(Wrong { code, what: "the node is not running".to_owned(), hint });
    }
    if let Some(node) = &node {
        of_node(node, running, &mut wrong);
    }
    let mut status = Status {
        device: device.to_string(),
        network_id: config.network().0.to_hex(),
        folder: folder.root().to_owned(),
        running,
        page: config.gateways.first().map(|url| format!("{}/devices/{device}", url.trim_end_matches('/'))),
        owner: None,
        payee: None,
        cell: None,
        epochs: None,
        open_reports: None,
        rehearsed: Vec::new(),
        node,
        wrong,
    };
    if !args.offline {
        ask(config, &device, folder, &mut status);
    }
    Ok(status)
}

/// Whether a process holds what waits.
pub fn is_running(folder: &NodeFolder) -> bool {
    let queue = folder.queue();
    let held = || StdDisk::create(&queue).is_ok_and(|disk| disk.lock_writer().is_err());
    queue.is_dir() && held()
}

/// What a running node finds wrong itself; of one that has stopped, what it left behind.
fn of_node(node: &NodeReport, running: bool, wrong: &mut Vec<Wrong>) {
    let age_ms = wall_ms().saturating_sub(node.written_ms);
    if running && age_ms > 3 * WRITTEN_EVERY_MS {
        let what = format!("the node runs and has said nothing for {}", duration(age_ms));
        wrong.push(Wrong {
            code: "NODE-SILENT".to_owned(),
            what,
            hint: Some("is its disk full? see its log: journalctl -u cairn-node".into()),
        });
    }
    if running {
        for Trouble { who, code, detail, hint, since_ms } in &node.troubles {
            let what = format!("{who}: {detail} (since {})", utc(*since_ms));
            wrong.push(Wrong { code: code.clone(), what, hint: hint.clone().map(Cow::Owned) });
        }
    }
    for alert in &node.alerts {
        let at = alert.at_ms.map(|ms| format!(" (since {})", utc(ms))).unwrap_or_default();
        wrong.push(Wrong { code: alert.code.clone(), what: format!("{}{at}", alert.detail), hint: None });
    }
    let sent = &node.sending;
    if sent.broken_promises > 0 {
        let what = format!("{} broken", count(sent.broken_promises, "promise was", "promises were"));
        let hint = Some("the evidence is kept: cairn node receipts export".into());
        wrong.push(Wrong { code: "LOG-PROMISE-BROKEN".to_owned(), what, hint });
    }
    let queue = &node.queue;
    if queue.bytes.saturating_mul(100) >= queue.bytes_max.saturating_mul(NEARLY_FULL_PERCENT) && queue.bytes_max > 0 {
        let what = format!("what waits has {} of {} bytes", queue.bytes, queue.bytes_max);
        wrong.push(Wrong {
            code: "NODE-QUEUE".to_owned(),
            what,
            hint: Some("the oldest is given up next: give it more room, `size_mib` in node.toml".into()),
        });
    }
}

/// What a gateway says of the device.
fn ask(config: &NodeConfig, device: &cairn_core::DeviceId, folder: &NodeFolder, status: &mut Status) {
    let asked = super::reach(config).and_then(|client| {
        status.page = Some(format!("{}/devices/{device}", client.url()));
        let info = client.network()?;
        let known = match client.device(device) {
            Ok(known) => Some(known),
            Err(error) if error.is_not_found() => None,
            Err(error) => return Err(error.into()),
        };
        Ok((info, known))
    });
    let (info, known) = match asked {
        Ok(asked) => asked,
        Err(failure) => {
            let what = format!("no gateway could be asked: {}", failure.message);
            status.wrong.push(Wrong {
                code: failure.code,
                what,
                hint: Some("is the network there? what waits is kept until it is".into()),
            });
            return;
        }
    };
    let Some(known) = known else {
        let hint = if folder.joining().exists() {
            "the owner lets it join: cairn node approve enrol.cbor --owner WALLET"
        } else {
            "let it join: cairn node setup URL"
        };
        let what = "the network does not know the device yet".to_owned();
        status.wrong.push(Wrong { code: "NODE-NOT-ENROLLED".to_owned(), what, hint: Some(hint.into()) });
        return;
    };
    of_network(status, &info, &known, config, folder);
}

fn of_network(status: &mut Status, info: &NetworkInfo, known: &DeviceInfo, config: &NodeConfig, folder: &NodeFolder) {
    if let Some(index) = known.denied_index {
        let what = format!("the device is denied by entry {index}");
        status.wrong.push(Wrong {
            code: "NODE-DENIED".to_owned(),
            what,
            hint: Some("the entry says why; answer it with an appeal".into()),
        });
    }
    if let Some(index) = known.retired_index {
        let what = format!("the device was retired by entry {index}");
        status.wrong.push(Wrong {
            code: "NODE-RETIRED".to_owned(),
            what,
            hint: Some("set up another: cairn node setup URL --dir DIR".into()),
        });
    }
    if config.device(folder).is_ok_and(|key| key.signer.public().did() != known.key) {
        let what = format!("the device signs with {}, which is not the key here", known.key);
        status.wrong.push(Wrong {
            code: "NODE-KEY".to_owned(),
            what,
            hint: Some("restore a copy of that key, or rotate: cairn node key".into()),
        });
    }
    let shown = |paid: &str| match &info.asset {
        Some(asset) => tokens(paid, asset.decimals, &asset.symbol),
        None => paid.to_owned(),
    };
    let url = status.page.as_deref().and_then(|page| page.split_once("/devices/")).map_or("", |(url, _)| url);
    let pay = |scored: &Scored| {
        let Scored { epoch, score_ppm, told } = scored;
        let paid = told.as_ref().map_or_else(|| "0".to_owned(), |told| told.paid.clone());
        let is_low = told.is_some() && score_ppm.is_none_or(|score_ppm| score_ppm < GOOD_PPM);
        Pay {
            epoch: *epoch,
            statement: told.as_ref().map(|told| told.epoch.statement.clone()),
            score_ppm: *score_ppm,
            shown: shown(&paid),
            paid,
            why: is_low.then(|| format!("cairn explain {} {epoch} --url {url}", known.id)),
        }
    };
    status.epochs = Some(scores(info, known).iter().map(pay).collect());
    status.open_reports = Some(known.open_reports);
    (status.owner, status.payee) = (Some(known.owner.clone()), Some(known.payee.clone()));
    status.cell = Some(known.cell.clone());
    status.rehearsed.clone_from(&info.rehearsed);
}

/// An address as a QR code of half blocks, two rows of it to a line; `None` for one that is too long.
fn qr(address: &str) -> Option<String> {
    let code = QrCode::new(address).ok()?;
    Some(code.render::<Dense1x2>().dark_color(Dense1x2::Light).light_color(Dense1x2::Dark).build())
}

fn text(status: &Status) -> String {
    let mut text = format!("{}\n", status.device);
    let mut line = |name: &str, value: String| text.push_str(&format!("  {name:<9} {value}\n"));
    line("node", if status.running { "running".to_owned() } else { "not running".to_owned() });
    if let Some(owner) = &status.owner {
        line("owner", owner.clone());
    }
    if status.payee.is_some() && status.payee != status.owner {
        line("paid to", status.payee.clone().unwrap_or_default());
    }
    if let Some(page) = &status.page {
        line("page", page.clone());
    }
    if let Some(node) = &status.node {
        of_report(node, &mut line);
    }
    if let Some(open) = status.open_reports {
        line("judged", format!("{} for the next verdict", count(open, "report waits", "reports wait")));
    }
    for Pay { epoch, score_ppm, shown, statement, why, .. } in status.epochs.iter().flatten() {
        let score = score(*score_ppm);
        let by = statement
            .as_ref()
            .map_or_else(|| "nothing of it was judged".to_owned(), |statement| format!("statement {statement}"));
        line("epoch", format!("{epoch}: {score}, earned {shown} ({by})"));
        if let Some(why) = why {
            line("", format!("why: {why}"));
        }
    }
    for what in &status.rehearsed {
        line("rehearsed", what.clone());
    }
    for Wrong { code, what, hint } in &status.wrong {
        line("wrong", format!("{code}: {what}"));
        if let Some(hint) = hint {
            line("", format!("hint: {hint}"));
        }
    }
    text
}

fn of_report(node: &NodeReport, line: &mut impl FnMut(&str, String)) {
    let clock = &node.clock;
    let source = clock["source"].as_str().unwrap_or("none");
    line(
        "clock",
        match clock["error_ms"].as_u64() {
            Some(error_ms) => format!("from {source}, off by {error_ms} ms at most"),
            None => "not known: no time is claimed".to_owned(),
        },
    );
    for SourceReport { name, ended } in &node.sources {
        line("measures", ended.as_ref().map_or_else(|| name.clone(), |why| format!("{name}: ended, {why}")));
    }
    let QueueReport { waiting, taken, promised, refused, lost, damaged_bytes, .. } = node.queue;
    line("waiting", format!("{} to be sent", count(waiting, "report", "reports")));
    if let Some(last) = &node.sending.last_promise {
        let at = last.at_ms.map(|ms| format!(", {}", utc(ms))).unwrap_or_default();
        line("promised", format!("entry {} last, by {}{at}", last.index, last.gateway));
    }
    let sent = &node.sending;
    line("receipts", format!("{} kept, {} promised without one yet", sent.receipts, sent.awaiting_receipt));
    for refusal in sent.refusals.iter().rev().take(REFUSALS) {
        let at = refusal.at_ms.map(|ms| format!("{}, ", utc(ms))).unwrap_or_default();
        line("refused", format!("{at}{}: {}", refusal.code, refusal.detail));
    }
    for (code, number) in &sent.refused_by_code {
        line("refused", format!("{number} by {code}"));
    }
    if sent.doubted > 0 {
        let reports = count(sent.doubted, "report waits", "reports wait");
        line("doubted", format!("{reports}: one gateway refuses them, and another one is to say so too"));
    }
    if sent.set_aside > 0 {
        let reports = count(sent.set_aside, "refused report is", "refused reports are");
        line("aside", format!("{reports} set aside: cairn node refused"));
    }
    line("so far", format!("{taken} taken, {promised} promised, {refused} refused, {lost} given up"));
    for what in &node.mended {
        line("mended", what.clone());
    }
    if damaged_bytes > 0 {
        line("damaged", format!("{damaged_bytes} bytes on disk were not what was written, and were passed over"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_drawn_as_wide_as_it_is_high_and_one_that_is_too_long_is_not() {
        let drawn = qr("https://air.example.org/devices/dev1gjpj3kvlbwc2763in7o6rzf4ki").unwrap();
        let widths: Vec<usize> = drawn.lines().map(|line| line.chars().count()).collect();
        assert!(widths.iter().all(|width| *width == widths[0]) && widths[0].div_ceil(2) == widths.len(), "{widths:?}");
        assert_eq!(qr(&"x".repeat(3_000)), None);
    }

    #[test]
    fn what_a_node_finds_wrong_is_said_and_nothing_else() {
        let mut node = NodeReport { written_ms: wall_ms(), ..NodeReport::default() };
        let codes = |node: &NodeReport, running| {
            let mut wrong = Vec::new();
            of_node(node, running, &mut wrong);
            wrong.into_iter().map(|wrong| wrong.code).collect::<Vec<_>>()
        };
        assert!(codes(&node, true).is_empty());
        let trouble =
            |code: &str| Trouble { who: "a".into(), code: code.into(), detail: "why".into(), hint: None, since_ms: 1 };
        node.troubles = vec![trouble("EDGE-X")];
        node.queue = QueueReport { bytes: 90, bytes_max: 100, ..QueueReport::default() };
        node.sending.broken_promises = 1;
        assert_eq!(codes(&node, true), ["EDGE-X", "LOG-PROMISE-BROKEN", "NODE-QUEUE"]);
        // What a stopped node said of its sources is over; what it holds is not.
        assert_eq!(codes(&node, false), ["LOG-PROMISE-BROKEN", "NODE-QUEUE"]);
        node = NodeReport { written_ms: wall_ms() - 4 * WRITTEN_EVERY_MS, ..NodeReport::default() };
        assert_eq!((codes(&node, true), codes(&node, false)), (vec!["NODE-SILENT".to_owned()], vec![]));
    }
}
