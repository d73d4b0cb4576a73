//! `cairn send`: sign readings from standard input and send them, keeping the gateway's promises.
//!
//! Names go on where the network's knowledge ends: the boot counter is one above the last, `seq` counts from 0. A batch is
//! sent when it is full, when the input pauses, or when it ends; what a broken connection may have lost is sent again,
//! and answered as a duplicate if it was not. What came too fast is sent again when the gateway says.

use std::collections::BTreeMap;
use std::io;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::Duration;

use cairn_api::{ResultRow, ResultStatus};
use cairn_classes::sensing::{Body, SCHEMA};
use cairn_client::{Client, ClientError, Retries};
use cairn_core::key::SecretKey;
use cairn_core::report::{ReportBody, sign_report};
use cairn_core::{DeviceId, NetworkId};
use cairn_ledger::wall_ms;
use indicatif::ProgressBar;
use serde::Serialize;

use crate::connect::{Connect, device_of_key, network_id};
use crate::failure::Failure;
use crate::keys::Key;
use crate::output::Output;
use crate::promises::PromiseFile;
use crate::readings::{Reading, Row, read_rows};
use crate::words::count;

/// How long the input may pause before what is at hand is sent.
const PAUSE: Duration = Duration::from_millis(500);
/// The code of a report that came too fast, and may come again.
const TOO_FAST: &str = "RPT-RATE";
/// The most rows that were not taken which are listed one by one.
const LISTED_MAX: usize = 100;

/// Arguments of `cairn send`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The device's key file.
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// The device's id, when its key is not its first one [default: the key's]
    #[arg(long, value_name = "ID")]
    device: Option<String>,
    #[command(flatten)]
    connect: Connect,
    /// Reports sent at once.
    #[arg(long, value_name = "N", default_value = "200")]
    batch: NonZeroUsize,
    /// Where the gateway's promises are kept [default: the key file with .promises]
    #[arg(long, value_name = "FILE")]
    promises: Option<PathBuf>,
}

/// A row that was not taken.
#[derive(Debug, Serialize)]
struct Refused {
    line: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<String>,
    detail: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
}

/// What became of the input.
#[derive(Debug, Serialize)]
struct Sent {
    device: String,
    network_id: String,
    boot: u32,
    accepted: u64,
    duplicate: u64,
    rejected: u64,
    bad_rows: u64,
    codes: BTreeMap<String, u64>,
    first_index: Option<u64>,
    last_index: Option<u64>,
    refused: Vec<Refused>,
    promises: PathBuf,
    rehearsed: Vec<String>,
}

/// Runs the command.
///
/// # Errors
/// When the device is not enrolled, the gateway cannot be reached, or a row was not taken.
pub fn run(args: &Args, output: Output) -> Result<(), Failure> {
    let key = Key::read(&args.key)?.signing()?;
    let device = match &args.device {
        Some(text) => DeviceId::parse(text).map_err(|error| Failure::usage("NET-DEVICE", error))?,
        None => DeviceId::of_key(&key.public().multicodec()),
    };
    let retries = Retries { attempts: 8, ..Retries::default() };
    let client = Client::patient(&args.connect.address(), retries)?;
    let network = client.network()?;
    let boot = next_boot(&client, &device, &key)?;
    let promises = PromiseFile::beside(&args.key, args.promises.as_deref())?;
    let sent = Sent {
        device: device.to_string(),
        network_id: network.network_id.clone(),
        boot,
        accepted: 0,
        duplicate: 0,
        rejected: 0,
        bad_rows: 0,
        codes: BTreeMap::new(),
        first_index: None,
        last_index: None,
        refused: Vec::new(),
        promises: promises.path().to_owned(),
        rehearsed: network.rehearsed.clone(),
    };
    let mut sender = Sender {
        client,
        key,
        device,
        network: network_id(&network)?,
        batch_max: args.batch.get(),
        batch: Vec::new(),
        seq: 0,
        promises,
        bar: output.progress("sending", 0),
        output,
        sent,
    };
    let done = sender.send_all();
    sender.bar.finish_and_clear();
    sender.finish(done)
}

fn next_boot(client: &Client, device: &DeviceId, key: &SecretKey) -> Result<u32, Failure> {
    let known = device_of_key(client, device, &key.public(), "enrol the device first: `cairn enrol`")?;
    let (last_boot, _) = known.last_name.unwrap_or_default();
    last_boot
        .checked_add(1)
        .ok_or_else(|| Failure::wrong("NET-NAMES", format!("{device} has used up its boot counter")))
}

/// What the thread that reads standard input says.
enum Input {
    Row(Row),
    Failed(io::Error),
}

fn read_input() -> Receiver<Input> {
    let (to_sender, rows) = sync_channel(1_024);
    std::thread::spawn(move || {
        let read = read_rows(io::stdin().lock(), |row| to_sender.send(Input::Row(row)).is_ok());
        if let Err(error) = read {
            // Nobody listens any more when sending has failed, and that is said there.
            let _ = to_sender.send(Input::Failed(error));
        }
    });
    rows
}

struct Sender {
    client: Client,
    key: SecretKey,
    device: DeviceId,
    network: NetworkId,
    batch_max: usize,
    /// Signed reports with the lines they come from.
    batch: Vec<(u64, Vec<u8>)>,
    seq: u32,
    promises: PromiseFile,
    bar: ProgressBar,
    output: Output,
    sent: Sent,
}

impl Sender {
    fn send_all(&mut self) -> Result<(), Failure> {
        let rows = read_input();
        loop {
            let next = if self.batch.is_empty() {
                rows.recv().map_err(|_| RecvTimeoutError::Disconnected)
            } else {
                rows.recv_timeout(PAUSE)
            };
            match next {
                Ok(Input::Row(row)) => self.take(row)?,
                Ok(Input::Failed(error)) => return Err(bad_input(&error)),
                Err(RecvTimeoutError::Timeout) => self.flush()?,
                Err(RecvTimeoutError::Disconnected) => return self.flush(),
            }
            if self.batch.len() >= self.batch_max {
                self.flush()?;
            }
        }
    }

    fn take(&mut self, row: Row) -> Result<(), Failure> {
        self.bar.inc_length(1);
        let signed = row.map_err(|bad| (bad.line, bad.reason)).and_then(|reading| {
            let line = reading.line;
            self.sign(reading).map(|report| (line, report)).map_err(|reason| (line, reason))
        });
        match signed {
            Ok(signed) => self.batch.push(signed),
            Err((line, detail)) => {
                self.sent.bad_rows += 1;
                self.refuse(Refused { line, code: None, detail, hint: None });
            }
        }
        Ok(())
    }

    fn sign(&mut self, reading: Reading) -> Result<Vec<u8>, String> {
        let body = Body::one(reading.values).map_err(|error| error.to_string())?;
        let time_ms = reading.time_ms.unwrap_or_else(wall_ms);
        let report = ReportBody::of(self.sent.boot, self.seq, time_ms, SCHEMA, body.encode());
        self.seq = self.seq.checked_add(1).ok_or("4,294,967,296 reports in one boot; start again")?;
        Ok(sign_report(&self.key, self.device, &self.network, &report))
    }

    /// Sends what waits; what came too fast is sent again after the wait that the gateway asks for.
    fn flush(&mut self) -> Result<(), Failure> {
        while !self.batch.is_empty() {
            if let Some(wait) = self.flush_once()? {
                std::thread::sleep(wait);
            }
        }
        Ok(())
    }

    /// Answers with a wait when reports came too fast; these are then the batch, which always gets shorter: where all of
    /// them do, the gateway refuses the request, and the client has waited as often as it may.
    fn flush_once(&mut self) -> Result<Option<Duration>, Failure> {
        let batch = std::mem::take(&mut self.batch);
        let reports: Vec<&[u8]> = batch.iter().map(|(_, report)| report.as_slice()).collect();
        let submitted = self.client.submit_reports(&reports).map_err(|error| {
            let first = batch[0].0;
            let is_answered = matches!(error, ClientError::Promise { .. });
            let failure = Failure::from(error);
            if is_answered {
                return failure;
            }
            failure.hint(format!("everything before line {first} was answered; send the input from there on again"))
        })?;
        self.promises.keep(&submitted.response.promise)?;
        let is_too_fast = |row: &ResultRow| row.code.as_deref() == Some(TOO_FAST);
        let rows = submitted.response.results;
        let wait = submitted.wait.filter(|_| !rows.iter().all(is_too_fast));
        for (sent, row) in batch.into_iter().zip(rows) {
            if wait.is_some() && is_too_fast(&row) {
                self.batch.push(sent);
            } else {
                self.count(sent.0, row);
            }
        }
        Ok(wait.filter(|_| !self.batch.is_empty()))
    }

    fn count(&mut self, line: u64, row: ResultRow) {
        self.bar.inc(1);
        match row.status {
            ResultStatus::Accepted => {
                self.sent.accepted += 1;
                self.sent.first_index = self.sent.first_index.or(row.index);
                self.sent.last_index = row.index.or(self.sent.last_index);
            }
            ResultStatus::Duplicate => self.sent.duplicate += 1,
            ResultStatus::Rejected => {
                self.sent.rejected += 1;
                let detail = row.detail.unwrap_or_else(|| "refused without a reason".to_owned());
                self.refuse(Refused { line, code: row.code, detail, hint: row.hint });
            }
        }
    }

    fn refuse(&mut self, refused: Refused) {
        if let Some(code) = &refused.code {
            *self.sent.codes.entry(code.clone()).or_default() += 1;
        }
        if self.sent.refused.len() == LISTED_MAX {
            return;
        }
        let code = refused.code.as_deref().map(|code| format!(" {code}:")).unwrap_or_default();
        let text = format!("line {}:{code} {}", refused.line, refused.detail);
        self.bar.suspend(|| self.output.say(text));
        self.sent.refused.push(refused);
        if self.sent.refused.len() == LISTED_MAX {
            let text = format!("the first {LISTED_MAX} rows that were not taken are listed; others are only counted");
            self.bar.suspend(|| self.output.say(text));
        }
    }

    fn finish(self, done: Result<(), Failure>) -> Result<(), Failure> {
        let Self { output, sent, .. } = self;
        let not_taken = sent.rejected + sent.bad_rows;
        let rows = sent.accepted + sent.duplicate + not_taken;
        let failure = match done {
            Err(failure) => failure,
            Ok(()) if rows == 0 => Failure::wrong("NET-NOTHING", "there is no reading on standard input")
                .hint("pipe CSV with a header, or JSON lines: `cairn send --key device.key < readings.csv`"),
            Ok(()) if not_taken > 0 => {
                let hint = sent.refused.iter().find_map(|refused| refused.hint.clone());
                let what = format!("{} of {} not taken", not_taken, count(rows, "row was", "rows were"));
                Failure::wrong("NET-NOT-TAKEN", what).maybe_hint(hint)
            }
            Ok(()) => return output.show(&sent, text),
        };
        output.show_wrong(&sent, text, failure)
    }
}

fn bad_input(error: &io::Error) -> Failure {
    match error.kind() {
        io::ErrorKind::InvalidData => Failure::wrong("NET-INPUT", error),
        _ => Failure::failed("NET-IO", format!("cannot read standard input: {error}")),
    }
}

fn text(sent: &Sent) -> String {
    let mut text = format!("{}\n  accepted  {}", sent.device, sent.accepted);
    if let (Some(first), Some(last)) = (sent.first_index, sent.last_index) {
        text.push_str(&format!(" (entries {first} to {last})"));
    }
    text.push_str(&format!("\n  duplicate {}\n  rejected  {}\n", sent.duplicate, sent.rejected));
    for (code, number) in &sent.codes {
        text.push_str(&format!("    {code} {number}\n"));
    }
    if sent.bad_rows > 0 {
        text.push_str(&format!("  bad rows  {}\n", sent.bad_rows));
    }
    if sent.accepted > 0 {
        text.push_str(&format!("  promises  {}\n", sent.promises.display()));
    }
    text
}
