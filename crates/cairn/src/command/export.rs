//! `cairn export`: an epoch's payouts, verdicts or sales as a table that cites where its numbers come from.
//!
//! The rows are the canonical ones, and are printed only after their root was found in the epoch statement.

use std::collections::BTreeMap;
use std::io::Write;

use cairn_client::Client;
use cairn_core::epoch::EpochStatement;
use cairn_core::{Amount, Hash, Payout, Sale, Subject, Verdict};
use cairn_fold::root_of;
use cairn_ledger::split_rows;
use serde::Serialize;

use crate::connect::Connect;
use crate::failure::Failure;
use crate::output::Output;

/// Arguments of `cairn export`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The epoch's number.
    epoch: u64,
    /// Comma-separated values; this is the default and the only form of text.
    #[arg(long)]
    csv: bool,
    /// The verdicts instead of the payouts.
    #[arg(long)]
    verdicts: bool,
    /// What became of what each order locked, part by part, instead of the payouts.
    #[arg(long, conflicts_with = "verdicts")]
    sales: bool,
    #[command(flatten)]
    connect: Connect,
}

/// A table with what it cites.
#[derive(Debug, Serialize)]
struct Table {
    network: String,
    network_id: String,
    epoch: u64,
    statement: String,
    rehearsed: Vec<String>,
    table: &'static str,
    #[serde(skip)]
    columns: &'static [&'static str],
    #[serde(skip)]
    cells: Vec<Vec<String>>,
    /// With `--json`: each row as an object.
    rows: Vec<BTreeMap<&'static str, String>>,
}

const PAYOUT_COLUMNS: [&str; 5] = ["account", "device", "pool", "weight", "amount"];
const SALE_COLUMNS: [&str; 9] = ["job", "order", "part", "account", "device", "content", "gas", "amount", "burned"];
const VERDICT_COLUMNS: [&str; 10] =
    ["class", "device", "slot_ms", "report", "account", "amount", "score_ppm", "weight", "reasons", "entries"];

/// Runs the command.
///
/// # Errors
/// When the epoch has not closed, or what is served is not under its statement.
pub fn run(args: &Args, output: Output) -> Result<(), Failure> {
    let client = args.connect.client()?;
    let network = client.network()?;
    let bytes = client.epoch_bytes(args.epoch)?;
    let statement = EpochStatement::decode(&bytes).map_err(|error| refuse(format!("the statement: {error}")))?;
    if (statement.network.0.to_hex(), statement.number) != (network.network_id.clone(), args.epoch) {
        return Err(refuse("the statement is of another network or epoch".to_owned()));
    }
    let (name, columns, cells): (&str, &[&str], _) = match (args.verdicts, args.sales) {
        (true, _) => ("verdicts", &VERDICT_COLUMNS, verdicts(&client, &statement)?),
        (_, true) => ("sales", &SALE_COLUMNS, sales(&client, &statement)?),
        _ => ("payouts", &PAYOUT_COLUMNS, payouts(&client, &statement)?),
    };
    let object = |row: &Vec<String>| columns.iter().copied().zip(row.iter().cloned()).collect();
    let table = Table {
        network: network.name,
        network_id: network.network_id,
        epoch: args.epoch,
        statement: Hash::of(&bytes).to_hex(),
        rehearsed: statement.rehearsed,
        table: name,
        columns,
        rows: if output.json { cells.iter().map(object).collect() } else { Vec::new() },
        cells,
    };
    if output.json {
        return output.show(&table, |_| String::new());
    }
    print_csv(&table)
        .map_err(|error| Failure::failed("NET-STDOUT", format!("cannot write to standard output: {error}")))
}

fn refuse(what: String) -> Failure {
    Failure::wrong("NET-PROOF", what)
        .hint("the gateway does not serve what the epoch statement says: run `cairn audit`")
}

/// Splits a served table into rows, if they are those under `root`.
fn rows_under<'a>(root: Hash, bytes: &'a [u8], what: &str) -> Result<Vec<&'a [u8]>, Failure> {
    let rows = split_rows(bytes).map_err(|error| refuse(format!("the {what}: {error}")))?;
    let found = root_of(&rows.iter().map(|row| row.to_vec()).collect::<Vec<_>>());
    if found != root {
        return Err(refuse(format!("the {what} have root {found}; the statement says {root}")));
    }
    Ok(rows)
}

fn payouts(client: &Client, statement: &EpochStatement) -> Result<Vec<Vec<String>>, Failure> {
    let bytes = client.payout_rows(statement.number)?;
    let rows = rows_under(statement.payout_root, &bytes, "payouts")?;
    let cells = |row: &&[u8]| {
        let payout = Payout::decode(row).map_err(|error| refuse(format!("a payout: {error}")))?;
        let device = payout.device.map_or_else(String::new, |device| device.to_string());
        let (weight, amount) = (payout.weight.to_string(), payout.amount.to_string());
        Ok(vec![payout.account.to_string(), device, payout.pool, weight, amount])
    };
    rows.iter().map(cells).collect()
}

/// The sales of an epoch; none where its statement says nothing of any.
pub fn decoded_sales(client: &Client, statement: &EpochStatement) -> Result<Vec<Sale>, Failure> {
    let Some(summary) = &statement.sales else { return Ok(Vec::new()) };
    let bytes = client.sale_rows(statement.number)?;
    let rows = rows_under(summary.root, &bytes, "sales")?;
    if rows.len() as u64 != summary.count {
        return Err(refuse(format!("there are {} sales; the statement says {}", rows.len(), summary.count)));
    }
    rows.iter().map(|row| Sale::decode(row).map_err(|error| refuse(format!("a sale: {error}")))).collect()
}

fn sales(client: &Client, statement: &EpochStatement) -> Result<Vec<Vec<String>>, Failure> {
    Ok(decoded_sales(client, statement)?.iter().flat_map(sale_cells).collect())
}

/// One row for everything that was locked, and one for each place that a part of it went to.
fn sale_cells(sale: &Sale) -> Vec<Vec<String>> {
    let none = String::new;
    let row = |part: &str, account: String, [device, content, gas]: [String; 3], amount: Amount, burned: String| {
        let (job, order) = (sale.job.to_string(), sale.order.to_string());
        vec![job, order, part.to_owned(), account, device, content, gas, amount.to_string(), burned]
    };
    let buyer = sale.buyer.to_string();
    let mut rows = vec![row("locked", buyer.clone(), [none(), none(), none()], sale.locked, none())];
    for sold in &sale.work {
        let of = [sold.device.to_string(), none(), sold.gas.to_string()];
        rows.push(row("work", sold.account.to_string(), of, sold.work, sold.burned.to_string()));
    }
    for sold in &sale.licences {
        let of = [none(), sold.content.to_hex(), none()];
        rows.push(row("licence", sold.account.to_string(), of, sold.amount, none()));
    }
    if sale.returned > Amount::ZERO {
        rows.push(row("returned", buyer, [none(), none(), none()], sale.returned, none()));
    }
    if let Some((account, amount)) = &sale.refund {
        rows.push(row("refund", account.to_string(), [none(), none(), none()], *amount, none()));
    }
    rows
}

/// The verdicts of every class, class by class as they stand under their roots.
pub fn decoded_verdicts(client: &Client, statement: &EpochStatement) -> Result<Vec<Verdict>, Failure> {
    let bytes = client.verdict_rows(statement.number)?;
    let rows = split_rows(&bytes).map_err(|error| refuse(format!("the verdicts: {error}")))?;
    let decode = |row: &&[u8]| Verdict::decode(row).map_err(|error| refuse(format!("a verdict: {error}")));
    let verdicts = rows.iter().map(decode).collect::<Result<Vec<_>, _>>()?;
    let mut known = 0;
    for class in &statement.classes {
        let of_class = rows.iter().zip(&verdicts).filter(|(_, verdict)| verdict.class == class.class);
        let of_class: Vec<Vec<u8>> = of_class.map(|(row, _)| row.to_vec()).collect();
        known += of_class.len();
        let found = root_of(&of_class);
        if found != class.verdict_root {
            let what =
                format!("the verdicts of {} have root {found}; the statement says {}", class.class, class.verdict_root);
            return Err(refuse(what));
        }
    }
    if known != verdicts.len() {
        return Err(refuse("some verdicts are of a class that the statement does not have".to_owned()));
    }
    Ok(verdicts)
}

fn verdicts(client: &Client, statement: &EpochStatement) -> Result<Vec<Vec<String>>, Failure> {
    Ok(decoded_verdicts(client, statement)?.iter().map(verdict_cells).collect())
}

fn verdict_cells(verdict: &Verdict) -> Vec<String> {
    let report = match verdict.subject {
        Subject::Slot => String::new(),
        Subject::Report(index) | Subject::Job(index) => index.to_string(),
    };
    let reasons: Vec<String> =
        verdict.reasons.iter().map(|reason| format!("{}:{}", reason.code, reason.lost_ppm)).collect();
    let entries: Vec<String> = verdict.entries.iter().map(ToString::to_string).collect();
    vec![
        verdict.class.clone(),
        verdict.device.to_string(),
        verdict.slot_ms.to_string(),
        report,
        verdict.account.to_string(),
        verdict.amount.to_string(),
        verdict.score.get().to_string(),
        verdict.weight().to_string(),
        reasons.join(" "),
        entries.join(" "),
    ]
}

fn print_csv(table: &Table) -> std::io::Result<()> {
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    writeln!(out, "# {}, network {}", table.network, table.network_id)?;
    writeln!(out, "# {} of epoch {}, statement {}", table.table, table.epoch, table.statement)?;
    for what in &table.rehearsed {
        writeln!(out, "# rehearsed: {what}")?;
    }
    let mut csv = csv::Writer::from_writer(out);
    csv.write_record(table.columns)?;
    for row in &table.cells {
        csv.write_record(row)?;
    }
    csv.flush()
}
