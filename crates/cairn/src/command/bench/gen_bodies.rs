//! `cairn bench gen`: signed request bodies in files, for any HTTP load tool.

use std::path::{Path, PathBuf};

use cairn_ledger::wall_ms;
use serde::Serialize;

use super::fleet::{Fleet, spread};
use super::ingest::enrol;
use super::lane::{PATH, Turns, media_type};
use crate::connect::{Connect, network_id};
use crate::failure::Failure;
use crate::output::Output;

/// The file that says what the others are.
const INDEX: &str = "index.json";

/// Arguments of `cairn bench gen`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The folder to write to; made if it does not exist.
    dir: PathBuf,
    /// Devices to enrol; each signs with a key of its own.
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..))]
    devices: u32,
    /// Reports in one request.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=16_384))]
    batch: u32,
    /// Requests to write, one file each.
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..))]
    requests: u32,
    /// Percent of the devices that sign with P-256.
    #[arg(long, default_value = "0", value_parser = super::parse_share)]
    p256_share: u8,
    #[command(flatten)]
    connect: Connect,
}

/// What the files are.
#[derive(Debug, Serialize)]
struct Index {
    method: &'static str,
    url: String,
    path: &'static str,
    content_type: &'static str,
    network_id: String,
    devices: u32,
    reports_per_request: u32,
    /// Each may be sent once; a second time it is answered as a duplicate.
    files: Vec<String>,
    rehearsed: Vec<String>,
}

/// Runs the command.
///
/// # Errors
/// When the network is no rehearsal, refuses an enrolment, or a file cannot be written.
pub fn run(args: &Args, output: Output) -> Result<(), Failure> {
    let client = args.connect.client()?;
    let info = client.network()?;
    if info.rehearsed.is_empty() {
        let what = format!("{} is not a rehearsal, and simulated devices would join it for ever", info.name);
        return Err(Failure::wrong("NET-NOT-REHEARSED", what)
            .hint("make a network for it: cairn init <folder> --rehearsed \"simulated devices\""));
    }
    std::fs::create_dir_all(&args.dir).map_err(|error| Failure::io("make", &args.dir, &error))?;
    let fleet = Fleet::make(network_id(&info)?, args.devices as usize, args.p256_share)?;
    enrol(&fleet, &client, output)?;
    let turns = Turns { devices: 0..fleet.devices.len(), time_ms: wall_ms() };
    let files: Vec<String> = (0..args.requests).map(|request| format!("{request:08}.body")).collect();
    let batch = args.batch as usize;
    let written = spread(0..files.len(), |range| -> Result<(), Failure> {
        for request in range {
            write(&args.dir.join(&files[request]), &turns.body(&fleet, request, batch)?)?;
        }
        Ok(())
    });
    written.into_iter().collect::<Result<(), _>>()?;
    let index = Index {
        method: "POST",
        url: format!("{}{PATH}", client.url()),
        path: PATH,
        content_type: media_type(batch),
        network_id: info.network_id,
        devices: args.devices,
        reports_per_request: args.batch,
        files,
        rehearsed: info.rehearsed,
    };
    let json = serde_json::to_vec_pretty(&index)
        .map_err(|error| Failure::failed("NET-JSON", format!("cannot write JSON: {error}")))?;
    write(&args.dir.join(INDEX), &json)?;
    output.show(&index, |index| {
        let dir = args.dir.display();
        format!(
            "{} request bodies of {} reports each are in {dir}\n  send them  POST {}\n  as         {}\n  index      {dir}/{INDEX}",
            index.files.len(),
            index.reports_per_request,
            index.url,
            index.content_type
        )
    })
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    std::fs::write(path, bytes).map_err(|error| Failure::io("write", path, &error))
}
