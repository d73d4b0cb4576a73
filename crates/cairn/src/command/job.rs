//! `cairn job`: see jobs, their results and receipts; take one back.

mod receipt;

use std::path::PathBuf;
use std::time::Duration;

use cairn_api::{BlobInfo, JobInfo, JobList, NetworkInfo};
use cairn_client::{Client, ClientError};
use cairn_core::statement::{Blob, Body};
use cairn_core::{Hash, JobId};
use clap::{Subcommand, ValueEnum};
use serde::Serialize;

use crate::connect::Connect;
use crate::failure::Failure;
use crate::keys::wallet_from;
use crate::output::Output;
use crate::words::utc;
use crate::work::{
    Ground, by_wallet, contents, job_info, job_named, job_text, order_of, outcome_text, run_here, standing, write_file,
};

/// How long to wait between two looks at a job.
const LOOK: Duration = Duration::from_millis(500);

/// Arguments of `cairn job`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show a job: its order, its workers, what was said of it.
    Show(ShowArgs),
    /// Show the result that stands, and write the output.
    Result(ResultArgs),
    /// Prove what was paid for a job, or check such a proof without the network.
    ///
    /// A receipt holds the order, the sale and the epoch statement, each with the proof that it is what the log has.
    Receipt(receipt::Args),
    /// Take an order back, while nobody has sealed a result.
    Cancel(CancelArgs),
    /// List jobs.
    List(ListArgs),
}

#[derive(Debug, clap::Args)]
struct ShowArgs {
    /// The job.
    job: String,
    #[command(flatten)]
    connect: Connect,
}

#[derive(Debug, clap::Args)]
struct ResultArgs {
    /// The job.
    job: String,
    /// Wait until it is there.
    #[arg(long)]
    wait: bool,
    /// Write the output into this file.
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    connect: Connect,
}

#[derive(Debug, clap::Args)]
struct CancelArgs {
    /// The job.
    job: String,
    /// The buyer's wallet: a key file or a keystore.
    #[arg(long, value_name = "FILE")]
    wallet: PathBuf,
    /// A file with the keystore's password.
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    #[command(flatten)]
    connect: Connect,
}

/// Where jobs stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum State {
    /// Something is expected of workers.
    Open,
    /// Nothing more is heard of workers, and it is not settled.
    Done,
    /// To be run again by auditors.
    Drawn,
    /// Judged and billed.
    Settled,
}

#[derive(Debug, clap::Args)]
struct ListArgs {
    /// Only those of this buyer, CAIP-10.
    #[arg(long, value_name = "ACCOUNT")]
    buyer: Option<String>,
    /// Only those assigned to this worker.
    #[arg(long, value_name = "DEVICE")]
    worker: Option<String>,
    /// Only those that stand so.
    #[arg(long, value_enum)]
    state: Option<State>,
    /// Only those after this one.
    #[arg(long, value_name = "JOB")]
    after: Option<String>,
    /// At most so many.
    #[arg(long, value_name = "N", default_value_t = 20)]
    limit: u64,
    #[command(flatten)]
    connect: Connect,
}

/// Runs the command.
///
/// # Errors
/// When there is no such job, or the gateway cannot be reached or refuses.
pub fn run(args: &Args, output: Output) -> Result<(), Failure> {
    match &args.command {
        Command::Show(args) => show(args, output),
        Command::Result(args) => result(args, output),
        Command::Receipt(args) => receipt::run(args, output),
        Command::Cancel(args) => cancel(args, output),
        Command::List(args) => list(args, output),
    }
}

fn show(args: &ShowArgs, output: Output) -> Result<(), Failure> {
    let (job, client) = (job_named(&args.job)?, args.connect.client()?);
    let network = client.network()?;
    let info = job_info(&client, &job)?;
    // What is shown of the order is what its buyer signed.
    let order = order_of(&network, &job, &info)?;
    let info = JobInfo { order: cairn_ledger::order_info(&order), ..info };
    output.show(&info, |info| job_text(info, network.asset.as_ref()))
}

/// What came of a job.
#[derive(Debug, Clone, Serialize)]
pub struct Outcome {
    job: String,
    /// How it ended, by number and in words.
    outcome: u32,
    outcome_text: String,
    gas: u64,
    output: BlobInfo,
    digest: String,
    /// Why this result stands.
    ground: Ground,
    /// `gateway`, or `here` where nobody had left the output and it was made again on this machine.
    output_from: &'static str,
}

impl Outcome {
    /// In words.
    #[must_use]
    pub fn text(&self) -> String {
        let Self { gas, digest, output, .. } = self;
        format!(
            "{}\n  gas      {gas}\n  output   {} bytes, SHA-256 {}\n  digest   {digest}\n  stands   {}\n",
            self.outcome_text,
            output.bytes,
            output.hash,
            self.ground.text()
        )
    }

    /// The same, unless the run ended otherwise than it should.
    ///
    /// # Errors
    /// The code of the outcome.
    pub fn checked(self) -> Result<Self, Failure> {
        if self.outcome == 0 {
            return Ok(self);
        }
        let code = self.outcome_text.split(':').next().unwrap_or("RUN-OTHER").to_owned();
        let document = serde_json::to_value(&self).ok().map(|outcome| serde_json::json!({ "outcome": outcome }));
        Err(Failure::wrong(code, format!("job {} ended otherwise than it should: {}", self.job, self.outcome_text))
            .with_document(document))
    }
}

/// Waits until nothing more is heard of a job's workers.
///
/// # Errors
/// When there is no such job.
pub fn await_done(client: &Client, job: &JobId, output: Output) -> Result<JobInfo, Failure> {
    let mut before = String::new();
    loop {
        let info = job_info(client, job)?;
        let said = info.assigned.iter().filter(|worker| worker.word != cairn_api::WordInfo::Silent).count();
        let now = format!("{}: {said} of {} workers have spoken", info.phase, info.assigned.len());
        if now != before {
            output.say(&now);
            before = now;
        }
        if matches!(info.phase.as_str(), "done" | "settled") {
            return Ok(info);
        }
        std::thread::sleep(LOOK);
    }
}

/// The result that stands, and its output: checked by its hash, or made again here where nobody has left it.
///
/// # Errors
/// As [`standing`], or that the output is neither to be had nor to be made.
pub fn outcome(
    client: &Client,
    network: &NetworkInfo,
    job: &JobId,
    info: &JobInfo,
) -> Result<(Outcome, Vec<u8>), Failure> {
    let (result, ground) = standing(info)?;
    let hash = Hash::from_hex(&result.output.hash)
        .ok_or_else(|| Failure::failed("NET-ANSWER", "the gateway names an output that is no hash"))?;
    let blob = Blob { hash, bytes: result.output.bytes };
    let (bytes, output_from) = if blob.bytes == 0 {
        (Vec::new(), "gateway")
    } else {
        match client.get_blob(&blob) {
            Ok(bytes) => (bytes, "gateway"),
            Err(error) => (made_again(client, network, job, info, &blob, error)?, "here"),
        }
    };
    let outcome = Outcome {
        job: job.to_string(),
        outcome: result.outcome,
        outcome_text: outcome_text(result.outcome),
        gas: result.gas,
        output: result.output,
        digest: result.digest,
        ground,
        output_from,
    };
    Ok((outcome, bytes))
}

/// An output that the gateway has not: whoever has the contents can make it.
fn made_again(
    client: &Client,
    network: &NetworkInfo,
    job: &JobId,
    info: &JobInfo,
    blob: &Blob,
    error: ClientError,
) -> Result<Vec<u8>, Failure> {
    let order = order_of(network, job, info)?;
    let contents = contents(client, &order).map_err(|_| Failure::from(error))?;
    let found = run_here(job, &order, &contents)?;
    if (found.result.output, found.result.output_bytes) == (blob.hash, blob.bytes) {
        return Ok(found.output);
    }
    Err(Failure::wrong("CMP-DIFFERS", "nobody has left the output, and the job gives another one on this machine")
        .hint("compare: cairn replay JOB"))
}

fn result(args: &ResultArgs, output: Output) -> Result<(), Failure> {
    let (job, client) = (job_named(&args.job)?, args.connect.client()?);
    let network = client.network()?;
    let info = if args.wait { await_done(&client, &job, output)? } else { job_info(&client, &job)? };
    let (found, bytes) = outcome(&client, &network, &job, &info)?;
    if let Some(file) = &args.output {
        write_file(file, &bytes)?;
    }
    output.show(&found.checked()?, Outcome::text)
}

fn cancel(args: &CancelArgs, output: Output) -> Result<(), Failure> {
    let (job, client) = (job_named(&args.job)?, args.connect.client()?);
    let wallet = wallet_from(&args.wallet, args.password_file.as_deref())?;
    let network = client.network()?;
    let signed = by_wallet(&client, &network, (&wallet, &args.wallet), Body::Cancel(job))?;
    let document = serde_json::json!({
        "job": job.to_string(),
        "index": signed.index,
        "network_id": network.network_id,
        "rehearsed": network.rehearsed,
    });
    output
        .show(&document, |_| format!("job {job} is cancelled by entry {}; what it locked is free again", signed.index))
}

fn list(args: &ListArgs, output: Output) -> Result<(), Failure> {
    let client = args.connect.client()?;
    let mut query = Vec::new();
    query.extend(args.buyer.as_ref().map(|buyer| format!("buyer={buyer}")));
    query.extend(args.worker.as_ref().map(|worker| format!("worker={worker}")));
    let state = args.state.and_then(|state| Some(state.to_possible_value()?.get_name().to_owned()));
    query.extend(state.map(|state| format!("state={state}")));
    let list = client.jobs(&query.join("&"), args.after.as_deref(), Some(args.limit))?;
    output.show(&list, list_text)
}

fn list_text(list: &JobList) -> String {
    let mut text = String::new();
    for job in &list.jobs {
        text.push_str(&format!("{}  {:<10}  {}  entry {}\n", job.job, job.phase, utc(job.received_ms), job.index));
    }
    if list.jobs.is_empty() {
        text.push_str("no job\n");
    }
    if let Some(next) = &list.next {
        text.push_str(&format!("more: --after {next}\n"));
    }
    text
}
