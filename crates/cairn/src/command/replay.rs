//! `cairn replay`: run a job again on this machine, and compare every byte with what its workers say.

use std::path::PathBuf;

use cairn_api::{ResultInfo, WordInfo};
use cairn_client::Client;
use cairn_core::Hash;
use cairn_core::statement::Blob;
use cairn_node::Found;
use serde::Serialize;

use crate::connect::Connect;
use crate::failure::Failure;
use crate::output::Output;
use crate::work::{contents, job_info, job_named, order_of, outcome_text, run_here, write_file};

/// Arguments of `cairn replay`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The job.
    job: String,
    /// Write the output that was found here into this file.
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    connect: Connect,
}

/// How a worker's result compares.
#[derive(Debug, Serialize)]
struct Compared {
    device: String,
    same: bool,
    /// What differs: `outcome`, `gas`, `output`, `digest`.
    differs: Vec<&'static str>,
    /// The first byte of the output that differs, where both are at hand.
    #[serde(skip_serializing_if = "Option::is_none")]
    first_byte: Option<u64>,
}

#[derive(Debug, Serialize)]
struct Replayed {
    job: String,
    outcome: u32,
    gas: u64,
    output: String,
    output_bytes: u64,
    digest: String,
    /// Whether auditors found the same; absent where no quorum has spoken.
    #[serde(skip_serializing_if = "Option::is_none")]
    truth_is_same: Option<bool>,
    workers: Vec<Compared>,
    rehearsed: Vec<String>,
}

/// Runs the command.
///
/// # Errors
/// `CMP-DIFFERS` where somebody says something else; when the job's contents are not to be had.
pub fn run(args: &Args, output: Output) -> Result<(), Failure> {
    let (job, client) = (job_named(&args.job)?, args.connect.client()?);
    let network = client.network()?;
    let info = job_info(&client, &job)?;
    let order = order_of(&network, &job, &info)?;
    let contents = contents(&client, &order)?;
    output.say("the order is its buyer's, and every blob what it says; running");
    let found = run_here(&job, &order, &contents)?;
    if let Some(file) = &args.output {
        write_file(file, &found.output)?;
    }
    let digest = found.result.digest(order.gas_table, &job).to_hex();
    let said = info.assigned.iter().filter_map(|worker| match &worker.word {
        WordInfo::Revealed { result, .. } => Some((worker.device.clone(), result)),
        _ => None,
    });
    let workers: Vec<Compared> =
        said.map(|(device, result)| compared(&client, device, result, &found, &digest)).collect();
    let replayed = Replayed {
        job: job.to_string(),
        outcome: found.result.outcome,
        gas: found.result.gas,
        output: found.result.output.to_hex(),
        output_bytes: found.result.output_bytes,
        truth_is_same: info.truth.as_ref().map(|truth| *truth == digest),
        digest,
        workers,
        rehearsed: network.rehearsed,
    };
    let wrong = replayed.workers.iter().filter(|worker| !worker.same).count();
    if wrong == 0 && replayed.truth_is_same != Some(false) {
        return output.show(&replayed, text);
    }
    let what = match replayed.truth_is_same {
        Some(false) => "auditors found something else than this machine".to_owned(),
        _ => format!("{wrong} of {} workers say something else than this machine found", replayed.workers.len()),
    };
    let failure = Failure::wrong("CMP-DIFFERS", what)
        .hint("one of both is wrong: run it on another machine, too; auditors settle it");
    output.show_wrong(&replayed, text, failure)
}

fn compared(client: &Client, device: String, said: &ResultInfo, found: &Found, digest: &str) -> Compared {
    let own = &found.result;
    let output_is_same =
        (said.output.hash.as_str(), said.output.bytes) == (own.output.to_hex().as_str(), own.output_bytes);
    let parts = [
        ("outcome", said.outcome == own.outcome),
        ("gas", said.gas == own.gas),
        ("output", output_is_same),
        ("digest", said.digest == digest),
    ];
    let differs: Vec<&'static str> = parts.into_iter().filter(|(_, same)| !same).map(|(what, _)| what).collect();
    let first_byte = if output_is_same { None } else { first_difference(client, said, &found.output) };
    Compared { device, same: differs.is_empty(), differs, first_byte }
}

/// Where a worker's output begins to differ, if it is to be had.
fn first_difference(client: &Client, said: &ResultInfo, own: &[u8]) -> Option<u64> {
    let blob = Blob { hash: Hash::from_hex(&said.output.hash)?, bytes: said.output.bytes };
    let other = client.get_blob(&blob).ok()?;
    let at = own.iter().zip(&other).position(|(own, other)| own != other);
    Some(at.unwrap_or(own.len().min(other.len())) as u64)
}

fn text(replayed: &Replayed) -> String {
    let Replayed { job, gas, output, output_bytes, digest, .. } = replayed;
    let mut text = format!(
        "job {job}, run here: {}\n  gas     {gas}\n  output  {output_bytes} bytes, SHA-256 {output}\n  digest  {digest}\n",
        outcome_text(replayed.outcome)
    );
    for worker in &replayed.workers {
        let same = match (worker.same, worker.first_byte) {
            (true, _) => "says the same, to the last byte".to_owned(),
            (false, Some(at)) => format!("differs in {}; the output from byte {at} on", worker.differs.join(", ")),
            (false, None) => format!("differs in {}", worker.differs.join(", ")),
        };
        text.push_str(&format!("  worker  {} {same}\n", worker.device));
    }
    if replayed.workers.is_empty() {
        text.push_str("  worker  none has said a result yet\n");
    }
    match replayed.truth_is_same {
        Some(true) => text.push_str("  truth   a quorum of auditors found the same\n"),
        Some(false) => text.push_str("  truth   a quorum of auditors found something else\n"),
        None => {}
    }
    text
}
