//! `cairn demo`: a whole network over real readings, from sensor to token, audited at the end.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Instant;

use cairn_audit::{AuditOptions, AuditReport, HttpSource};
use cairn_client::Client;
use cairn_core::{Domain, Hash, NetworkId};
use cairn_gateway::Running;
use serde::Serialize;

use crate::config::{Folder, duration_ms};
use crate::dataset::{BadRow, Dataset};
use crate::demo::{
    AttackerLine, Balance, Books, Bought, Cast, Line, Live, Parts, Plan, Settled, Tallies, Tampered, Trade, Traded,
    await_checkpoint, enrol, flip_a_byte, grouped, replay, table, tokens,
};
use crate::failure::Failure;
use crate::keys::Key;
use crate::output::Output;

/// The chain that the demo's accounts are named on: the number of development chains everywhere.
const CHAIN: &str = "eip155:31337";

/// Arguments of `cairn demo`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The network's folder; a fresh `cairn-demo` by default.
    #[arg(long)]
    dir: Option<PathBuf>,
    /// Replay your own readings: CSV with the columns `timestamp` or `date`, `station` or `sensor_id`, `lat`, `lon`,
    /// optionally `elevation`, and any of `temperature`, `humidity`, `pressure_pa`, `pm10`, `pm25`, `pm10_ug_m3`.
    #[arg(long, value_name = "FILE")]
    dataset: Option<PathBuf>,
    /// Replay the most recent N days.
    #[arg(long, value_name = "N", default_value_t = 365, conflicts_with = "all")]
    days: u64,
    /// Replay everything: twelve years.
    #[arg(long)]
    all: bool,
    /// Length of an epoch: a number and s, m, h, d or w.
    #[arg(long, default_value = "1w")]
    epoch: String,
    /// Leave the attackers out.
    #[arg(long)]
    no_attackers: bool,
    /// Leave out what is live: a buyer's order of a forecast, and this machine that does it.
    #[arg(long)]
    no_compute: bool,
    /// Exit when done, instead of serving on.
    #[arg(long)]
    once: bool,
    /// Flip one byte of the finished log, and let the audit name it.
    #[arg(long)]
    tamper: bool,
    /// Address and port to serve on; any free port by default.
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: String,
}

/// What the demo says at the end.
#[derive(Debug, Serialize)]
struct Summary {
    dir: PathBuf,
    url: String,
    network: String,
    network_id: String,
    real: Vec<String>,
    recorded: Vec<String>,
    rehearsed: Vec<String>,
    stations: usize,
    readings: usize,
    first_day: String,
    last_day: String,
    bad_rows: Vec<BadRowLine>,
    entries: u64,
    reports: u64,
    epochs: u64,
    symbol: String,
    decimals: u8,
    balance: Balance,
    top_earners: Vec<Line>,
    worst_scores: Vec<Line>,
    attackers: Vec<AttackerLine>,
    audit: &'static str,
    audit_report: AuditReport,
    settlement: Settled,
    #[serde(skip_serializing_if = "Option::is_none")]
    live: Option<Traded>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tampered: Option<Tampered>,
    seconds: Seconds,
}

/// How long each part took on this machine.
#[derive(Debug, Default, Serialize)]
struct Seconds {
    replay: f64,
    audit: f64,
    settlement: f64,
    all: f64,
}

/// A row of the data set that was not read.
#[derive(Debug, Serialize)]
struct BadRowLine {
    line: u64,
    reason: String,
}

/// Runs the command.
///
/// # Errors
/// When the data cannot be read, the network not be run, or the audit fails.
pub fn run(args: &Args, output: Output) -> Result<(), Failure> {
    let begun = Instant::now();
    let dataset = load(args, output)?;
    let epoch_ms = duration_ms(&args.epoch).filter(|ms| *ms >= 60_000).ok_or_else(|| {
        Failure::usage("NET-CONFIG", format!("--epoch `{}` is not a duration of a minute or more", args.epoch))
            .hint("write a number and s, m, h, d or w, such as 1w")
    })?;
    let plan = Plan::of(&dataset, (!args.all).then_some(args.days), epoch_ms)?;
    let folder = Folder::at(&fresh_folder(args)?);
    super::init::make(&configuration(args, &plan, &folder))?;
    let running = super::up::start(&folder, Some(&args.listen), output)?;
    let url = format!("http://{}", running.address());
    output.say(format!("network up at {url}, files in {}", folder.root().display()));

    let client = Client::at(&url)?;
    let mut stage = Stage { client, folder, plan, output };
    let mut seconds = Seconds::default();
    let replaying = Instant::now();
    let chain = Domain::parse(CHAIN).map_err(|error| Failure::usage("NET-CONFIG", error))?;
    let mut cast = Cast::of(&dataset, &stage.plan.per_station, &chain, !args.no_attackers)?;
    let parts = Parts::cast(&stage.folder, &stage.client, &chain)?;
    let tallies = stage.play(&mut cast)?;
    seconds.replay = replaying.elapsed().as_secs_f64();
    let summary = stage.finish(args, &dataset, &cast, &parts, &tallies, &url, begun, seconds)?;
    let Some(found) = found_by(&summary.audit_report) else {
        output.show(&summary, text)?;
        return linger(args, running, output);
    };
    // A log that fails its audit is not served on.
    running.shutdown()?;
    let failure = Failure::wrong("AUD-FAIL", format!("the audit failed: {found}"));
    let failure = match &summary.tampered {
        Some(tampered) => failure.hint(format!("that is the byte the demo flipped, in entry {}", tampered.entry)),
        None => failure.hint("keep the folder, and report this"),
    };
    output.show_wrong(&summary, text, failure)
}

fn load(args: &Args, output: Output) -> Result<Dataset, Failure> {
    let loaded = match &args.dataset {
        Some(path) => Dataset::open(path),
        None => Dataset::germany_pm10(),
    };
    let dataset = loaded.map_err(|error| Failure::wrong(error.code(), &error).maybe_hint(error.hint()))?;
    for BadRow { line, reason } in dataset.bad_rows.iter().take(10) {
        output.say(format!("line {line} skipped: {reason}"));
    }
    if dataset.bad_rows.len() > 10 {
        output.say(format!("and {} more lines skipped", dataset.bad_rows.len() - 10));
    }
    Ok(dataset)
}

/// The folder asked for, or the first of `cairn-demo`, `cairn-demo-2`, ... that is free.
fn fresh_folder(args: &Args) -> Result<PathBuf, Failure> {
    if let Some(dir) = &args.dir {
        let is_taken = std::fs::read_dir(dir).is_ok_and(|mut entries| entries.next().is_some());
        if is_taken {
            return Err(Failure::wrong("NET-EXISTS", format!("{} is not empty", dir.display()))
                .hint("name a folder that is empty or does not exist yet"));
        }
        return Ok(dir.clone());
    }
    let name =
        |number: u32| PathBuf::from(if number == 1 { "cairn-demo".into() } else { format!("cairn-demo-{number}") });
    (1..).map(name).find(|path| !path.exists()).ok_or_else(|| Failure::failed("NET-IO", "no free folder name"))
}

fn configuration(args: &Args, plan: &Plan, folder: &Folder) -> super::init::Args {
    let mut rehearsed = vec![
        "recorded readings: stations did not sign them; the demo makes their keys and owners".to_owned(),
        "one operator plays every part, also those of three auditors".to_owned(),
        format!("embedded chain {CHAIN} in the network's folder: the contracts' own bytecode, coin out of nothing"),
    ];
    if !args.no_attackers {
        rehearsed.push("simulated attackers, labelled in the summary".to_owned());
    }
    if !args.no_compute {
        rehearsed.push(
            "one machine buys and sells the live job: order, run, replays and payment are real, its prices are made up"
                .to_owned(),
        );
    }
    super::init::Args {
        compute: !args.no_compute,
        name: if args.dataset.is_some() { "demo: your readings" } else { "demo: air quality" }.to_owned(),
        origin: "localhost/cairn-demo".to_owned(),
        epoch: format!("{}ms", plan.epoch_ms),
        grace: Some(format!("{}ms", plan.grace_ms)),
        chain: CHAIN.to_owned(),
        profile: if plan.daily { "sensing-daily-pm" } else { "sensing-station" }.to_owned(),
        recorded_clock_from: Some(plan.zero_ms),
        rehearsed,
        ..super::init::Args::of(folder.root())
    }
}

/// The demo while it runs.
struct Stage {
    client: Client,
    folder: Folder,
    plan: Plan,
    output: Output,
}

impl Stage {
    fn play(&mut self, cast: &mut Cast) -> Result<Tallies, Failure> {
        let info = self.client.network()?;
        let network = network_id(&info.network_id)?;
        let devices = cast.devices().count() as u64;
        let bar = self.output.progress("enrolling", devices);
        enrol(&self.client, cast, network, info.h3_resolution, info.time_ms, &bar)?;
        bar.finish_and_clear();
        // The clock's key is the operator's: the one part of the demo that only an operator can play.
        let clock = Key::read(&self.folder.key("clock")).and_then(Key::signing)?;
        let bar = self.output.progress("replaying", self.plan.readings() as u64);
        let tallies = replay(&self.client, cast, &self.plan, network, &clock, &bar)?;
        bar.finish_and_clear();
        await_checkpoint(&self.client)?;
        Ok(tallies)
    }

    #[expect(clippy::too_many_arguments, reason = "everything that the summary tells of")]
    fn finish(
        &self,
        args: &Args,
        dataset: &Dataset,
        cast: &Cast,
        parts: &Parts,
        tallies: &Tallies,
        url: &str,
        begun: Instant,
        mut seconds: Seconds,
    ) -> Result<Summary, Failure> {
        let settling = Instant::now();
        let chain = Domain::parse(CHAIN).map_err(|error| Failure::usage("NET-CONFIG", error))?;
        let clock = Key::read(&self.folder.key("clock")).and_then(Key::signing)?;
        let network = network_id(&self.client.network()?.network_id)?;
        let closes_ms = |epoch: u64| self.plan.zero_ms + (epoch + 1) * self.plan.epoch_ms + self.plan.grace_ms;
        let (client, folder, auditors) = (&self.client, &self.folder, parts.auditors());
        let mut trade = Trade::on(client, folder, network, &chain, &clock, auditors, &closes_ms, cast, dataset);
        let live = (!args.no_compute).then_some(&mut trade as &mut dyn Live);
        let settlement = parts.settle(&self.folder, url, self.output, live)?;
        let live = trade.traded;
        seconds.settlement = settling.elapsed().as_secs_f64();
        await_checkpoint(&self.client)?;
        let info = self.client.network()?;
        let books = Books::read(&self.client, info.epoch)?;
        let auditing = Instant::now();
        let mut audit_report = self.audit(network, info.epoch)?;
        seconds.audit = auditing.elapsed().as_secs_f64();
        let mut tampered = None;
        if args.tamper {
            tampered = Some(self.tamper(info.size / 2)?);
            audit_report = self.audit(network, info.epoch)?;
        }
        seconds.all = begun.elapsed().as_secs_f64();
        let reports = tallies.values().map(|tally| tally.accepted).sum();
        Ok(Summary {
            dir: self.folder.root().to_owned(),
            url: url.to_owned(),
            network: info.name.clone(),
            network_id: info.network_id.clone(),
            real: real(),
            recorded: recorded(args, dataset, &self.plan),
            rehearsed: info.rehearsed,
            stations: self.plan.stations(),
            readings: self.plan.readings(),
            first_day: day(self.plan.zero_ms),
            last_day: day(self.plan.steps.last().map_or(0, |step| step.end_ms - 1)),
            bad_rows: dataset
                .bad_rows
                .iter()
                .map(|row| BadRowLine { line: row.line, reason: row.reason.clone() })
                .collect(),
            entries: info.size,
            reports,
            epochs: books.epochs(),
            symbol: books.symbol().to_owned(),
            decimals: info.asset.map_or(0, |asset| asset.decimals),
            balance: books.balance().clone(),
            top_earners: books.top_earners(cast),
            worst_scores: books.worst_scores(cast),
            attackers: if args.no_attackers { Vec::new() } else { books.attackers(cast, tallies) },
            audit: if audit_report.passed() { "PASS" } else { "FAIL" },
            audit_report,
            settlement,
            live,
            tampered,
            seconds,
        })
    }

    fn audit(&self, network_id: NetworkId, epochs: u64) -> Result<AuditReport, Failure> {
        let bar = self.output.progress("auditing", epochs);
        let options = AuditOptions { network: Some(network_id), ..AuditOptions::default() };
        let report = cairn_audit::audit(&HttpSource::of(self.client.clone()), &options, &mut |progress| {
            if let cairn_audit::Progress::Epoch(_) = progress {
                bar.inc(1);
            }
        });
        bar.finish_and_clear();
        report.map_err(|error| Failure::failed(error.code(), &error).maybe_hint(error.hint()))
    }

    fn tamper(&self, from: u64) -> Result<Tampered, Failure> {
        let log = self.folder.log();
        let disk = cairn_log::StdDisk::create(&log).map_err(|error| Failure::io("open", &log, &error))?;
        let reader = cairn_log::LogReader::open(&disk)?;
        flip_a_byte(&log, from, |index| {
            if index >= reader.size() {
                return Ok(None);
            }
            Ok(Some(reader.entry(index)?))
        })
    }
}

fn network_id(text: &str) -> Result<NetworkId, Failure> {
    let hash = Hash::from_hex(text);
    hash.map(NetworkId).ok_or_else(|| Failure::failed("NET-ID", format!("`{text}` is not a network id")))
}

fn real() -> Vec<String> {
    ["keys, signatures, the log, verdicts, payouts, claim roots and the audit: the code that `cairn up` runs"
        .to_owned()]
    .into()
}

fn recorded(args: &Args, dataset: &Dataset, plan: &Plan) -> Vec<String> {
    let from = match &args.dataset {
        Some(path) => path.display().to_string(),
        None => "daily PM10 at rural background stations in Germany, European Environment Agency (AirBase)".to_owned(),
    };
    let shown = format!("{} of its {} stations, {} readings", plan.stations(), dataset.stations.len(), plan.readings());
    let mut said = vec![format!("{from}: {shown}")];
    if args.dataset.is_none() {
        said.push(
            "stations are few and far apart (in 1998 one, in 2009 about 40; neighbours 94 km away at the median)"
                .to_owned(),
        );
    }
    said
}

/// The day of a time, `YYYY-MM-DD` (proleptic Gregorian, UTC; Howard Hinnant's `civil_from_days`).
fn day(time_ms: u64) -> String {
    let days = time_ms / 86_400_000 + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

fn linger(args: &Args, running: Running, output: Output) -> Result<(), Failure> {
    if args.once {
        running.shutdown()?;
        return Ok(());
    }
    output.say("serving on; stop it with Ctrl-C");
    running.wait_for_signal()?;
    Ok(())
}

fn text(summary: &Summary) -> String {
    let mut text = String::new();
    let mut section = |title: &str, lines: &[String]| {
        let _ = writeln!(text, "\n{title}");
        for line in lines {
            let _ = writeln!(text, "  {line}");
        }
    };
    section(
        &format!("{}: {} to {}", summary.network, summary.first_day, summary.last_day),
        &[
            format!("network   {}", summary.network_id),
            format!(
                "entries   {} in the log, {} of them reports of {} stations and their guests",
                grouped(summary.entries.into()),
                grouped(summary.reports.into()),
                summary.stations
            ),
            format!("epochs    {} judged and paid", summary.epochs),
        ],
    );
    section("Real", &summary.real);
    section("Recorded", &summary.recorded);
    section("Rehearsed", &summary.rehearsed);
    section(&format!("The token ({}), all epochs", summary.symbol), &[balance_line(summary)]);
    let _ = write!(text, "\nTop earners\n{}", table(&summary.top_earners, &summary.symbol, summary.decimals));
    let _ =
        write!(text, "\nWorst scores, and why\n{}", table(&summary.worst_scores, &summary.symbol, summary.decimals));
    if !summary.attackers.is_empty() {
        let _ = writeln!(text, "\nAttackers");
        for attacker in &summary.attackers {
            let paid = attacker.device.as_ref().map_or_else(
                || "nothing".to_owned(),
                |line| format!("{} {}", tokens(line.paid, summary.decimals), summary.symbol),
            );
            let _ = writeln!(
                text,
                "  {}\n    sent {}, was paid {paid}; {}",
                attacker.attack, attacker.sent, attacker.outcome
            );
        }
    }
    let _ = writeln!(text, "\nAudit, from nothing but what is served: {}", audit_line(summary));
    text.push_str(&settled_text(&summary.settlement, &summary.symbol, summary.decimals));
    if let Some(live) = &summary.live {
        text.push_str(&live_text(live, summary));
    }
    let seconds = &summary.seconds;
    let _ = write!(
        text,
        "\nTook {:.1} s: replay {:.1} s, audit {:.1} s, settlement {:.1} s\n",
        seconds.all, seconds.replay, seconds.audit, seconds.settlement
    );
    text + &next_commands(summary)
}

fn settled_text(settled: &Settled, symbol: &str, decimals: u8) -> String {
    let amount = |units: &str| tokens(cairn_core::Amount::parse(units).unwrap_or_default(), decimals);
    let Settled { auditors, posted, epoch, accounts, below, tampered, gas, .. } = settled;
    let agrees = if settled.agrees { "as the log granted, to the base unit" } else { "NOT WHAT THE LOG GRANTED" };
    let (paid, left, balances) = (amount(&settled.paid), amount(&settled.left), amount(&settled.balances));
    let burned = match settled.burned.as_str() {
        "0" => String::new(),
        burned => format!("a buyer burned {} {symbol} for credit\n  ", amount(burned)),
    };
    format!(
        "\nSettled on {}, a rehearsal\n  {auditors} auditors of one operator recomputed every epoch and signed; the contract took {posted} epochs, \
         the last is {epoch}\n  pushed {paid} {symbol} to {accounts} accounts; {below} small ones may claim {left}\n  {burned}\
         read back from the token: {balances} {symbol}, {agrees}\n  gas: {} to post an epoch, {} to push to an account\n  \
         a statement of epoch {} with one token more: refused by an auditor ({}) and by the contract ({})\n",
        settled.chain, gas.post, gas.push, tampered.epoch, tampered.auditor, tampered.contract
    )
}

fn live_text(live: &Traded, summary: &Summary) -> String {
    let bought = match live {
        Traded::Nothing { nothing_bought } => return format!("\nLive: nothing was bought, for {nothing_bought}\n"),
        Traded::Bought(bought) => bought,
    };
    let symbol = &summary.symbol;
    let amount = |units: &str| tokens(cairn_core::Amount::parse(units).unwrap_or_default(), summary.decimals);
    let Bought { station, job, worker, gas, replays, epoch, forecast, .. } = &**bought;
    let agrees = if bought.agrees { "the same, byte for byte, and paid as stated" } else { "NOT WHAT WAS STATED" };
    let tenths = |value: i64| format!("{}.{}", value / 10, value % 10);
    let (last, next) = (u64::from(forecast.last_day) * 86_400_000, (u64::from(forecast.last_day) + 1) * 86_400_000);
    format!(
        "\nLive: the owner of {station} bought a forecast from this machine\n  job       {job}\n  \
         worker    {worker}, enrolled now; {gas} gas\n  \
         forecast  PM10 at {station} on {}: {} ug/m3 (measured {}, the day before {}); on {}: {} ug/m3\n  \
         paid      {} {symbol} to the worker, {} burned, {} to the owner of the model, {} back to the buyer's credit\n  \
         checked   {replays} auditors ran it again before epoch {epoch} settled it; the buyer's own run: {agrees}\n",
        day(last),
        tenths(forecast.said.into()),
        tenths(forecast.measured.into()),
        tenths(forecast.before.into()),
        day(next),
        tenths(forecast.tomorrow.into()),
        amount(&bought.worker_due),
        amount(&bought.burned),
        amount(&bought.licence),
        amount(&bought.returned),
    )
}

fn balance_line(summary: &Summary) -> String {
    let balance = serde_json::to_value(&summary.balance).unwrap_or_default();
    let part = |name: &str| {
        let amount = balance[name].as_str().and_then(|text| cairn_core::Amount::parse(text).ok()).unwrap_or_default();
        tokens(amount, summary.decimals)
    };
    let holds =
        if balance["balances"] == true { "balances in every epoch, to the base unit" } else { "DOES NOT BALANCE" };
    // Where nobody bought anything, nothing of it need be said.
    let bought = |text: &str, name: &str| match balance[name].as_str() {
        Some("0") | None => String::new(),
        Some(_) => format!(" + {text} {}", part(name)),
    };
    format!(
        "minted {}{} = paid {} + burned {} + unallocated {}{}; {holds}",
        part("minted"),
        bought("paid in by buyers", "deposited"),
        part("paid"),
        part("burned"),
        part("unallocated"),
        bought("buyers' credit", "credit")
    )
}

/// The first difference that an audit found, in words.
fn found_by(report: &AuditReport) -> Option<String> {
    report.difference().map(ToString::to_string)
}

fn audit_line(summary: &Summary) -> String {
    match (&summary.tampered, found_by(&summary.audit_report)) {
        (None, None) => "PASS, every byte recomputed".to_owned(),
        (None, Some(found)) => format!("FAIL\n  {found}"),
        (Some(tampered), found) => format!(
            "PASS; then one bit of entry {} was flipped in {}, and audited again: {}",
            tampered.entry,
            tampered.file,
            found.map_or("PASS, which is a fault of the audit".to_owned(), |found| format!("FAIL\n  {found}"))
        ),
    }
}

fn next_commands(summary: &Summary) -> String {
    let device = summary.worst_scores.first().or(summary.top_earners.first());
    let (id, epoch) = device.map_or((String::new(), 0), |line| (line.device.clone(), line.epoch.unwrap_or(0)));
    let url = &summary.url;
    let live = match &summary.live {
        Some(Traded::Bought(bought)) => {
            format!("  cairn replay {job} --url {url}\n  cairn job receipt {job} --url {url}\n", job = bought.job)
        }
        _ => String::new(),
    };
    format!(
        "\nTry next (`cairn up {dir}` serves it again when the demo has ended)\n  \
         cairn explain {id} {epoch} --url {url}\n  \
         cairn epoch show {last} --url {url}\n  \
         cairn audit {url} --network {network}\n  \
         cairn chain status --url {url} --embedded {dir}/chain\n{live}",
        dir = summary.dir.display(),
        last = summary.epochs.saturating_sub(1),
        network = summary.network_id,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_those_of_the_calendar() {
        for (time_ms, expected) in [
            (0, "1970-01-01"),
            (951_782_400_000, "2000-02-29"),
            (1_262_217_600_000, "2009-12-31"),
            (1_709_164_800_000, "2024-02-29"),
            (4_102_444_800_000, "2100-01-01"),
        ] {
            assert_eq!(day(time_ms), expected);
        }
    }
}
