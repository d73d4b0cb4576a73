//! The replay: from here on the demo is only a client over HTTP.
//!
//! One thread signs, the other sends; what each group of reports met is counted by who sent it.

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use cairn_api::{ResultRow, ResultStatus};
use cairn_client::Client;
use cairn_core::NetworkId;
use cairn_core::key::SecretKey;
use cairn_core::observation::{ObservationBody, sign_observation};
use indicatif::ProgressBar;

use super::cast::{Attacker, Cast, inflated};
use super::plan::{Plan, Step};
use crate::failure::Failure;

/// Who sent a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sender {
    /// A station of the data.
    Station,
    /// Sends a station's reports again.
    Replayer,
    /// Signs in a station's name.
    Forger,
    /// Signs a neighbour's values as its own.
    Copier,
    /// Signs inflated values.
    Inflator,
}

/// What became of what somebody sent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// Reports sent.
    pub sent: u64,
    /// Reports in the log.
    pub accepted: u64,
    /// Reports that were there before.
    pub duplicate: u64,
    /// Reports refused, by code.
    pub rejected: BTreeMap<String, u64>,
}

impl Tally {
    fn count(&mut self, row: &ResultRow) {
        self.sent += 1;
        match row.status {
            ResultStatus::Accepted => self.accepted += 1,
            ResultStatus::Duplicate => self.duplicate += 1,
            ResultStatus::Rejected => {
                *self.rejected.entry(row.code.clone().unwrap_or_default()).or_default() += 1;
            }
        }
    }
}

/// What became of everything, by sender.
pub type Tallies = BTreeMap<Sender, Tally>;

/// Signed bytes of one step, ready to send.
struct Upload {
    clock: Vec<u8>,
    reports: Vec<Vec<u8>>,
    senders: Vec<Sender>,
    readings: u64,
}

/// Steps signed ahead of the one being sent.
const AHEAD: usize = 64;

/// Reports per request.
const BATCH: usize = 512;

/// Enrols everybody.
///
/// # Errors
/// When the gateway refuses an enrolment.
pub fn enrol(
    client: &Client,
    cast: &Cast,
    network: NetworkId,
    resolution: u8,
    now_ms: u64,
    bar: &ProgressBar,
) -> Result<(), Failure> {
    for device in cast.devices() {
        let submitted = client.submit_statement(&device.enrolment(network, resolution, now_ms))?;
        for row in &submitted.response.results {
            if row.status == ResultStatus::Rejected {
                return Err(refused("an enrolment", row));
            }
        }
        bar.inc(1);
    }
    Ok(())
}

fn refused(what: &str, row: &ResultRow) -> Failure {
    let code = row.code.clone().unwrap_or_default();
    let detail = row.detail.clone().unwrap_or_default();
    Failure::failed(code, format!("{what} was refused: {detail}")).maybe_hint(row.hint.clone())
}

/// Sends every step of the plan, then moves the clock on until every epoch has closed.
///
/// # Errors
/// When the gateway cannot be reached or the clock is refused.
pub fn replay(
    client: &Client,
    cast: &mut Cast,
    plan: &Plan,
    network: NetworkId,
    clock: &SecretKey,
    bar: &ProgressBar,
) -> Result<Tallies, Failure> {
    let (to_send, uploads) = sync_channel(AHEAD);
    let tallies = std::thread::scope(|scope| {
        scope.spawn(|| sign_steps(cast, plan, network, clock, &to_send));
        // The receiver goes with the sender's loop: should that end early, signing ends too.
        send_steps(client, uploads, plan, bar)
    })?;
    let closing = sign_observation(clock, &network, &ObservationBody::clock(plan.closed_ms()));
    observe(client, &closing)?;
    Ok(tallies)
}

/// Waits until everything is under a checkpoint, as any reader would.
///
/// # Errors
/// `NET-DEMO` after half a minute.
pub fn await_checkpoint(client: &Client) -> Result<(), Failure> {
    for _ in 0..600 {
        let health = client.health()?;
        if health.checkpoint_size == health.size {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Err(Failure::failed("NET-DEMO", "no checkpoint covers the whole log after half a minute"))
}

/// Signs until everything is signed, or nobody listens any more.
fn sign_steps(cast: &mut Cast, plan: &Plan, network: NetworkId, clock: &SecretKey, to_send: &SyncSender<Upload>) {
    let mut overheard = None;
    for step in &plan.steps {
        let upload = sign_step(cast, step, network, clock, &mut overheard);
        if to_send.send(upload).is_err() {
            return;
        }
    }
}

fn sign_step(
    cast: &mut Cast,
    step: &Step,
    network: NetworkId,
    clock: &SecretKey,
    overheard: &mut Option<Vec<u8>>,
) -> Upload {
    let clock = sign_observation(clock, &network, &ObservationBody::clock(step.end_ms));
    let mut upload = Upload { clock, reports: Vec::new(), senders: Vec::new(), readings: 0 };
    let mut add = |sender, report| {
        upload.senders.push(sender);
        upload.reports.push(report);
    };
    if let Some(again) = overheard.take() {
        add(Sender::Replayer, again);
    }
    for (&station, readings) in &step.readings {
        let report = cast.stations[station].report(&network, readings);
        if cast.victim == Some(station) {
            *overheard = Some(report.clone());
        }
        add(Sender::Station, report);
    }
    if let Some(report) =
        cast.victim.and_then(|victim| step.readings.get(&victim)).and_then(|readings| cast.forge(&network, readings))
    {
        add(Sender::Forger, report);
    }
    if let Some(Attacker { device, source }) = &mut cast.copier
        && let Some(readings) = step.readings.get(source)
    {
        add(Sender::Copier, device.report(&network, readings));
    }
    if let Some(Attacker { device, source }) = &mut cast.inflator
        && let Some(readings) = step.readings.get(source)
    {
        add(Sender::Inflator, device.report(&network, &inflated(readings)));
    }
    upload.readings = step.readings.values().map(|readings| readings.len() as u64).sum();
    upload
}

fn send_steps(client: &Client, uploads: Receiver<Upload>, plan: &Plan, bar: &ProgressBar) -> Result<Tallies, Failure> {
    let mut tallies = Tallies::new();
    for _ in &plan.steps {
        let upload = uploads
            .recv()
            .map_err(|_| Failure::failed("NET-DEMO", "the signing thread ended before everything was signed"))?;
        observe(client, &upload.clock)?;
        for (reports, senders) in upload.reports.chunks(BATCH).zip(upload.senders.chunks(BATCH)) {
            let submitted = client.submit_reports(reports)?;
            for (sender, row) in senders.iter().zip(&submitted.response.results) {
                tallies.entry(*sender).or_default().count(row);
            }
        }
        bar.inc(upload.readings);
    }
    Ok(tallies)
}

fn observe(client: &Client, observation: &[u8]) -> Result<(), Failure> {
    let submitted = client.submit_observation(observation)?;
    match submitted.response.results.first() {
        Some(row) if row.status == ResultStatus::Rejected => Err(refused("the clock", row)),
        _ => Ok(()),
    }
}
