//! `cairn bench ingest`: reports acknowledged a second by a real server process, beside the verifying of their signatures.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use cairn_api::{NetworkInfo, ResultStatus, SubmitResponse};
use cairn_client::Client;
use cairn_core::NetworkId;
use cairn_ledger::wall_ms;
use cairn_log::Promise;
use cairn_merkle::NoteVerifier;

use super::fleet::{Fleet, threads};
use super::lane::{Lane, Turns};
use super::place::{Needs, Place};
use super::summary::{HalfLoad, Summary, cpu_ratio, cpu_s_per_million, over, per_second, percentile_ms};
use super::traffic::{Pace, Sent, send};
use super::usage::{cpu_of, memory_of};
use super::verify::{self, Verified};
use crate::connect::network_id;
use crate::failure::Failure;
use crate::output::Output;

/// Reports whose signatures are verified alone, over and over.
const VERIFIED: usize = 4_096;
/// For how long, at most; a short measurement takes half of its time for it.
const VERIFYING: Duration = Duration::from_secs(2);
/// Enrolments in one request.
const ENROLMENTS: usize = 2_000;
/// What one report a request cannot pass on any machine by much: what is prepared for each second and core.
const SINGLES_PER_S: u64 = 30_000;

/// Arguments of `cairn bench ingest`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Devices to enrol; each signs with a key of its own.
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..))]
    devices: u32,
    /// Reports in one request.
    #[arg(long, default_value_t = 512, value_parser = clap::value_parser!(u32).range(1..=16_384))]
    batch: u32,
    /// Connections, each of which waits for its answer before it sends on.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    connections: u32,
    /// How long to send at full speed; half as long again at half the speed.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=3_600))]
    seconds: u32,
    /// Percent of the devices that sign with P-256.
    #[arg(long, default_value = "0", value_parser = super::parse_share)]
    p256_share: u8,
    /// The folder below which the network is made and removed again: its disk is measured too [default: the system's
    /// folder for temporary files]
    #[arg(long)]
    dir: Option<PathBuf>,
}

/// Runs the command.
///
/// # Errors
/// `NET-BENCH`; what `cairn init` and `cairn up` refuse.
pub fn run(args: &Args, output: Output) -> Result<(), Failure> {
    if args.devices < args.connections {
        let what = format!("{} connections for {} devices", args.connections, args.devices);
        return Err(Failure::usage("NET-BENCH", what).hint("each connection sends for devices of its own"));
    }
    let needs = Needs { connections: args.connections, batch: args.batch };
    let place = Place::start(&args.dir.clone().unwrap_or_else(std::env::temp_dir), needs)?;
    let client = Client::at(&place.url)?;
    let info = client.network()?;
    let run = Run { args, output, place, client, network: network_id(&info)?, info, needs };
    let summary = run.measure()?;
    output.show(&summary, Summary::text)
}

struct Run<'a> {
    args: &'a Args,
    output: Output,
    place: Place,
    client: Client,
    network: NetworkId,
    info: NetworkInfo,
    needs: Needs,
}

/// What the phases found.
struct Found {
    enrolled_per_s: u64,
    enrolled_rss: Option<u64>,
    verified: Verified,
    bytes_per_report: u64,
    full: Sent,
    server_cpu: Option<Duration>,
    half: Option<Sent>,
    promises_checked: u64,
}

impl Run<'_> {
    fn measure(&self) -> Result<Summary, Failure> {
        let Args { devices, p256_share, .. } = *self.args;
        self.output.say(format!("enrolling {devices} devices"));
        let fleet = Fleet::make(self.network, devices as usize, p256_share)?;
        let begun = Instant::now();
        enrol(&fleet, &self.client, self.output)?;
        let enrolled_per_s = per_second(devices.into(), begun.elapsed());
        let enrolled_rss = memory_of(self.place.pid).map(|(_, now)| now);
        let turns = Turns::share_out(fleet.devices.len(), self.args.connections as usize, wall_ms());
        self.output.say("verifying signatures alone");
        let (verified, bytes_per_report) = self.verify_alone(&fleet, &turns)?;
        let lanes = self.prepare(&fleet, &turns, &verified)?;
        let found = self.send(lanes, verified)?;
        Ok(self.summary(Found { enrolled_per_s, enrolled_rss, bytes_per_report, ..found }))
    }

    fn verify_alone(&self, fleet: &Fleet, turns: &[Turns]) -> Result<(Verified, u64), Failure> {
        // Request by request as they will be sent, from one connection after the other.
        let batch = self.args.batch as usize;
        let mut reports = Vec::with_capacity(VERIFIED + batch);
        for request in 0.. {
            for lane in turns {
                for number in request * batch..(request + 1) * batch {
                    reports.push(lane.report(fleet, number)?);
                }
            }
            if reports.len() >= VERIFIED {
                break;
            }
        }
        let bytes: usize = reports.iter().map(|(_, bytes)| bytes.len()).sum();
        let least = VERIFYING.min(Duration::from_secs(self.args.seconds.into()) / 2);
        let verified = verify::measure(fleet, &self.network, &reports, least)?;
        Ok((verified, bytes.div_ceil(reports.len()) as u64))
    }

    /// Signs as much as can be acknowledged at the most, for both phases.
    fn prepare(&self, fleet: &Fleet, turns: &[Turns], verified: &Verified) -> Result<Vec<Lane>, Failure> {
        let Args { batch, connections, seconds, .. } = *self.args;
        let verifiable = per_second(verified.count, verified.wall);
        let cores = threads() as u64;
        let per_s = if batch == 1 { verifiable.min(SINGLES_PER_S * cores) } else { verifiable };
        // Half as much again for a quarter of the reports at half the speed for half the time, and to spare.
        let reports = per_s * u64::from(seconds) * 3 / 2;
        let per_lane = reports.div_ceil(u64::from(batch) * u64::from(connections)).max(4);
        let per_lane = usize::try_from(per_lane).unwrap_or(usize::MAX);
        let bar = self.output.progress("signing", turns.len() as u64);
        let host = self.place.url.trim_start_matches("http://");
        let lanes = turns.iter().map(|turns| {
            let lane = Lane::prepare(fleet, turns, per_lane, batch as usize, host);
            bar.inc(1);
            lane
        });
        let lanes = lanes.collect();
        bar.finish_and_clear();
        lanes
    }

    fn send(&self, lanes: Vec<Lane>, verified: Verified) -> Result<Found, Failure> {
        let Args { batch, connections, seconds, .. } = *self.args;
        let host = self.place.url.trim_start_matches("http://");
        let to: SocketAddr = host.parse().map_err(|_| Failure::failed("NET-BENCH", format!("{host} is no address")))?;
        self.output.say(format!("sending for {seconds} s as fast as {connections} connections may"));
        let lasting = Duration::from_secs(seconds.into());
        let size_before = self.client.network()?.size;
        let before = cpu_of(self.place.pid);
        let (full, lanes) = send(to, lanes, batch as usize, Pace { lasting, every: None })?;
        let server_cpu = before.zip(cpu_of(self.place.pid)).map(|(before, after)| after.saturating_sub(before));
        let half_per_s = per_second(full.acked, full.wall) / 2;
        self.output.say(format!("sending {half_per_s} reports a second"));
        let each_ns = u64::from(batch) * u64::from(connections) * 1_000_000_000 / half_per_s.max(1);
        let pace = Pace { lasting: lasting / 2, every: Some(Duration::from_nanos(each_ns)) };
        let (half, _) = send(to, lanes, batch as usize, pace)?;
        let logged = self.client.network()?.size.saturating_sub(size_before);
        if logged < full.acked + half.acked {
            let what = format!("{} reports were acknowledged and {logged} entries logged", full.acked + half.acked);
            return Err(Failure::wrong("NET-BENCH", what));
        }
        let promises_checked = check_promises(&full.kept, &self.info)? + check_promises(&half.kept, &self.info)?;
        let half = (half.requests > 0).then_some(half);
        let (enrolled_per_s, enrolled_rss, bytes_per_report) = (0, None, 0);
        Ok(Found { enrolled_per_s, enrolled_rss, bytes_per_report, verified, full, server_cpu, half, promises_checked })
    }

    fn summary(&self, found: Found) -> Summary {
        let Found { verified, full, half, server_cpu, .. } = &found;
        let acked_per_s = per_second(full.acked, full.wall);
        let verify_per_s = per_second(verified.count, verified.wall);
        let memory = memory_of(self.place.pid);
        Summary {
            acked_per_s,
            verify_per_s,
            ratio: cpu_ratio(verified, *server_cpu, full.acked),
            ratio_wall: over(acked_per_s.into(), verify_per_s.into()),
            p50_ms: percentile_ms(&full.latencies_us, 50),
            p99_ms: percentile_ms(&full.latencies_us, 99),
            cpu_s_per_million: cpu_s_per_million(*server_cpu, full.acked),
            verify_cpu_s_per_million: cpu_s_per_million(verified.cpu, verified.count),
            client_cpu_s_per_million: cpu_s_per_million(full.client_cpu, full.acked),
            peak_rss_bytes: memory.map(|(peak, _)| peak),
            enrolled_rss_bytes: found.enrolled_rss,
            end_rss_bytes: memory.map(|(_, now)| now),
            bytes_per_report: found.bytes_per_report,
            half_load: half.as_ref().map(HalfLoad::of),
            acked: full.acked + half.as_ref().map_or(0, |half| half.acked),
            requests: full.requests,
            seconds: over(full.wall.as_millis(), 1_000),
            promises_checked: found.promises_checked,
            devices: self.args.devices.into(),
            enrolled_per_s: found.enrolled_per_s,
            batch: self.args.batch.into(),
            connections: self.args.connections.into(),
            p256_share: self.args.p256_share,
            cores: threads() as u64,
            limits: self.needs.limits().into_iter().collect(),
            rehearsed: self.info.rehearsed.clone(),
        }
    }
}

/// Enrols every device.
///
/// # Errors
/// The first refusal.
pub fn enrol(fleet: &Fleet, client: &Client, output: Output) -> Result<(), Failure> {
    let count = fleet.devices.len();
    let bar = output.progress("enrolling", count as u64);
    for start in (0..count).step_by(ENROLMENTS) {
        let range = start..(start + ENROLMENTS).min(count);
        let done = range.end as u64;
        let submitted = client.submit_statements(&fleet.enrolments(range)?)?;
        if let Some(row) = submitted.response.results.iter().find(|row| row.status != ResultStatus::Accepted) {
            let code = row.code.clone().unwrap_or_else(|| "NET-BENCH".to_owned());
            return Err(Failure::wrong(code, row.detail.as_deref().unwrap_or("an enrolment was refused")));
        }
        bar.set_position(done);
    }
    bar.finish_and_clear();
    Ok(())
}

/// Opens the promises of answers: each is signed by the network's key and names every index of its answer.
fn check_promises(answers: &[Vec<u8>], info: &NetworkInfo) -> Result<u64, Failure> {
    let wrong = |what: String| Failure::wrong("NET-PROMISE", what);
    let key: NoteVerifier =
        info.promise_vkey.parse().map_err(|error: cairn_merkle::MerkleError| wrong(error.to_string()))?;
    for answer in answers {
        let answer: SubmitResponse = serde_json::from_slice(answer)
            .map_err(|error| Failure::failed("NET-ANSWER", format!("an answer is not JSON: {error}")))?;
        let promise = Promise::open(&answer.promise, &key)?;
        let named = |index: u64| promise.entries.iter().any(|(promised, _)| *promised == index);
        let names_all = answer.results.iter().all(|row| row.index.is_some_and(named));
        if promise.network.to_string() != info.network_id || !names_all {
            return Err(wrong("a promise is for another network, or does not name what was accepted".to_owned()));
        }
    }
    Ok(answers.len() as u64)
}
